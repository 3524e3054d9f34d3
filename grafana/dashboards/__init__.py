"""Writes the dashboards that Grafana is provisioned with: `./dev dashboards`.

A board is a module of `boards` with a `DASHBOARD`. It says what is asked and why; identifiers, grid and the many words
of Grafana's JSON are the generator's. What it writes is committed, and a test fails where both differ.
"""
