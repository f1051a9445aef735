#!/bin/sh
# usage: symbols.sh BUILD-FOLDER
# The shared libraries export the public names, weir_NAME, and nothing else; the static ones, where
# hidden names are global too, add only weir__NAME. Each exported name is declared in a header.
set -eu
lib=$1/lib
include=$(dirname "$0")/../../include
failed=0

report()
{
    [ -z "$2" ] || { printf '%s:\n%s\n' "$1" "$2" >&2; failed=1; }
}

for name in weir weir-cjson; do
    exported=$(nm -D --defined-only "$lib/lib$name.so" | awk '{ print $3 }')
    [ -n "$exported" ] || report "lib$name.so exports nothing" "(no symbols)"
    report "lib$name.so exports names that are not public" \
        "$(printf '%s\n' "$exported" | grep -v '^weir_[a-z0-9]' || :)"
    for symbol in $exported; do
        grep -rqw "$symbol" "$include" || report "lib$name.so exports what no header declares" "$symbol"
    done
    report "lib$name.a has global names that are not ours" \
        "$(nm -g --defined-only "$lib/lib$name.a" | awk 'NF == 3 { print $3 }' |
            grep -v '^weir_' || :)"
done
exit "$failed"
