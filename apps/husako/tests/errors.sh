# SPDX-License-Identifier: MIT
# ctest: timeout=300
# What can go wrong in husako gen: the exit code, the message, and that nothing is left half-done.
. "$SOURCE_DIR/apps/husako/tests/support/gen.sh"

# ---- the command line ----
project arguments
gen 2 --no-such-flag
has "$work/err" "error: reading the command line: unknown or malformed option --no-such-flag"
has "$work/err" "Usage: husako gen"
gen 2 --api-server
has "$work/err" "--api-server needs a value"
gen 2 --api-server ftp://x
gen 2 --jobs 0
gen 2 extra
gen 2 --client-key k
for command in render '' frobnicate; do
    "$husako" $command >"$work/out" 2>"$work/err"
    check "exit 2" test $? = 2
    has "$work/err" "Usage:"
    check "nothing on stdout" test ! -s "$work/out"
done
for flag in --help -h help; do
    check "help" "$husako" $flag >"$work/out"
    has "$work/out" "husako gen"
done
check "help of gen" "$husako" gen --help >"$work/out"
has "$work/out" "--api-server URL"
"$husako" --version 2>"$work/err"
has "$work/err" "husako 0.1.0 ("
no_output

# ---- husako.toml ----
project toml
echo '[resources' >husako.toml
gen 2
has "$work/err" "error: reading husako.toml: line 1"
cat >husako.toml <<'EOF'
[resources]
a = { source = "git", repo = "r", tag = "t", path = "p" }
b = { source = "release", version = "../../x" }
EOF
gen 2
has "$work/err" "error: resource 'a'"
has "$work/err" "error: resource 'b'"
echo 'resources.a = { source = "file", path = "missing" }' >husako.toml
gen 1
has "$work/err" "error: resource 'a': reading missing: "
echo 'kind: Nothing' >file.yaml
echo 'resources.a = { source = "file", path = "file.yaml" }' >husako.toml
gen 6
has "$work/err" "no CustomResourceDefinition"
rm file.yaml
no_output
echo 'resources.a = { source = "release", version = "1.33" }' >husako.toml
HUSAKO_GITHUB_API_URL=http://127.0.0.1:1 gen 6
has "$work/err" "error: resource 'a': listing the documents of the release: http://127.0.0.1:1/repos/"
check "no cache of a release that did not come" test ! -e .husako/cache/release/v1.33.0
no_output

# ---- directories ----
project directories
gen 1 --spec-dir missing
has "$work/err" "error: reading OpenAPI documents: missing: "
mkdir empty
gen 5 --spec-dir empty
has "$work/err" "no .json file in it"
mkdir -p bad/api none/api
printf '{"components": {"schemas": {"a": ' >bad/api/v1.json
gen 6 --spec-dir bad
has "$work/err" "bad/api/v1.json: not valid JSON at line 1"
echo '{"components": {"schemas": {}}}' >none/api/v1.json
gen 5 --spec-dir none
has "$work/err" "no schemas found"
rm -r bad none
mkdir -p huge/api
truncate -s 100M huge/api/v1.json
gen 6 --spec-dir huge
has "$work/err" "huge/api/v1.json: larger than 64 MB"
rm -r huge
no_output
rm -rf .husako
: >.husako # where the directory should be
gen 1 --spec-dir "$own_schemas"
has "$work/err" "error: preparing the project: .husako: "

# ---- a directory that cannot be written: the modules are there, tsconfig.json is in the way ----
project unwritable
mkdir -p tsconfig.json
gen 1 --spec-dir "$own_schemas"
has "$work/err" "error: writing generated files: tsconfig.json: "
rmdir tsconfig.json
no_output
if [ "$(id -u)" != 0 ]; then
    mkdir -p .husako/types
    chmod 555 .husako/types
    gen 1 --spec-dir "$own_schemas"
    has "$work/err" "check its permissions"
    chmod 755 .husako/types
fi

# ---- a full disk: files of at most 8 blocks of 512 bytes stand in for it ----
project full
gen 0 --spec-dir "$own_schemas"
before=$(fingerprint)
mkdir -p changed/api
sed 's/Settings as text/Settings as plain text/' "$own_schemas/api/v1.json" >changed/api/v1.json
(ulimit -f 8 && exec timeout 60 "$husako" gen --spec-dir changed) >"$work/out" 2>"$work/err"
check "exit 1" test $? = 1
has "$work/err" "error: writing generated files: .husako/types/k8s/"
has "$work/err" "the old files are as they were"
check "old files are as they were" test "$before" = "$(fingerprint)"
no_temporary
if [ "$(id -u)" = 0 ] && mkdir "$work/disk" && mount -t tmpfs -o size=64k none "$work/disk" 2>/dev/null; then
    cd "$work/disk" || exit 1
    gen 1 --spec-dir "$schemas"
    has "$work/err" "free some space"
    no_output
    mount -o remount,ro "$work/disk"
    gen 1 --spec-dir "$own_schemas"
    has "$work/err" "error: preparing the project: .husako: read-only file system; run in another directory"
    cd "$work" && umount "$work/disk"
