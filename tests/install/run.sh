#!/bin/sh
# usage: run.sh BUILD-FOLDER
# Installs the build into a folder of its own and uses it from there as other projects would: by
# find_package, by pkg-config, and by running the program.
set -eu
build=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

quietly()
{
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; echo "install: failed: $*" >&2; exit 1; }
}

quietly cmake --install "$build" --prefix "$prefix"
libdir=$(dirname "$(find "$prefix" -name libweir.so)")

quietly cmake -G Ninja -S "$here" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$prefix"
quietly cmake --build "$work/consumer"
quietly ctest --test-dir "$work/consumer" --output-on-failure --no-tests=error
for compiler in g++ clang++; do
    quietly "$compiler" -std=c++20 -Wall -Wextra -pedantic -Werror -I"$prefix/include" \
        -o "$work/consumer-$compiler" "$here/consumer.cpp" -L"$libdir" -lweir
    LD_LIBRARY_PATH="$libdir" quietly "$work/consumer-$compiler"
done

export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"
# shellcheck disable=SC2046 # lists of flags
{
    quietly cc -o "$work/consumer-pc" "$here/consumer.c" $(pkg-config --cflags --libs weir jansson)
    quietly "$work/consumer-pc"
    quietly cc -o "$work/consumer-cjson-pc" "$here/consumer_cjson.c" \
        $(pkg-config --cflags --libs weir-cjson)
    quietly "$work/consumer-cjson-pc"
}

# The name that programs are bound to at run time, and the one version that all parts state.
quietly sh -c "readelf -d '$work/consumer-pc' | grep -q 'NEEDED.*libweir[.]so[.]0[.]1\]'"
quietly test -r "$prefix/share/weir/weir-gdb.py"
quietly test -r "$prefix/share/man/man1/weir.1"
quietly grep -q 'man3/weir_client.3' "$prefix/share/man/man3/weir_client_new.3"
version=$(pkg-config --modversion weir)
quietly sh -c "LD_LIBRARY_PATH= '$prefix/bin/weir' --version | grep -qF '$version'"
echo "install: consumers by find_package (shared, static, C++, cJSON) and pkg-config work, $version"
