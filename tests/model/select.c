/* SPDX-License-Identifier: MIT */
/* Select (sync/select.c, chan_select.c): selects against each other over two channels, against plain
 * operations, a close and a cancel. Exactly one case happens, losers leave nothing behind, and words
 * that are HELD never block each other for ever. channels.h says how to read the programs. */
#include "channels.h"

/* Whose cases come first matters: for which channel is locked first, and who steps back. */
static void in_each_order(setup s, model_memory least, model_memory most, unsigned preemptions)
{
    for (model_memory m = least; m <= most; m++) {
        s.turned = false;
        sound(s, m, preemptions);
        s.turned = true;
        sound(s, m, preemptions);
    }
}

TEST_TIMEOUT(against_plain_operations, 100)
{
    must_run_here();
    in_each_order((setup){ .programs = { "[r0r1]", "s1" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
    in_each_order((setup){ .programs = { "[s0r1]", "r0" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
    in_each_order((setup){ .programs = { "[r0r1]", "s0", "s1" } }, MODEL_SC, MODEL_SC,
                  test_scale(2));
    in_each_order((setup){ .capacity = 1, .programs = { "[r0r1]", "s0", "s1" } }, MODEL_SC,
                  MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(against_each_other, 200)
{
    must_run_here();
    in_each_order((setup){ .programs = { "[r0]", "[s0]" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
    in_each_order((setup){ .programs = { "[r0s1]", "[s0r1]" } }, MODEL_SC, MODEL_WEAK,
                  test_scale(3));
    in_each_order((setup){ .programs = { "[r0s1]", "[r1s0]" } }, MODEL_SC, MODEL_WEAK,
                  test_scale(3));
    in_each_order((setup){ .programs = { "[r0r1]", "[s0s1]" } }, MODEL_SC, MODEL_SC, test_scale(3));
    in_each_order((setup){ .programs = { "[r0s1]", "[s0r1]", "[r0s1]" } }, MODEL_SC, MODEL_SC, 1);
}

TEST_TIMEOUT(against_a_close, 100)
{
    must_run_here();
    in_each_order((setup){ .programs = { "[r0r1]", "c0" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
    in_each_order((setup){ .programs = { "[r0s1]", "c0", "r1" } }, MODEL_SC, MODEL_SC,
                  test_scale(2));
}

TEST_TIMEOUT(against_a_cancel, 100)
{
    must_run_here();
    in_each_order((setup){ .programs = { "[r0r1]", "x" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
    in_each_order((setup){ .programs = { "[r0r1]", "s0", "x" } }, MODEL_SC, MODEL_SC,
                  test_scale(2));
    in_each_order((setup){ .programs = { "[r0s1]", "[s0r1]", "x" } }, MODEL_SC, MODEL_SC, 1);
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    in_each_order((setup){ .programs = { "[r0s1]", "[s0r1]" } }, MODEL_SC, MODEL_SC,
                  MODEL_UNBOUNDED);
    in_each_order((setup){ .programs = { "[r0r1]", "[s0s1]" } }, MODEL_SC, MODEL_WEAK, 4);
    in_each_order((setup){ .programs = { "[r0s1]", "[s0r1]", "[r0s1]" } }, MODEL_SC, MODEL_SC, 2);
    in_each_order((setup){ .programs = { "[r0s1]", "[s0r1]", "x" } }, MODEL_SC, MODEL_SC, 2);
    in_each_order((setup){ .programs = { "[r0r1]", "s0", "s1" } }, MODEL_SC, MODEL_SC, 4);
}

TEST_TIMEOUT(finds_what_is_wrong, 200)
{
    must_run_here();
    setup pair = { .programs = { "[r0s1]", "[r1s0]" } };
    setup plain = { .programs = { "[r0r1]", "s0", "s1" } };
    setup cancel = { .programs = { "[r0r1]", "s0", "x" } };
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "match"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, STORE, "match"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "claim_held"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, CAS, "claim_held"));
    broken(plain, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(plain, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
    broken(cancel, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken((setup){ .programs = { "[r0r1]", "x" } }, MODEL_SC, MUTANT(LEFT_OUT, OR, "mark_chain"));
}

TEST_MAIN()
