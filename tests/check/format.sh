#!/bin/sh
# Every C file is as clang-format 14 leaves it with .clang-format (other versions differ in places).
set -eu
cd "$(dirname "$0")/../.."
tool=$(command -v clang-format-14 || command -v clang-format)

find include lib cli tests docs -name '*.[ch]' -print0 | xargs -0 "$tool" --dry-run --Werror || {
    echo "format: mend it by 'clang-format -i FILE' ($("$tool" --version))" >&2
    exit 1
}
