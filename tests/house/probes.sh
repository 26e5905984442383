#!/bin/sh
# SPDX-License-Identifier: MIT
# The probes of a built program are those of docs/operating/probes.md, with as many arguments; the numbers
# of waits are those of the library; and in gdb they come in the order of what happens, with the right values.
set -eu
skip() {
    echo "skip: $1"
    exit 77
}
fail() {
    echo "not ok: $1"
    exit 1
}
doc=$SOURCE_DIR/docs/operating/probes.md
command -v readelf >/dev/null 2>&1 || skip "no readelf"
grep -q '^EDO_PROBES:BOOL=ON' "$BUILD_DIR/CMakeCache.txt" || skip "built without probes"
grep -q '^EDO_HAVE_sdt:INTERNAL=1' "$BUILD_DIR/CMakeCache.txt" || skip "no sys/sdt.h"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- names and arguments ----

program=$BUILD_DIR/lib/libedo.so
[ -e "$program" ] || program=$BUILD_DIR/tests/rt/chan
[ -e "$program" ] || skip "no tests/rt/chan"
readelf -n "$program" | awk '
    $1 == "Provider:" { edo = $2 == "edo" }
    $1 == "Name:" { name = $2 }
    $1 == "Arguments:" && edo {
        print name, NF - 1
        kind = ""
        for (i = 2; i <= NF; i++) {
            if ($i ~ /@\$/)
                kind = kind " constant" # perf would leave it out
            sub(/@.*/, "", $i)
            kind = kind " " $i
        }
        print name kind >KINDS
    }' KINDS="$work/places" | sort -u >"$work/built"
sed -n 's/^| `\([a-z_]*\)` | \([^|]*\) |.*/\1 \2/p' "$doc" | awk '{ print $1, NF - 1 }' |
    sort >"$work/told"
[ -s "$work/told" ] || fail "no table in $doc"
diff -u "$work/told" "$work/built" || fail "left: $doc; right: $program"
! grep constant "$work/places" || fail "an argument that is a constant"
sort -u "$work/places" | cut -d' ' -f1 | uniq -d >"$work/differ"
[ ! -s "$work/differ" ] || fail "places of one probe that differ: $(sort -u "$work/places" | grep -wf "$work/differ")"
passed=1
echo "ok $(wc -l <"$work/told") probes, as told"

# ---- the kinds of waits ----

sed -n 's/^ *\[EDO__WHY_[A-Z_]*\] = "\(.*\)",$/\1/p' "$SOURCE_DIR/src/core/describe.c" |
    awk 'NR > 1 { print NR - 1, $0 }' >"$work/kinds"
sed -n '/^ *EDO__WHY_NONE,/,/^ *EDO__WHYS,/s/^ *EDO__WHY_\([A-Z_]*\),.*/\1/p' \
    "$SOURCE_DIR/src/core/task.h" >"$work/order"
sed -n 's/^ *\[EDO__WHY_\([A-Z_]*\)\] = .*/\1/p' "$SOURCE_DIR/src/core/describe.c" |
    diff "$work/order" - >/dev/null || fail "core/describe.c names waits in another order than core/task.h"
awk '/^Kinds of waits:/, /^$/' "$doc" | tr '\n' ' ' | sed 's/^Kinds of waits: //; s/\. *$//; s/, /\n/g' |
    sed 's/  *$//' >"$work/kinds_told"
echo >>"$work/kinds_told"
diff -u "$work/kinds_told" "$work/kinds" || fail "kinds of waits: left: $doc; right: core/describe.c"
passed=$((passed + 1))
echo "ok kinds of waits, as told"

# ---- in gdb ----

finish() {
    echo "$passed passed, 0 failed, $1 skipped"
    exit 0
}
command -v gdb >/dev/null 2>&1 || { echo "skip: no gdb"; finish 1; }
sanitize=$(sed -n 's/^EDO_SANITIZE:STRING=//p' "$BUILD_DIR/CMakeCache.txt")
[ -z "$sanitize" ] || { echo "skip: sanitizers and gdb do not go together"; finish 1; }
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$BUILD_DIR/CMakeCache.txt")
cat >"$work/life.c" <<'END'
#include <edo/edo.h>
#include <errno.h>
edo_mutex the_lock = EDO_MUTEX_INIT;
int job(void *arg) { (void)arg; return 9; }
int child(void *arg)
{
    (void)arg;
    int rc = edo_mutex_lock(&the_lock);
    if (rc == 0)
        edo_mutex_unlock(&the_lock);
    return rc == 0 ? edo_blocking(job, NULL) : rc;
}
int sleeper(void *arg) { (void)arg; return edo_sleep(EDO_FOREVER); }
int top(void *arg)
{
    edo_group g;
    int rc = edo_mutex_lock(&the_lock) | edo_group_open(&g, NULL);
    rc |= edo_spawn_with(&g, &(edo_task_options){ .name = "worm" }, NULL, child, arg);
    rc |= edo_spawn(&g, sleeper, arg);
    rc |= edo_yield();
    edo_mutex_unlock(&the_lock);
    edo_result r;
    rc |= edo_group_next(&g, &r) != 1 || r.code != 9;
    edo_group_cancel(&g);
    return edo_group_close(&g) == -ECANCELED ? rc : -1;
}
int main(void) { return edo_run(&(edo_config){ .workers = 1, .stuck_after = EDO_FOREVER }, top, NULL); }
END
libs=$(sed -n 's/^Libs: .*-ledo//p' "$BUILD_DIR/edo.pc") # what libedo needs itself
"$cc" -O0 -g -I"$SOURCE_DIR/include" "$work/life.c" "$BUILD_DIR"/lib/libedo.* $libs \
    -Wl,-rpath,"$BUILD_DIR/lib" -o "$work/life"

