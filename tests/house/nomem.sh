#!/bin/sh
# SPDX-License-Identifier: MIT
# Every public function whose comment says -ENOMEM is called by a test in which allocations fail: a
# function that begins to allocate, and says so, needs such a test.
set -eu
cd "$SOURCE_DIR"
tests=$(grep -lE 'needs_own_malloc|OWN_MALLOC|__libc_malloc' tests/*/*.c)
missing=0 found=0
# Names of a comment: those of its lines "edo_name - what".
for name in $(awk '
    /^\/\* edo_/ { names = ""; inside = 1 }
    inside && match($0, /^(\/| )\* edo_[a-z0-9_]+ - /) { names = names " " $2 }
    inside && /-ENOMEM/ { says = 1 }
    inside && /\*\// { if (says) print names; inside = says = 0 }' include/edo/*.h); do
    # shellcheck disable=SC2086
    if grep -qE "\b$name\(" $tests; then
        found=$((found + 1))
    else
        echo "not ok $name() says -ENOMEM, and no test lets an allocation of it fail"
        missing=$((missing + 1))
    fi
done
[ $missing -gt 0 ] || echo "ok the allocations of all $found functions that say -ENOMEM fail in a test"
echo "$([ $missing -eq 0 ] && echo 1 || echo 0) passed, $missing failed, 0 skipped"
[ $missing -eq 0 ] && [ $found -gt 40 ]