else
    echo "note: no tmpfs can be mounted here; the limit on file sizes was tested alone"
fi

[ -x "$server" ] || { finish; exit; }

# ---- servers ----
fails() { # FAULT EXPECTED-TEXT
    start_server --delay-ms 5 --fail "$1"
    project server
    gen 6 --api-server "$url"
    has "$work/err" "$2"
    has "$work/err" "error: fetching "
    has "$work/err" "$url/openapi/v3"
    no_output
}
fails 500:index "the server answered with status 500"
fails 404:index "the server answered with status 404"
fails badjson:index "not valid JSON"
fails html:index "the server sent text/html instead of JSON"
fails reset:index "; "
fails 500:apis/apps/v1 "status 500"
fails truncate:apis/apps/v1 "the answer was cut off"
fails badjson:apis/apps/v1 "not valid JSON at line"
fails html:apis/apps/v1 "text/html"
fails huge:apis/apps/v1 "larger than 64 MB"
fails 500:api/v1 "status 500"

# The others were cached meanwhile: without the fault only the missing one is fetched.
check "the good ones are kept" test "$(find .husako/cache -path '*specs*' -type f | wc -l)" = $((documents - 1))
port=${url##*:}
stop_server
start_server --delay-ms 5 --listen "127.0.0.1:$port"
gen 0 --api-server "$url"
start_server --delay-ms 5 --fail 429once:apis/batch/v1
project retried
gen 0 --api-server "$url"

# With a cached copy of an older state a broken document is a warning.
before=$(fingerprint)
port=${url##*:}
stop_server
cache=$(echo .husako/cache/127.0.0.1_*)
sed -i 's|\("apis/apps/v1": "\)|\1old|' "$cache/hashes.json"
rm -rf .husako/types
start_server --delay-ms 5 --listen "127.0.0.1:$port" --fail 500:apis/apps/v1
gen 0 --api-server "$url"
has "$work/err" "warning: fetching $url/openapi/v3/apis/apps/v1"
check "same files from the cache" test "$before" = "$(fingerprint)"
stop_server

project unreachable
gen 6 --api-server http://127.0.0.1:1
has "$work/err" "check that the server is running"
gen 6 --api-server http://husako.invalid
has "$work/err" "check the host name"
no_output

# ---- Ctrl-C: at once, the old files stay; what was running is gone with the process ----
interrupt() { # COUNT PATTERN ARGS...: once COUNT files match PATTERN
    count=$1 pattern=$2
    shift 2
    # Python, because a background job of a script ignores SIGINT.
    python3 - "$count" "$pattern" "$husako" gen "$@" >"$work/out" 2>"$work/err" <<'EOF'
import glob, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen(sys.argv[3:], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
while len(glob.glob(sys.argv[2])) < int(sys.argv[1]) and child.poll() is None:
    time.sleep(0.01)
start = time.time()
child.send_signal(signal.SIGINT)
code = child.wait(timeout=30)
print("took %.3f" % (time.time() - start), file=sys.stderr)
sys.exit(code if code >= 0 else 128 - code)
EOF
    code=$?
    check "exit 130, not $code" test $code = 130
    has "$work/err" "interrupted; the generated files are as they were"
    took=$(sed -n 's/^took //p' "$work/err")
    check "at once: $took s" awk "BEGIN { exit !($took < 5) }"
    no_temporary
    check "old files are as they were" test "$before" = "$(fingerprint)"
}
project interrupted
gen 0 --spec-dir "$own_schemas"
before=$(fingerprint)
rm .husako/.lock
start_server --delay-ms 10000
interrupt 1 .husako/.lock --api-server "$url"
start_server --delay-ms 0 --fail hang:apis/apps/v1
interrupt $((documents - 1)) '.husako/cache/127*/specs/*.json' --api-server "$url"
echo 'resources.k = { source = "release", version = "1.33" }' >husako.toml
HUSAKO_GITHUB_API_URL=$url
export HUSAKO_GITHUB_API_URL
interrupt $((documents - 1)) '.husako/cache/release/.v1.33.0.new/*.json'
check "no half release in the cache (FIX-10)" test ! -e .husako/cache/release/v1.33.0

# ---- killed at any moment: the next run repairs everything, and leaves no trace of the killed one ----
unset HUSAKO_GITHUB_API_URL
project whole
start_server --delay-ms 1
gen 0 --api-server "$url"
before=$(fingerprint)
project killed
for after in 0.01 0.02 0.03 0.04 0.05 0.06 0.08 0.1 0.12 0.15 0.2 0.3; do
    timeout -s KILL $after "$husako" gen --no-incremental --api-server "$url" >/dev/null 2>&1
    [ $((checks % 3)) = 0 ] && rm -rf .husako/cache
    ok
done
gen 0 --api-server "$url"
check "the same files" test "$before" = "$(fingerprint)"
rm -rf .husako/types
gen 0 --api-server "$url"
check "the same files from the cache" test "$before" = "$(fingerprint)"
no_temporary
finish
