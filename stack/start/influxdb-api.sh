# A conversation with the HTTP API of InfluxDB 2, for the bootstrap (`.`): needs curl, grep, sed and cut.
#
# What is asked for is in a file, and so is what it is asked with: arguments can be seen by others.

url=${INFLUX_ADDRESS:-http://127.0.0.1:8086}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# as_token TEXT NAME, as_user USER PASSWORD NAME: who `ask` and `tell` are.
as_token() {
    printf 'header = "Authorization: Token %s"\n' "$(json "$1")" >"$work/$2"
}

as_user() {
    printf 'user = "%s:%s"\n' "$1" "$(json "$2")" >"$work/$3"
}

# Whether the API is there, within two minutes. The page /health of later versions says so too early.
answers() {
    curl --silent --output "$work/answer" --max-time 20 --retry 120 --retry-delay 1 --retry-max-time 120 \
        --retry-all-errors --fail "$url/api/v2/setup"
}

# ask PATH [NAME=VALUE...] [somebody]: GET; the status is in $status, the answer in a file.
ask() {
    path=$1 who=operator
    shift
    for one in "$@"; do
        shift
        case $one in
        *=*) set -- "$@" --data-urlencode "$one" ;;
        *) who=$one ;;
        esac
    done
    status=$(curl --silent --show-error --max-time 20 --output "$work/answer" --write-out '%{http_code}' \
        --get --config "$work/$who" "$@" "$url$path") || fail "InfluxDB does not answer any more"
}

# tell METHOD PATH [DOCUMENT]
tell() {
    status=$(printf '%s' "${3:-}" | curl --silent --show-error --max-time 60 --output "$work/answer" \
        --write-out '%{http_code}' --request "$1" --config "$work/operator" \
        --header 'Content-Type: application/json' --data-binary @- "$url$2") || fail "InfluxDB does not answer any more"
}

# answered STATUS WHAT: nothing else will do.
answered() {
    [ "$status" = "$1" ] || fail "InfluxDB answered $status about $2: $(text_of message)"
}

first_id() {
    grep -o '"id": *"[0-9a-f]\{16\}"' "$work/answer" | head -n 1 | cut -d '"' -f 4
}

number_of() {
    grep -o "\"$1\": *[0-9]*" "$work/answer" | head -n 1 | tr -dc '0-9'
}

# json TEXT: as it stands between quotes.
json() {
    printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'
}

# ids_with DESCRIPTION: of the objects in a list; each begins with its id and has its description before other ids.
ids_with() {
    tr -d '\n\t' <"$work/answer" | sed 's/"id":/\
&/g' | grep "\"description\": *\"$1\"" | cut -d '"' -f 4
}

text_of() {
    grep -o "\"$1\": *\"[^\"]*\"" "$work/answer" | head -n 1 | cut -d '"' -f 4
}

fail() {
    say "$@"
    exit 1
}
