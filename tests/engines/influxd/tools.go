//go:build tools

// Package tools pins the InfluxDB that the tests build: its module has `replace` lines, so that
// `go install NAME@VERSION` refuses it and a module of our own has to repeat them.
package tools

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
