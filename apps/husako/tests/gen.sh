# SPDX-License-Identifier: MIT
# ctest: timeout=300
# husako gen against a server: what it writes, what it fetches again, what it keeps.
. "$SOURCE_DIR/apps/husako/tests/support/gen.sh"
[ -x "$server" ] || skip "no slow-apiserver in $BUILD_DIR/bin"

# ---- a first run, and a second that has nothing to do ----
start_server --delay-ms 20
project first
gen 0 --api-server "$url"
check "stdout is empty" test ! -s "$work/out"
check "stderr is empty" test ! -s "$work/err"
for file in husako.d.ts husako/_base.d.ts husako/test.d.ts k8s/_common.d.ts k8s/apps/v1.d.ts \
    k8s/apps/v1.js k8s/core/v1.d.ts k8s/networking/v1.d.ts k8s/networking.k8s.io/v1.d.ts \
    k8s/networking.k8s.io/v1.js k8s/_schema.json; do
    check "generated" test -s ".husako/types/$file"
done
cache=$(echo .husako/cache/127.0.0.1_*)
check "cached" test -s "$cache/specs/apis__apps__v1.json"
check "all are cached" test "$(find "$cache/specs" -type f | wc -l)" = "$documents"
no_temporary
before=$(fingerprint)
gen 0 --api-server "$url/" # a slash more is the same server's cache
gen 0 --api-server "$url"
gen 0 --api-server "$url"
has "$work/out" "✔ Already up to date."
check "unchanged" test "$before" = "$(fingerprint)"

# ---- no server at all: the cache ----
project offline
cp -a ../first/. .
stop_server
gen 0 --api-server "$url"
has "$work/err" "warning: fetching $url/openapi/v3:"
has "$work/err" "the copy in the cache is used"
has "$work/out" "Already up to date"
rm -rf .husako/types
gen 0 --api-server "$url"
check "the same from the cache" test "$before" = "$(fingerprint)"

# ---- the same input twice gives the same bytes, whatever the order of arrival ----
start_server --delay-ms 0
project again
gen 0 --api-server "$url" --jobs 3
check "same bytes" test "$before" = "$(fingerprint)"
project local
gen 0 --spec-dir "$schemas"
check "same bytes from a directory" test "$before" = "$(fingerprint)"
gen 0 --spec-dir "$schemas"
has "$work/out" "Already up to date"
gen 0 --spec-dir "$schemas" --no-incremental
check "not said when generated again" test ! -s "$work/out"
project cache-as-directory
gen 0 --spec-dir "$work/first/$cache"
check "same bytes from a cache" test "$before" = "$(fingerprint)"

# ---- a damaged cache is repaired, a changed document alone is fetched ----
cd "$work/again" || exit 1
cache=$(echo .husako/cache/127.0.0.1_*)
: >"$cache/specs/apis__apps__v1.json"
rm -rf .husako/types/k8s
gen 0 --api-server "$url"
check "repaired" test "$before" = "$(fingerprint)"
check "cached again" test -s "$cache/specs/apis__apps__v1.json"

# ---- an explicit source runs although the lock file is content (FIX-12); stale modules go (FIX-28) ----
project explicit
gen 0 --spec-dir "$schemas"
mkdir -p one/apis/batch
cp "$own_schemas/apis/batch/v1.json" one/apis/batch/v1.json
gen 0 --spec-dir one
check "generated from the other directory" test -e .husako/types/k8s/batch/v1.d.ts
check "stale modules are gone" test ! -e .husako/types/k8s/networking
gen 0
has "$work/out" "Already up to date"
check "kept" test -e .husako/types/k8s/batch/v1.d.ts
gen 0 --skip-k8s --spec-dir "$schemas"
check "--skip-k8s wins" test ! -e .husako/types/k8s/networking

# ---- a project with husako.toml: release from a listing, CRDs from a file ----
project config
cat >husako.toml <<'EOF'
[resources]
kubernetes = { source = "release", version = "1.33" }
widgets = { source = "file", path = "crds" }
EOF
mkdir crds
cat >crds/widget.yaml <<'EOF'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.acme.dev }
spec:
  group: acme.dev
  names: { kind: Widget, plural: widgets }
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: { type: object, properties: { size: { type: integer } } }
EOF
HUSAKO_GITHUB_API_URL=$url
export HUSAKO_GITHUB_API_URL
gen 0
check "release" test -e .husako/types/k8s/apps/v1.d.ts
check "CRD" grep -q 'size(value: number)' .husako/types/k8s/acme.dev/v1.d.ts
check "manifest" test -e .husako/cache/release/v1.33.0/_manifest.json
has husako.lock '[resources.kubernetes]'
has husako.lock 'version = "1.33"'
has husako.lock 'content_hash = '
cp husako.toml saved.toml
sed -i 's/"1.33"/"1.99"/' husako.toml
gen 6
has "$work/err" "there is no release v1.99.0 of Kubernetes; the newest is 1.33"
mv saved.toml husako.toml
stop_server
gen 0
has "$work/out" "Already up to date"
rm husako.lock
gen 0 # from the cache, without the server
lock=$(cat husako.lock)
sed -i 's/size/weight/' crds/widget.yaml
gen 0
check "a changed file is seen" grep -q 'weight(value: number)' .husako/types/k8s/acme.dev/v1.d.ts
check "and locked" test "$lock" != "$(cat husako.lock)"
rm husako.toml
gen 0
check "types of resources that are gone are pruned" test ! -e .husako/types/k8s

# ---- a server that wants a token ----
project token
cat >server.py <<'EOF'
import http.server, os, sys
DIR = sys.argv[1]
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_GET(self):
        good = self.headers.get("Authorization") == "Bearer s3cret"
        path = self.path.split("?")[0]
        body = b'{"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1"}}}'
        if path.endswith("/api/v1"):
            body = open(os.path.join(DIR, "api/v1.json"), "rb").read()
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[2] + ".new", "w") as f: f.write(str(server.server_port))
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
EOF
rm -f "$work/port"
timeout 60 python3 server.py "$own_schemas" "$work/port" &
server_pid=$!
until [ -s "$work/port" ] || ! kill -0 $server_pid 2>/dev/null; do sleep 0.05; done
url=http://127.0.0.1:$(cat "$work/port")
printf 's3cret\n' >token
gen 6 --api-server "$url"
has "$work/err" "give credentials with --token-file"
gen 0 --api-server "$url" --token-file token
check "generated" test -e .husako/types/k8s/core/v1.d.ts
gen 0 --api-server "$url" --token-file token # no hashes in the index: fetched again, the same
has "$work/out" "Already up to date"
gen 2 --api-server "$url" --token-file missing
has "$work/err" "error: reading the token: missing: "
stop_server

# ---- what is in tsconfig.json stays ----
project tsconfig
printf '{\n  // mine\n  "compilerOptions": { "target": "es2022" }\n}\n' >tsconfig.json
gen 0 --spec-dir "$own_schemas"
has tsconfig.json "// mine"
has tsconfig.json '"k8s/*"'
gen 0 --spec-dir "$own_schemas"
has "$work/out" "Already up to date"

# ---- a second run in the same project waits for the first ----
start_server --delay-ms 300
project together
timeout 60 "$husako" gen --api-server "$url" >"$work/out1" 2>"$work/err1" &
first=$!
gen 0 --api-server "$url"
wait $first || failed "the other run failed: $(cat "$work/err1")"
check "one of them did it" grep -q "Already up to date" "$work/out" "$work/out1"
no_temporary
finish
