# SPDX-License-Identifier: MIT
# Part of bench/run (sourced): whole programs against the slow server, which answers each request 100 ms
# late. `husako gen` does the fetches and all of the generating; Tokio and Go do the fetches alone.

# schema_dir: the real Kubernetes documents when they are at hand, else a small set
schema_dir() {
    for dir in "${EDO_BENCH_SCHEMAS:-}" "$top/../shared/data/kubernetes-openapi/v1.33" \
        "$top/examples/schemas"; do
        [ -z "$dir" ] || [ ! -d "$dir" ] || { echo "$dir"; return; }
    done
}

start_server() {
    rm -f "$out/port"
    "$build/bin/slow-apiserver" --listen 127.0.0.1:0 --delay-ms 100 --port-file "$out/port" "$@" \
        >"$out/server.log" 2>&1 &
    server=$!
    tries=0
    while [ ! -s "$out/port" ] && [ $tries -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    [ -s "$out/port" ] || { say "the slow server did not start"; kill $server; return 1; }
    url=http://127.0.0.1:$(cat "$out/port")
}

# whole RUNTIME NAME COMMAND...: one measured run in an empty directory
whole() {
    runtime=$1 name=$2
    shift 2
    [ -x "$1" ] || return 0
    rm -rf "$out/project"
    mkdir "$out/project"
    if line=$(cd "$out/project" && "$build/bin/bench-measure" "$@" 2>"$out/program.log"); then
        printf '%s %s 2 %s\n' "$runtime" "$name" "$line" >>"$raw"
    else
        say "$runtime $name failed: $(tail -n 1 "$out/program.log")"
        printf '%s %s 2 failed\n' "$runtime" "$name" >>"$raw"
    fi
}

run_husako() {
    [ -x "$build/bin/slow-apiserver" ] || { say "no slow-apiserver in $build/bin"; return 0; }
    schemas=$(schema_dir)
    start_server --spec-dir "$schemas" || return 0
    trap 'kill $server 2>/dev/null' EXIT
    say "husako_gen and fetch, $rounds rounds"
    round=0
    while [ $round -lt "$rounds" ]; do
        ! wanted husako_gen || whole edo husako_gen "$build/bin/husako" gen --api-server "$url"
        round=$((round + 1))
        wanted fetch || continue
        whole edo fetch "$build/bin/bench-fetch" "$url" --workers 2 --limit 64
        whole tokio fetch "$out/tokio/release/tokio-fetch" "$url" --workers 2 --limit 64
        whole go fetch "$out/go-fetch" -workers 2 -limit 64 "$url"
    done
    kill $server
    trap - EXIT
    wait $server 2>/dev/null || true
}
