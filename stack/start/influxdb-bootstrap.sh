#!/bin/sh
# Makes what is missing in a running InfluxDB 2: user, buckets, tokens, the user of the v1 interface, tasks.
#
# Nothing is written where all is there. The plain text of a token exists only in the answer that makes it (the server
# keeps a hash), so it goes into its file at once; where that file is lost or refused, or a bucket has another id since,
# the token is made anew and the old one deleted. What a person has made beside all this is left alone.
set -eu
start=$(dirname "$0")
# shellcheck source=secrets.sh
. "$start/secrets.sh"
# shellcheck source=influxdb-api.sh
. "$start/influxdb-api.sh"

tokens=${TOKENS:-/etc/influxdb2}
flux=${FLUX:-$start/../influxdb}
org=${INFLUX_ORG:-pegel}

main() {
    umask 077
    as_token "$(cat "$OPERATOR_TOKEN_FILE")" operator
    until answers; do
        say "InfluxDB has not answered for two minutes: it opens much data, or its log says what is wrong; still waiting"
    done
    set_up
    ask /api/v2/orgs "org=$org"
    if [ "$status" = 401 ]; then
        fail "InfluxDB refuses the operator token of $OPERATOR_TOKEN_FILE. Its data comes from elsewhere: put the token" \
            "into stack/secrets/influxdb/operator-token, or make one with influxd recovery auth create-operator"
    fi
    answered 200 "organisation $org"
    org_id=$(first_id)
    telemetry=$(bucket telemetry "${INFLUX_RETENTION:-90d}")
    coarse=$(bucket telemetry_5m "${INFLUX_RETENTION_5M:-400d}")
    version1=$(bucket jitsi "${INFLUX_RETENTION_V1:-30d}")
    token runner-write "${RUNNER_GROUP:-}" "$(may write "$telemetry")"
    token grafana-read "${GRAFANA_GROUP:-}" "$(may read "$telemetry"),$(may read "$coarse"),$(may read "$version1")"
    version1_user jitsi "${RUNNER_GROUP:-}" "$(may write "$version1"),$(may read "$version1")"
    task downsample 1h 5m 4h
    task downsample-late 1d 20m 4d
    say "InfluxDB: buckets, tokens and tasks are there"
}

# -- what there is to be ------------------------------------------------------------------------------------------

set_up() {
    ask /api/v2/setup
    answered 200 "state of the set-up"
    grep -q '"allowed": *true' "$work/answer" || return 0
    keeps=$(seconds "${INFLUX_RETENTION:-90d}")
    password=$(json "$(cat "$ADMIN_PASSWORD_FILE")")
    token=$(json "$(cat "$OPERATOR_TOKEN_FILE")")
    tell POST /api/v2/setup "{\"username\": \"admin\", \"password\": \"$password\", \"token\": \"$token\",
        \"org\": \"$org\", \"bucket\": \"telemetry\", \"retentionPeriodSeconds\": $keeps}"
    answered 201 "first set-up"
}

# bucket NAME RETENTION: print its id; one that is missing is made, one that keeps its data for another time is told.
bucket() {
    keeps=$(seconds "$2")
    rules="\"retentionRules\": [{\"type\": \"expire\", \"everySeconds\": $keeps, \"shardGroupDurationSeconds\": 0}]"
    found=$(bucket_id "$1")
    if [ -z "$found" ]; then
        tell POST /api/v2/buckets "{\"orgID\": \"$org_id\", \"name\": \"$1\", $rules}"
        answered 201 "bucket $1"
        found=$(first_id)
    elif kept=$(number_of everySeconds) && [ "${kept:-0}" != "$keeps" ]; then
        tell PATCH "/api/v2/buckets/$found" "{$rules}"
        answered 200 "retention of bucket $1"
        say "InfluxDB: bucket $1 keeps its data for $2 from now on (0s: for ever); what is older is deleted"
    fi
    echo "$found"
}

bucket_id() {
    ask /api/v2/buckets "orgID=$org_id" "name=$1"
    [ "$status" = 404 ] || answered 200 "bucket $1"
    first_id
}

# may ACTION BUCKET-ID: a permission.
may() {
    echo "{\"action\": \"$1\", \"resource\": {\"type\": \"buckets\", \"id\": \"$2\", \"orgID\": \"$org_id\"}}"
}

# rights PERMISSIONS: a number in the description of who has them; another one means that he should have others.
rights() {
    printf '%s' "$1" | cksum | cut -d ' ' -f 1
}

