#!/bin/sh
# SPDX-License-Identifier: MIT
# tools/setup with nothing missing does nothing and is quick; with something missing, --check says what.
set -eu
cd "$SOURCE_DIR"
tools/setup --check || { echo "skip: not everything is installed"; exit 77; }
start=$(date +%s%N)
tools/setup
spent_ms=$((($(date +%s%N) - start) / 1000000))
[ "$spent_ms" -lt 2000 ] || { echo "not ok: took $spent_ms ms to do nothing"; exit 1; }

nowhere=$(mktemp -d)
trap 'rm -rf "$nowhere"' EXIT
if said=$(EDO_DEPS=$nowhere tools/setup --check); then
    echo "not ok: an empty folder was not noticed"
    exit 1
fi
case $said in
*yyjson*llhttp*teptris*) ;;
*) echo "not ok: said only: $said"; exit 1 ;;
esac
[ -z "$(ls -A "$nowhere")" ] || { echo "not ok: --check changed something"; exit 1; }
