#!/bin/sh
# Starts Grafana with a password and an encryption key of its own; says how to see the login, never the login.
set -eu
# shellcheck source=secrets.sh
. "$(dirname "$0")/secrets.sh"

made=${GF_PATHS_DATA:-/var/lib/grafana}/secrets
password=$(secret admin-password "$made")
key=$(secret secret-key "$made")
export GF_SECURITY_ADMIN_PASSWORD__FILE="$password" GF_SECURITY_SECRET_KEY__FILE="$key"

say "Grafana: log in at ${GF_SERVER_ROOT_URL:-port 3000} as ${GF_SECURITY_ADMIN_USER:-admin}; the password of the first start:"
say "    docker compose exec grafana cat $password"
exec "$@"
