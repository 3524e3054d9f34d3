#!/bin/sh
# Starts InfluxDB, and beside it what it needs to be of use: at every start whatever is missing is made.
set -eu
start=$(dirname "$0")
# shellcheck source=secrets.sh
. "$start/secrets.sh"

rm -f /tmp/bootstrapped
OPERATOR_TOKEN_FILE=$(secret operator-token /var/lib/influxdb2/secrets)
ADMIN_PASSWORD_FILE=$(secret admin-password /var/lib/influxdb2/secrets)
export OPERATOR_TOKEN_FILE ADMIN_PASSWORD_FILE

say "InfluxDB: its user is admin; the password of the first start:"
say "    docker compose exec influxdb cat $ADMIN_PASSWORD_FILE"
(
    # It writes only what is missing, so a server that was too busy for it is asked again.
    until sh "$start/influxdb-bootstrap.sh"; do sleep 15; done
    : >/tmp/bootstrapped
) &
exec /entrypoint.sh "$@"
