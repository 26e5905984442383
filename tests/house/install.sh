#!/bin/sh
# SPDX-License-Identifier: MIT
# What is installed must be enough: the program in README.md is built against an installed tree, once by
# the line pkg-config gives, once by find_package(), and once more after the tree was moved.
set -eu
trap 'rm -rf "$work"' EXIT
work=$(mktemp -d)
prefix=$work/prefix
cmake --install "$BUILD_DIR" --prefix "$prefix" >"$work/log" || { cat "$work/log"; exit 1; }

test -s "$prefix/share/edo/gdb/edo-gdb.py"

# The first C block of the README.
sed -n '/^```c$/,/^```$/p' "$SOURCE_DIR/README.md" | sed -e 1d -e '/^```$/,$d' >"$work/hello.c"
test -s "$work/hello.c"
says='hello, moon
hello, world'

expect() { # what, program
    got=$("$2" | sort)
    if [ "$got" != "$says" ]; then
        echo "not ok $1: printed: $got"
        exit 1
    fi
    echo "ok $1"
}

sanitize=$(sed -n 's/^EDO_SANITIZE:STRING=//p' "$BUILD_DIR/CMakeCache.txt")
flags=${sanitize:+-fsanitize=$sanitize}
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$BUILD_DIR/CMakeCache.txt")

with_pkg_config() { # prefix, program
    PKG_CONFIG_PATH=$1/lib/pkgconfig
    export PKG_CONFIG_PATH
    # shellcheck disable=SC2046,SC2086
    "$cc" -Wall -Wextra -Werror $flags "$work/hello.c" $(pkg-config --cflags --libs edo) -o "$2"
}
LD_LIBRARY_PATH=$prefix/lib:$work/moved/lib
export LD_LIBRARY_PATH

with_pkg_config "$prefix" "$work/one"
expect pkg-config "$work/one"

mkdir "$work/cmake"
cat >"$work/cmake/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.21)
project(hello C)
find_package(edo REQUIRED)
add_executable(hello ../hello.c)
target_link_libraries(hello PRIVATE edo::edo)
if(TARGET edo::http)
    add_executable(hello-http ../hello.c)
    target_link_libraries(hello-http PRIVATE edo::http)
endif()
if(TARGET edo::tls)
    add_executable(hello-tls ../hello.c)
    target_link_libraries(hello-tls PRIVATE edo::tls)
endif()
END
{
    cmake -S "$work/cmake" -B "$work/cmake/build" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" && cmake --build "$work/cmake/build"
} >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
expect find_package "$work/cmake/build/hello"

mv "$prefix" "$work/moved"
with_pkg_config "$work/moved" "$work/two"
expect moved "$work/two"

# Headers as C++ users see them.
printf '#include <edo/edo.h>\nint main() { return EDO_VERSION_MAJOR; }\n' >"$work/plus.cc"
# shellcheck disable=SC2046
c++ -std=c++17 -Wall -Wextra -Werror $(pkg-config --cflags edo) -fsyntax-only "$work/plus.cc"
echo "ok c++"
echo "4 passed, 0 failed, 0 skipped"
