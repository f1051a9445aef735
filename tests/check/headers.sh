#!/bin/sh
# Each public header compiles alone: strict C11 and C++17, no definition given by the build.
set -eu
cd "$(dirname "$0")/../.."

for header in include/weir/*.h; do
    clang -x c -std=c11 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only \
        -Wno-pragma-once-outside-header "$header"
    clang++ -x c++ -std=c++17 -Wall -Wextra -Werror -Iinclude -fsyntax-only \
        -Wno-pragma-once-outside-header "$header"
done
