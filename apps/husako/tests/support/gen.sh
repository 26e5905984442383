# SPDX-License-Identifier: MIT
# What the scripts beside share: programs, schemas, a server, a project, checks. To be sourced.
set -u
: "${BUILD_DIR:?the build directory}" "${SOURCE_DIR:?the source directory}"
husako=$BUILD_DIR/bin/husako
server=$BUILD_DIR/bin/slow-apiserver
deps=${EDO_DEPS:-$SOURCE_DIR/build/deps}
own_schemas=$SOURCE_DIR/examples/schemas
real_schemas=${KUBERNETES_OPENAPI:-$SOURCE_DIR/../shared/data/kubernetes-openapi/v1.33}
if [ -e "$real_schemas/api/v1.json" ]; then schemas=$real_schemas; else schemas=$own_schemas; fi
documents=$(find "$schemas" -name '*.json' | wc -l)

skip() {
    echo "skipped: $*"
    exit 77
}
[ -x "$husako" ] || skip "no husako in $BUILD_DIR/bin"

failures=0
checks=0
failed() {
    failures=$((failures + 1))
    echo "FAILED: $*"
}
ok() {
    checks=$((checks + 1))
}
# check WHAT COMMAND...: the command has to succeed
check() {
    what=$1
    shift
    if "$@"; then ok; else failed "$what: $*"; fi
}
has() { # has FILE TEXT
    if grep -qF -e "$2" "$1"; then ok; else failed "\"$2\" is not in: $(cat "$1")"; fi
}
lacks() {
    if grep -qF -e "$2" "$1"; then failed "\"$2\" is in: $(cat "$1")"; else ok; fi
}

work=$(mktemp -d "${TMPDIR:-/tmp}/husako-test.XXXXXX")
server_pid=''
stop_server() {
    [ -z "$server_pid" ] || { kill "$server_pid" && wait "$server_pid"; } 2>/dev/null
    server_pid=''
}
cleanup() {
    stop_server
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# start_server [flags]: serves $schemas; its address is in $url
start_server() {
    stop_server
    rm -f "$work/port"
    "$server" --spec-dir "$schemas" --port-file "$work/port" --max-seconds 120 "$@" \
        >"$work/server.out" 2>&1 &
    server_pid=$!
    tries=0
    until [ -s "$work/port" ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { cat "$work/server.out"; echo "the server did not start"; exit 1; }
        sleep 0.05
    done
    url=http://127.0.0.1:$(cat "$work/port")
}

# project NAME: an empty directory, which becomes the current one
project() {
    rm -rf "${work:?}/$1"
    mkdir "$work/$1"
    cd "$work/$1" || exit 1
}

# gen EXPECTED-EXIT ARGS...: output in $work/out and $work/err
gen() {
    want=$1
    shift
    timeout 60 "$husako" gen "$@" >"$work/out" 2>"$work/err"
    code=$?
    if [ $code = "$want" ]; then ok; else failed "husako gen $*: exit $code, not $want: $(cat "$work/err")"; fi
}

# All generated files with their content, as one hash.
fingerprint() {
    (cd "${1:-.}" && find .husako/types tsconfig.json -type f | LC_ALL=C sort | xargs sha256sum | sha256sum)
}

# Nothing generated, and nothing half-written left behind.
no_output() {
    left=$(find . -path ./.husako/cache -prune -o -type f ! -name .lock ! -name husako.toml -print)
    if [ -z "$left" ]; then ok; else failed "left behind: $left"; fi
    no_temporary
}
no_temporary() {
    left=$(find . -name '*.husako-new' -o -name '.*.new' -o -name '.*.old')
    if [ -z "$left" ]; then ok; else failed "temporary files left: $left"; fi
}

finish() {
    [ $failures = 0 ] || { echo "$checks passed, $failures failed"; exit 1; }
    echo "$checks passed, 0 failed"
}
