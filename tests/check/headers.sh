#!/bin/sh
# Each public header compiles alone: strict C11 and C++17, no definition given by the build. And
# weir.h names each: it includes it, or says why not.
set -eu
cd "$(dirname "$0")/../.."

for header in include/weir/*.h; do
    name=weir/${header##*/}
    [ "$name" = weir/weir.h ] || grep -qF "<$name>" include/weir/weir.h || {
        printf '%s\n' "headers.sh: include/weir/weir.h neither includes <$name> nor says why not" >&2
        exit 1
    }
    clang -x c -std=c11 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only \
        -Wno-pragma-once-outside-header -Wno-pragma-system-header-outside-header "$header"
    clang++ -x c++ -std=c++17 -Wall -Wextra -Werror -Iinclude -fsyntax-only \
        -Wno-pragma-once-outside-header -Wno-pragma-system-header-outside-header "$header"
done