# token NAME GROUP PERMISSIONS: a token in a file that its group may read.
token() {
    described="stack: $1 $(rights "$3")"
    ask /api/v2/authorizations "orgID=$org_id"
    answered 200 "tokens"
    former=$(ids_with "stack: $1\( [0-9]*\)\{0,1\}")
    if [ -n "$(ids_with "$described")" ] && accepted "$1"; then
        return
    fi
    for old in $former; do
        tell DELETE "/api/v2/authorizations/$old"
        answered 204 "old token $1"
        say "InfluxDB: token $1 was lost, refused or has other rights, it is made anew; restart who has read the old one"
    done
    tell POST /api/v2/authorizations "{\"orgID\": \"$org_id\", \"description\": \"$described\", \"permissions\": [$3]}"
    answered 201 "token $1"
    keep "$(text_of token)" "$tokens/$1" 440 "$2"
}

# accepted NAME: whether the token in this file is one of this server. An error of the server says nothing about that.
accepted() {
    [ -s "$tokens/$1" ] || return 1
    as_token "$(cat "$tokens/$1")" somebody
    ask /api/v2/buckets limit=1 somebody
    [ "$status" != 401 ] || return 1
    answered 200 "token $1"
}

# version1_user NAME GROUP PERMISSIONS: a user of the v1 interface; his password is in NAME-v1-password.
version1_user() {
    file=$tokens/$1-v1-password described="stack: $1 $(rights "$3")"
    ask /private/legacy/authorizations "orgID=$org_id" "token=$1"
    [ "$status" = 404 ] || answered 200 "user $1 of the v1 interface"
    user=$(first_id)
    if [ -n "$user" ] && [ -z "$(ids_with "$described")" ]; then
        tell DELETE "/private/legacy/authorizations/$user"
        answered 204 "user $1 of the v1 interface"
        user=
    fi
    if [ -z "$user" ]; then
        tell POST /private/legacy/authorizations "{\"orgID\": \"$org_id\", \"token\": \"$1\", \"description\": \"$described\", \"permissions\": [$3]}"
        answered 201 "user $1 of the v1 interface"
        user=$(first_id)
    elif accepted_by_version1 "$1" "$file"; then
        return 0
    fi
    [ -s "$file" ] || keep "$(random)" "$file" 440 "$2"
    tell POST "/private/legacy/authorizations/$user/password" "{\"password\": \"$(cat "$file")\"}"
    answered 204 "password of user $1 of the v1 interface"
}

accepted_by_version1() {
    [ -s "$2" ] || return 1
    as_user "$1" "$(cat "$2")" somebody
    ask /query "db=$1" "q=SHOW MEASUREMENTS" somebody
    [ "$status" = 200 ]
}

# task NAME EVERY OFFSET RANGE: a task out of the template of that range; it changes when the template does.
task() {
    sed -e "s/@NAME@/$1/" -e "s/@EVERY@/$2/" -e "s/@OFFSET@/$3/" -e "s/@RANGE@/$4/" "$flux/downsample.flux" >"$work/flux"
    version=$(cksum <"$work/flux" | cut -d ' ' -f 1)
    ask /api/v2/tasks "orgID=$org_id" "name=$1" limit=1
    answered 200 "task $1"
    ! grep -q "stack: $version" "$work/answer" || return 0
    found=$(first_id)
    if [ -z "$found" ]; then
        tell POST /api/v2/tasks "$(task_document)"
        answered 201 "task $1"
    else
        tell PATCH "/api/v2/tasks/$found" "$(task_document)"
        answered 200 "task $1"
    fi
}

task_document() {
    script=$(json "$(cat "$work/flux")" | sed 's/$/\\n/' | tr -d '\n')
    printf '{"orgID": "%s", "description": "stack: %s", "flux": "%s"}' "$org_id" "$version" "$script"
}

fail_retention() {
    fail "a retention is a number with d, h, m or s, such as 90d, and not \"$1\""
}

# seconds TEXT: of a time such as 90d, 12h or 0s (for ever).
seconds() {
    number=${1%[dhms]}
    case $number in
    '' | *[!0-9]*) fail_retention "$1" ;;
    esac
    case $1 in
    *d) echo $((number * 86400)) ;;
    *h) echo $((number * 3600)) ;;
    *m) echo $((number * 60)) ;;
    *s) echo "$number" ;;
    *) fail_retention "$1" ;;
    esac
}

main
