#!/bin/sh
# SPDX-License-Identifier: MIT
# Every C block of the guide that is a program is compiled against the library of this build and run; the
# text block after it is what it prints.
set -eu
trap 'rm -rf "$work"' EXIT
work=$(mktemp -d)

sanitize=$(sed -n 's/^EDO_SANITIZE:STRING=//p' "$BUILD_DIR/CMakeCache.txt")
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$BUILD_DIR/CMakeCache.txt")
library=$(find "$BUILD_DIR" -name 'libedo.a' -o -name 'libedo.so' | head -n 1)
libs=$(sed -n 's/^Libs: .*-ledo//p' "$BUILD_DIR/edo.pc") # what libedo needs itself
tls=$(find "$BUILD_DIR" -name 'libedo-tls.a' -o -name 'libedo-tls.so' | head -n 1)
passed=0 failed=0 skipped=0

# block LANGUAGE FILE: the first block of that language
block() {
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$2" | sed -e 1d -e '/^```$/,$d'
}

for page in "$SOURCE_DIR"/docs/guide/[0-9]*.md; do
    name=$(basename "$page" .md)
    block c "$page" >"$work/$name.c"
    block text "$page" >"$work/$name.expected"
    if [ ! -s "$work/$name.c" ] || [ ! -s "$work/$name.expected" ]; then
        echo "not ok $name: no program, or nothing that it prints"
        failed=$((failed + 1))
        continue
    fi
    upper=''
    if grep -q '<edo/tls.h>' "$work/$name.c"; then
        if [ -z "$tls" ]; then
            echo "skip $name: libedo-tls was left out"
            skipped=$((skipped + 1))
            continue
        fi
        upper="$tls -lssl -lcrypto"
    fi
    # shellcheck disable=SC2086
    if ! "$cc" -std=gnu11 -Wall -Wextra -Wshadow -Wconversion -Werror -g ${sanitize:+-fsanitize=$sanitize} \
        -I"$SOURCE_DIR/include" "$work/$name.c" ${upper%% *} "$library" ${upper#* } $libs -o "$work/$name" \
        >"$work/$name.log" 2>&1; then
        echo "not ok $name: does not compile"
        cat "$work/$name.log"
        failed=$((failed + 1))
        continue
    fi
    status=0
    timeout 60 "$work/$name" >"$work/$name.got" 2>"$work/$name.err" || status=$?
    if [ $status -ne 0 ] || ! diff "$work/$name.expected" "$work/$name.got"; then
        echo "not ok $name: status $status"
        cat "$work/$name.err"
        failed=$((failed + 1))
    else
        echo "ok $name"
        passed=$((passed + 1))
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -ge 10 ]
