# Secrets of a service: the operator's own if there are any, else made once. Read by the start scripts (`.`).
#
# An own secret is a file of that name in /run/own-secrets (a directory of the host, see docs/stack.md). Made ones have
# 40 letters and digits: Grafana expands what looks like a variable in some places, and other characters need quotes.

own_secrets=${OWN_SECRETS:-/run/own-secrets}

# say SENTENCE...: to the container's log.
say() {
    echo "stack: $*" >&2
}

# secret NAME DIRECTORY: print the path of its file, which is made in DIRECTORY where the operator gave none.
secret() {
    own=$own_secrets/$1
    if [ -d "$own_secrets" ] && [ ! -x "$own_secrets" ]; then
        say "the directory of your own secrets cannot be entered by user $(id -u), so nobody knows whether $1 is there;" \
            "let others enter it and close the directory above"
        return 1
    fi
    if [ -e "$own" ] && [ ! -r "$own" ]; then
        say "your own secret $1 cannot be read by user $(id -u); let others read the file and close the directory above"
        return 1
    fi
    if [ -e "$own" ]; then
        if [ ! -s "$own" ]; then
            say "your own secret $1 is an empty file; write it, or remove the file to have one made"
            return 1
        fi
        echo "$own"
        return
    fi
    [ -s "$2/$1" ] || keep "$(random)" "$2/$1" 600
    echo "$2/$1"
}

# Of all three kinds: InfluxDB takes no password without, and one in a thousand has no digit.
random() {
    made=
    until [ "${#made}" = 40 ] && has lower && has upper && has digit; do
        made=$(LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c 40)
    done
    echo "$made"
}

has() {
    case $made in
    *[[:$1:]]*) ;;
    *) return 1 ;;
    esac
}

# keep TEXT FILE MODE [GROUP]: write a file that is complete or not there, and never readable for more than it may be.
keep() {
    (
        umask 077
        mkdir -p "$(dirname "$2")"
        printf '%s\n' "$1" >"$2.new"
        [ -z "${4:-}" ] || chgrp "$4" "$2.new"
        chmod "$3" "$2.new"
        # What is opened by it keeps it at once; a power cut must not leave an empty file here, and so another secret.
        sync
        mv "$2.new" "$2"
        sync
    )
}
