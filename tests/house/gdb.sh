#!/bin/sh
# SPDX-License-Identifier: MIT
# tools/gdb/edo-gdb.py on a program with parked, running and deadlocked tasks: live, then its core.
set -eu
skip() {
    echo "skip: $1"
    exit 77
}
command -v gdb >/dev/null 2>&1 || skip "no gdb"
gdb -nx -batch -ex 'python import gdb.unwinder' >/dev/null 2>&1 || skip "a gdb without Python"
sanitize=$(sed -n 's/^EDO_SANITIZE:STRING=//p' "$BUILD_DIR/CMakeCache.txt")
[ -z "$sanitize" ] || skip "sanitizers and gdb do not go together"
if grep -q '^EDO_UCONTEXT:BOOL=ON' "$BUILD_DIR/CMakeCache.txt"; then
    skip "stacks switched by ucontext are not walked"
fi
cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$BUILD_DIR/CMakeCache.txt")
trap 'rm -rf "$work"' EXIT
work=$(mktemp -d)

cat >"$work/stuck.c" <<'END'
#include <edo/edo.h>
static edo_mutex a = EDO_MUTEX_INIT, b = EDO_MUTEX_INIT;
static volatile int turns;
__attribute__((noinline)) static int both(edo_mutex *first, edo_mutex *second)
{
    int rc = edo_mutex_lock(first);
    if (rc == 0 && edo_yield() == 0)
        rc = edo_mutex_lock(second);
    turns++;
    return rc;
}
static int left(void *arg) { (void)arg; return both(&a, &b); }
static int right(void *arg) { (void)arg; return both(&b, &a); }
static int dreams(void *arg) { (void)arg; return edo_sleep(EDO_FOREVER); }
__attribute__((noinline)) void all_set(int number) { turns += number; }
static int top(void *arg)
{
    edo_group g;
    int rc = edo_group_open(&g, NULL);
    rc |= edo_spawn_with(&g, &(edo_task_options){ .name = "left" }, NULL, left, arg);
    rc |= edo_spawn_with(&g, &(edo_task_options){ .name = "right" }, NULL, right, arg);
    rc |= edo_spawn_with(&g, &(edo_task_options){ .name = "dreamer" }, NULL, dreams, arg);
    for (int i = 0; i < 100; i++)
        rc |= edo_yield();
    all_set(rc);
    edo_group_cancel(&g);
    return edo_group_close(&g);
}
int main(void) { return edo_run(&(edo_config){ .workers = 1 }, top, NULL) == -ECANCELED ? 0 : 1; }
END
sed -i '1i #include <errno.h>' "$work/stuck.c"
libs=$(sed -n 's/^Libs: .*-ledo//p' "$BUILD_DIR/edo.pc") # what libedo needs itself
"$cc" -O0 -g -I"$SOURCE_DIR/include" "$work/stuck.c" "$BUILD_DIR"/lib/libedo.* $libs \
    -Wl,-rpath,"$BUILD_DIR/lib" -o "$work/stuck"

gdb_with() { # what is debugged..., commands on stdin
    cat >"$work/commands"
    # little address space: a core of it is written faster
    (ulimit -v 1500000 && exec gdb -nx -batch -iex 'set debuginfod enabled off' -ex "source $SOURCE_DIR/tools/gdb/edo-gdb.py" \
        -x "$work/commands" "$@" 2>"$work/errors")
}

commands='echo == tasks\n
edo tasks
echo == bt left\n
edo bt left
echo == bt all\n
edo bt all
echo == workers\n
edo workers
echo == deadlocks\n
edo deadlocks
echo == undisturbed\n
backtrace 2
'
# gdb, unlike the kernel, leaves out of a core what a guard page of Linux 6.13 lies in
gdb_with "$work/stuck" >"$work/live" <<END || true
set environment EDO_STACK_GUARD mprotect
set disable-randomization on
break all_set
run
$commands
generate-core-file $work/core
delete
continue
END
grep -q 'Breakpoint 1, all_set' "$work/live" || {
    grep -qi 'ptrace' "$work/errors" && skip "no ptrace here"
    cat "$work/live" "$work/errors"
    exit 1
}

part() { sed -n "/^== $2\$/,/^== /p" "$1"; }
expect() { # file, part, pattern
    if ! part "$1" "$2" | grep -q -- "$3"; then
        echo "not ok $(basename "$1"): no \"$3\" in:"
        part "$1" "$2"
        cat "$work/errors"
        exit 1
    fi
}
check() { # file
    expect "$1" tasks '^task [0-9]* "left": waiting for mutex 0x[0-9a-f]*, child of [0-9]*, spawned at .*stuck.c:'
    expect "$1" tasks '"dreamer": waiting for sleep'
    expect "$1" tasks 'running'
    expect "$1" 'bt left' '^    #[0-9]* .*\(edo_mutex_lock\|lock_slow\) (' # the call may be a jump
    expect "$1" 'bt left' '^    #[0-9]* .* both (first='
    expect "$1" 'bt left' '^    #[0-9]* .* left (arg=0x0) at '
    if part "$1" 'bt left' | grep -q 'dreams\|all_set\|top ('; then
        echo "not ok $(basename "$1"): frames of others in:"
        part "$1" 'bt left'
        exit 1
    fi
    expect "$1" 'bt all' ' dreams (arg=0x0) at '
    expect "$1" 'bt all' ' right (arg=0x0) at '
    expect "$1" 'bt all' ' all_set (number=0) at '
    expect "$1" workers 'runtime "edo": 1 workers'
    expect "$1" workers 'worker 0: thread [1-9][0-9]*, runs task'
    expect "$1" deadlocks '^deadlock of 2 tasks:'
    expect "$1" undisturbed '^#0 .*all_set (number=0)'
    echo "ok $(basename "$1")"
}
check "$work/live"
grep -q 'exited normally' "$work/live" || { cat "$work/live"; echo "not ok: it did not go on"; exit 1; }
echo "ok goes on afterwards"
test -s "$work/core" || skip "no core file can be written here"
printf '%s' "$commands" | gdb_with "$work/stuck" "$work/core" >"$work/from-core"
check "$work/from-core"
echo "3 passed, 0 failed, 0 skipped"
