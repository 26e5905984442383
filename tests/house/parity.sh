#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/tokio.md names only what exists: each edo_...() and EDO_... of it is in a public header.
set -eu
cd "$SOURCE_DIR"
missing=0 found=0
# shellcheck disable=SC2013
for name in $(grep -oE '\b(edo_[a-z0-9_]+\(\)|EDO_[A-Z_]+)' docs/tokio.md | tr -d '()' | sort -u); do
    case $name in
    *_SIGNAL | EDO_WORKERS) found=$((found + 1)); continue ;; # of the environment
    esac
    if grep -qE "\b$name\b" include/edo/*.h; then
        found=$((found + 1))
    else
        echo "not ok docs/tokio.md names $name, which no header declares"
        missing=$((missing + 1))
    fi
done
[ $missing -gt 0 ] || echo "ok all $found names of docs/tokio.md are declared"
echo "$([ $missing -eq 0 ] && echo 1 || echo 0) passed, $missing failed, 0 skipped"
[ $missing -eq 0 ] && [ $found -gt 50 ]
