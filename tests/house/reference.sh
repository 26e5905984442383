#!/bin/sh
# SPDX-License-Identifier: MIT
# The reference: every public function has its page, the pages are what browsers and man(1) read, and every
# example in a header's comment compiles.
set -eu
trap 'rm -rf "$work"' EXIT
work=$(mktemp -d)
passed=0 failed=0
check() { # what, status
    if [ "$2" -eq 0 ]; then
        echo "ok $1"
        passed=$((passed + 1))
    else
        echo "not ok $1"
        failed=$((failed + 1))
    fi
}

"$SOURCE_DIR/tools/reference" "$work"
"$SOURCE_DIR/tools/reference" --list >"$work/documented"
"$SOURCE_DIR/tools/reference" --examples "$work/examples"
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$BUILD_DIR/CMakeCache.txt")

# What the compiler finds declared, against what is documented.
for header in "$SOURCE_DIR"/include/edo/*.h; do
    echo "#include <edo/$(basename "$header")>"
done >"$work/all.c"
"$cc" -E -P -I"$SOURCE_DIR/include" "$work/all.c" | tr '\n' ' ' | tr ';{}' '\n\n\n' |
    grep -v typedef | grep -oE '\bedo_[a-z0-9_]+ ?\(' | tr -d ' (' | grep -v '^edo__' | sort -u >"$work/declared"
status=0
comm -13 "$work/documented" "$work/declared" >"$work/missing"
[ ! -s "$work/missing" ] || { status=1; sed 's/^/  no page: /' "$work/missing"; }
check "every declared function is documented" $status

status=0
while read -r name; do
    [ -s "$work/man/man3/$name.3" ] || { echo "  no man page: $name"; status=1; }
    grep -q "id=\"$name\"" "$work"/html/*.html || { echo "  not in the HTML: $name"; status=1; }
done <"$work/documented"
check "a page for each of $(wc -l <"$work/documented") functions" $status

status=0
python3 - "$work"/html/*.html <<'END' || status=1
import sys, xml.dom.minidom
for path in sys.argv[1:]:
    text = open(path, encoding="utf-8").read().replace("<!DOCTYPE html>", "")
    xml.dom.minidom.parseString(text)
END
check "the HTML is well-formed" $status

if command -v groff >/dev/null; then
    status=0
    for page in "$work"/man/man3/*.3; do
        (cd "$work/man" && groff -man -Tutf8 -ww -z "$page") >"$work/groff" 2>&1
        [ ! -s "$work/groff" ] || { status=1; cat "$work/groff"; }
    done
    check "groff has nothing to say about the man pages" $status
fi

status=0 count=0
for example in "$work"/examples/*.c; do
    count=$((count + 1))
    case $example in
    */edo_http_*) [ -f "$SOURCE_DIR/include/edo/http.h" ] || continue ;;
    esac
    "$cc" -std=gnu11 -Wall -Wextra -Wno-unused -Wno-unused-result -Wno-unused-parameter -Wno-sign-compare -Werror \
        -fsyntax-only -I"$SOURCE_DIR/include" -I"$SOURCE_DIR/tests/house" "$example" \
        >"$work/log" 2>&1 || { status=1; echo "  $(basename "$example" .c):"; cat "$work/log"; }
done
check "$count examples compile" $status
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
