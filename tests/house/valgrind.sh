#!/bin/sh
# SPDX-License-Identifier: MIT
# ctest: timeout=900
# valgrind follows tasks over their stacks: no error is reported where there is none, and one that is
# there is found. Some programs of the runtime's tests, not all: it runs one thread at a time.
set -u
command -v valgrind >/dev/null || { echo "skip: no valgrind"; exit 77; }
if grep -q '^EDO_SANITIZE:STRING=.' "$BUILD_DIR/CMakeCache.txt"; then
    echo "skip: a sanitizer is in there"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

run() { # program, tests...
    program=$1
    shift
    [ -x "$BUILD_DIR/tests/$program" ] || return 0
    EDO_STUCK_AFTER_MS=60000 valgrind -q --error-exitcode=9 "$BUILD_DIR/tests/$program" "$@" \
        >"$work/out" 2>&1
    if [ $? = 0 ] && ! grep -q '^==[0-9]*== ' "$work/out"; then
        echo "ok $program"
        passed=$((passed + 1))
    else
        cat "$work/out"
        echo "not ok $program"
        failed=$((failed + 1))
    fi
}

# Not the x87 control word: valgrind does not carry it.
run unit/context values_pass_both_ways fini_of_a_context_that_never_ran memory_is_reused_after_fini \
    locals_survive_suspensions_at_any_depth a_context_migrates_between_threads \
    a_context_may_resume_another
run rt/chan
run rt/sync_mutex

cat >"$work/wrong.c" <<'END'
#include <edo/edo.h>
#include <stdlib.h>
static int task(void *arg)
{
    volatile char *p = malloc(8);
    (void)arg;
    free((void *)p);
    edo_yield();
    return p[1] == 77;
}
int main(void) { return edo_run(&(edo_config){ .workers = 1 }, task, NULL) < 0; }
END
libs=$(sed -n 's/^Libs: .*-ledo//p' "$BUILD_DIR/edo.pc") # what libedo needs itself
cc -g -I"$SOURCE_DIR/include" "$work/wrong.c" -L"$BUILD_DIR/lib" -ledo $libs -o "$work/wrong" &&
    valgrind -q --error-exitcode=9 "$work/wrong" 2>"$work/err"
if [ $? = 9 ] && grep -q 'by .*: task (wrong.c\|at .*: task (wrong.c' "$work/err"; then
    echo "ok a read after free in a task is found"
    passed=$((passed + 1))
else
    cat "$work/err"
    echo "not ok a read after free in a task was not found"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
