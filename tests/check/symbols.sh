#!/bin/sh
# usage: symbols.sh BUILD-FOLDER [--write]
# The shared libraries export the names of symbols.list and nothing else: a new one is added there,
# by hand or with --write, and one that is gone breaks programs. All are public names, weir_NAME,
# declared in a header; the static libraries, where hidden names are global too, add only weir__NAME.
set -eu
lib=$1/lib
here=$(dirname "$0")
include=$here/../../include
list=$here/symbols.list
failed=0

report()
{
    [ -z "$2" ] || { printf '%s:\n%s\n' "$1" "$2" >&2; failed=1; }
}

exported()
{
    nm -D --defined-only "$lib/lib$1.so" | awk '{ print $3 }' | LC_ALL=C sort
}

for name in weir weir-cjson; do
    symbols=$(exported "$name")
    [ -n "$symbols" ] || report "lib$name.so exports nothing" "(no symbols)"
    report "lib$name.so exports names that are not public" \
        "$(printf '%s\n' "$symbols" | grep -v '^weir_[a-z0-9]' || :)"
    for symbol in $symbols; do
        grep -rqw "$symbol" "$include" || report "lib$name.so exports what no header declares" "$symbol"
    done
    report "lib$name.a has global names that are not ours" \
        "$(nm -g --defined-only "$lib/lib$name.a" | awk 'NF == 3 { print $3 }' |
            grep -v '^weir_' || :)"
done

now=$(mktemp)
trap 'rm -f "$now"' EXIT
for name in weir weir-cjson; do
    exported "$name" | sed "s/^/$name: /"
done >"$now"
if [ "${2:-}" = --write ]; then
    cat "$now" >"$list"
fi
report "the exports are not those of $list (-: gone, +: new; write it anew with --write)" \
    "$(diff -U0 "$list" "$now" | grep '^[-+][a-z]' || :)"
exit "$failed"