# at PROBE FORMAT ARGUMENTS...: says so at each of its places, and goes on
at() {
    probe=$1 format=$2
    shift 2
    printf 'break -probe-stap edo:%s\ncommands\nsilent\nprintf "= %s %s\\n"' "$probe" "$probe" "$format"
    printf ', %s' "$@"
    printf '\ncontinue\nend\n'
}
{
    # ids are those of slots and may be reused: only the low half is told
    id='(int)$_probe_arg0'
    printf 'set confirm off\nset pagination off\nset breakpoint pending on\n'
    printf 'unset environment EDO_STUCK_AFTER_MS\nset environment EDO_METRICS=off\n'
    printf 'break main\nrun\n'
    at runtime_start '%s %d' '(char *)$_probe_arg0' '$_probe_arg1'
    at task_name '%d %s' "$id" '(char *)$_probe_arg1'
    at task_spawn '%d by %d %d' "$id" '(int)$_probe_arg1' \
        '(unsigned long)$_probe_arg2 == (unsigned long)child'
    at task_start '%d on %d %d' "$id" '$_probe_arg1' '(unsigned long)$_probe_arg2 == (unsigned long)sleeper'
    at task_run '%d' "$id"
    at task_yield '%d' "$id"
    at task_suspend '%d for %d %d' "$id" '(int)$_probe_arg1' \
        '(unsigned long)$_probe_arg2 == (unsigned long)&the_lock'
    at task_cancel '%d %d %d' "$id" '(int)$_probe_arg1' '$_probe_arg2 != 0'
    at task_end '%d %d' "$id" '(int)$_probe_arg2'
    at blocking_submit 'class %d' '(int)$_probe_arg1'
    at blocking_end 'class %d' '(int)$_probe_arg1'
    at runtime_stop '%s' '(char *)$_probe_arg0'
    printf 'continue\n'
} >"$work/commands"
gdb -nx -batch -iex 'set debuginfod enabled off' -x "$work/commands" "$work/life" \
    >"$work/said" 2>"$work/errors" </dev/null || true
if ! grep -q '^Breakpoint 1, main' "$work/said"; then
    grep -qi ptrace "$work/errors" && { echo "skip: no ptrace here"; finish 1; }
fi
grep '^= ' "$work/said" >"$work/seen" || true
grep -q 'exited normally' "$work/said" || {
    cat "$work/said" "$work/errors"
    fail "the program did not end well"
}
cat >"$work/expected" <<'END'
= runtime_start edo 1
= task_name 1 main
= task_spawn 1 by 0 0
= task_start 1 on 0 0
= task_run 1
= task_name 2 worm
= task_spawn 2 by 1 1
= task_spawn 3 by 1 0
= task_yield 1
= task_start 3 on 0 1
= task_run 3
= task_suspend 3 for 1 0
= task_start 2 on 0 0
= task_run 2
= task_suspend 2 for 2 1
= task_run 1
= task_suspend 1 for 27 0
= task_run 2
= blocking_submit class 0
= task_suspend 2 for 25 0
= blocking_end class 0
= task_run 2
= task_end 2 9
= task_run 1
= task_cancel 1 1 0
= task_cancel 3 4 1
= task_suspend 1 for 26 0
= task_run 3
= task_end 3 -125
= task_cancel 1 2 0
= task_cancel 3 4 0
= task_run 1
= task_cancel 0 1 0
= task_cancel 1 4 0
= task_end 1 0
= runtime_stop edo
END
# The job may end before its task has suspended, or after: then the task runs once more.
order() {
    awk '/task_suspend 2 for 25|blocking_end/ { next } /blocking_submit/ { print; job = 1; next }
         job && /task_run 2/ { job = 0; next } { print }' "$1"
}
order "$work/expected" >"$work/expected1"
order "$work/seen" >"$work/seen1"
diff -u "$work/expected1" "$work/seen1" || {
    cat "$work/errors"
    fail "left: what was expected of the program; right: what gdb has seen"
}
grep -q '^= blocking_end class 0' "$work/seen" || fail "no end of the job"
passed=$((passed + 1))
echo "ok gdb sees what happens"
finish 0
