#!/bin/sh
# SPDX-License-Identifier: MIT
# The reference: every public function has its page, the pages are what browsers and man(1) read, and every
# example in a header's comment compiles and runs (stage.c).
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

# Each is compiled for itself, then run on the stage of its header, except those that need what no test has.
not_run='
edo_tcp_connect: a server at port 8080
edo_http_fetch: a server
edo_tls_config_create: certificates
edo_tls_config_reload: certificates
edo_tls_config_ref: certificates
edo_tls_config_destroy: certificates
edo_tls_connect: a server
edo_tls_client: a server
edo_tls_server: certificates
edo_tls_reason: a server
edo_tls_describe: a server
edo_tls_export: a server
edo_tls_update_keys: a server
edo_http_response_header: an answer of a server
edo_http_response_header_next: an answer of a server
'
sanitize=$(sed -n 's/^EDO_SANITIZE:STRING=//p' "$BUILD_DIR/CMakeCache.txt")
library=$(find "$BUILD_DIR" -name 'libedo.a' -o -name 'libedo.so' | head -n 1)
libs=$(sed -n 's/^Libs: .*-ledo//p' "$BUILD_DIR/edo.pc") # what libedo needs itself
compile() { # arguments of the compiler
    "$cc" -std=gnu11 -Wall -Wextra -Wno-unused -Wno-unused-result -Wno-unused-parameter -Wno-sign-compare -Werror \
        ${sanitize:+-fsanitize=$sanitize} -I"$SOURCE_DIR/include" -I"$SOURCE_DIR/tests/house" "$@"
}

status=0 count=0
for example in "$work"/examples/*.c; do
    count=$((count + 1))
    name=$(basename "$example" .c)
    case $name in
    edo_http_*) [ -f "$SOURCE_DIR/include/edo/http.h" ] || continue ;;
    esac
    if ! compile -Dexample="example_$name" -c "$example" -o "$work/$name.o" >"$work/log" 2>&1; then
        status=1
        echo "  $name:"
        cat "$work/log"
        continue
    fi
    case $not_run in *"
$name: "*) continue ;; esac
    header=$(sed -n 's/^#define EXAMPLE_//p' "$example")
    if grep -q '^int main' "$example"; then
        echo "$name" >>"$work/programs"
    else
        echo "$name" >>"$work/$header.names"
    fi
done
check "$count examples compile" $status

status=0 ran=0
while read -r name; do
    if "$cc" ${sanitize:+-fsanitize=$sanitize} "$work/$name.o" "$library" $libs -o "$work/$name" &&
        timeout 60 "$work/$name" >"$work/log" 2>&1; then
        ran=$((ran + 1))
    else
        status=1
        echo "  $name:"
        cat "$work/log"
    fi
done <"$work/programs"
for names in "$work"/*.names; do
    header=$(basename "$names" .names)
    {
        sed 's/.*/int example_&(void *arg);/' "$names"
        echo 'const struct { const char *name; int (*run)(void *); } examples[] = {'
        sed 's/.*/    { "&", example_& },/' "$names"
        echo '    { 0, 0 } };'
    } >"$work/table.c"
    # shellcheck disable=SC2046
    if compile "-DEXAMPLE_$header" "$SOURCE_DIR/tests/house/stage.c" "$work/table.c" \
        $(sed "s|.*|$work/&.o|" "$names") "$library" $libs -o "$work/stage" >"$work/log" 2>&1 &&
        (cd "$work" && timeout 120 ./stage) >"$work/log" 2>&1; then
        ran=$((ran + $(wc -l <"$names")))
    else
        status=1
        echo "  $header.h:"
        cat "$work/log"
    fi
done
check "$ran of them run, and end as they should; the others need:$(echo "$not_run" | sed '/^$/d; s/.*: / /' |
    sort -u | paste -sd, -)" $status
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
