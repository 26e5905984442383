/* SPDX-License-Identifier: MIT */
/* Channels (sync/chan.c, chan_store.c): sending, receiving, closing, cancelling and letting go at the
 * same time; channels.h says how to read the programs and what must hold. */
#include "channels.h"

static const size_t rooms[] = { 0, 1 };

static void in_each_room(setup s, model_memory least, model_memory most, unsigned preemptions)
{
    for (unsigned i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        s.capacity = rooms[i];
        for (model_memory m = least; m <= most; m++)
            sound(s, m, preemptions);
    }
}

TEST_TIMEOUT(one_to_one, 100)
{
    must_run_here();
    in_each_room((setup){ .programs = { "r0", "s0" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
    in_each_room((setup){ .programs = { "r0r0", "s0s0" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
    in_each_room((setup){ .programs = { "r0", "s0" }, .foreign = true }, MODEL_SC, MODEL_WEAK,
                 MODEL_UNBOUNDED);
    sound((setup){ .capacity = EDO_UNBOUNDED, .programs = { "r0r0", "s0s0" } }, MODEL_WEAK,
          MODEL_UNBOUNDED);
}

/* Slots held for values to come: in line with senders, and kept through a close. */
TEST_TIMEOUT(permits, 100)
{
    must_run_here();
    for (model_memory m = MODEL_SC; m <= MODEL_WEAK; m++) {
        sound((setup){ .capacity = 1, .programs = { "r0", "p0" } }, m, MODEL_UNBOUNDED);
        sound((setup){ .capacity = 1, .programs = { "p0", "q0" } }, m, MODEL_UNBOUNDED);
        sound((setup){ .capacity = 1, .programs = { "r0r0", "p0s0" } }, m, test_scale(2));
    }
    sound((setup){ .capacity = 1, .programs = { "r0r0", "p0", "s0" } }, MODEL_SC, test_scale(2));
    sound((setup){ .capacity = 1, .programs = { "r0", "q0", "s0" } }, MODEL_SC, test_scale(3));
    sound((setup){ .capacity = 1, .programs = { "r0", "p0", "c0" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .capacity = 1, .programs = { "r0", "q0", "c0" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .capacity = 1, .programs = { "p0", "q0", "x" } }, MODEL_SC, test_scale(3));
    sound((setup){ .capacity = 1, .programs = { "p0", "s0Q0", "r0", "x" } }, MODEL_SC, 1);
}

/* Slots in twos: who waits for two holds up who waits for one. */
TEST_TIMEOUT(permits_of_two, 100)
{
    must_run_here();
    sound((setup){ .capacity = 2, .programs = { "r0r0", "P0" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .capacity = 2, .programs = { "r0r0", "P0" } }, MODEL_WEAK, test_scale(2));
    sound((setup){ .capacity = 2, .programs = { "r0r0", "s0O0" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .capacity = 2, .programs = { "r0r0", "P0s0" } }, MODEL_WEAK, test_scale(2));
    sound((setup){ .capacity = 2, .programs = { "O0", "s0O0", "r0r0" } }, MODEL_SC, 1);
    sound((setup){ .capacity = 2, .programs = { "r0", "s0P0", "c0" } }, MODEL_SC, test_scale(2));
    sound((setup){ .capacity = 2, .programs = { "P0", "O0q0", "x", "r0r0" } }, MODEL_SC, 1);
}

/* In each of these all that is sent at once can be received: a call that has sent one value and waits
 * for ever with the other would not have said so. */
TEST_TIMEOUT(several_in_one_call, 100)
{
    must_run_here();
    in_each_room((setup){ .programs = { "m0", "s0" } }, MODEL_SC, MODEL_WEAK, test_scale(2));
    in_each_room((setup){ .programs = { "r0r0", "n0" } }, MODEL_SC, MODEL_WEAK, test_scale(2));
    in_each_room((setup){ .programs = { "m0c0", "n0" } }, MODEL_SC, MODEL_WEAK, test_scale(2));
    in_each_room((setup){ .programs = { "m0m0", "n0", "M0" } }, MODEL_SC, MODEL_SC, 1);
    in_each_room((setup){ .programs = { "n0", "r0r0r0r0", "N0" } }, MODEL_SC, MODEL_SC, 1);
    in_each_room((setup){ .programs = { "m0", "n0", "c0" } }, MODEL_SC, MODEL_SC, test_scale(2));
    in_each_room((setup){ .programs = { "m0", "n0", "xc0" } }, MODEL_SC, MODEL_SC, test_scale(2));
    in_each_room((setup){ .programs = { "n0", "m0", "x" } }, MODEL_SC, MODEL_SC, test_scale(2));
    sound((setup){ .capacity = EDO_UNBOUNDED, .programs = { "m0", "n0" } }, MODEL_WEAK,
          MODEL_UNBOUNDED);
}

TEST_TIMEOUT(closing, 100)
{
    must_run_here();
    in_each_room((setup){ .programs = { "r0", "s0", "c0" } }, MODEL_SC, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "r0", "r0", "c0" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .programs = { "r0", "r0", "c0" } }, MODEL_WEAK, 3);
    in_each_room((setup){ .programs = { "s0", "s0", "c0" } }, MODEL_SC, MODEL_SC, MODEL_UNBOUNDED);
    in_each_room((setup){ .programs = { "r0r0", "s0c0" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
}

TEST_TIMEOUT(first_come_first_served, 200)
{
    must_run_here();
    in_each_room((setup){ .programs = { "r0", "r0", "s0s0" } }, MODEL_SC, MODEL_SC, test_scale(2));
    in_each_room((setup){ .programs = { "s0", "s0", "r0r0" } }, MODEL_SC, MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(cancelling, 200)
{
    must_run_here();
    in_each_room((setup){ .programs = { "r0", "s0", "x" } }, MODEL_SC, MODEL_SC, test_scale(3));
    in_each_room((setup){ .programs = { "s0", "r0", "x" } }, MODEL_SC, MODEL_SC, test_scale(3));
    in_each_room((setup){ .programs = { "r0", "x" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
}

TEST_TIMEOUT(letting_go, 100)
{
    must_run_here();
    in_each_room((setup){ .programs = { "r0u0", "s0u0" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
    in_each_room((setup){ .programs = { "r0u0", "c0u0" } }, MODEL_SC, MODEL_WEAK, MODEL_UNBOUNDED);
    sound((setup){ .capacity = 1, .programs = { "r0u0", "S0u0", "c0u0" } }, MODEL_SC,
          test_scale(2));
}

TEST_TIMEOUT(thoroughly, 3600)
{
    must_be_thorough();
    in_each_room((setup){ .programs = { "r0", "r0", "c0" } }, MODEL_SC, MODEL_WEAK,
                 MODEL_UNBOUNDED);
    in_each_room((setup){ .programs = { "r0r0r0", "s0s0c0" } }, MODEL_SC, MODEL_WEAK,
                 MODEL_UNBOUNDED);
    in_each_room((setup){ .programs = { "r0", "s0", "x" } }, MODEL_SC, MODEL_WEAK, 4);
    in_each_room((setup){ .programs = { "r0", "r0", "s0s0" } }, MODEL_SC, MODEL_SC, 5);
    in_each_room((setup){ .programs = { "s0", "s0", "r0r0" } }, MODEL_SC, MODEL_SC, 5);
    in_each_room((setup){ .programs = { "r0u0", "s0u0", "c0u0" } }, MODEL_SC, MODEL_WEAK, 3);
    in_each_room((setup){ .programs = { "r0", "s0", "c0", "x" } }, MODEL_SC, MODEL_SC, 2);
}

TEST_TIMEOUT(finds_what_is_wrong, 200)
{
    static const model_mutant as_is = { .change = MODEL_AS_IS };
    must_run_here();
    setup permit = { .capacity = 1, .programs = { "r0r0", "p0p0" } };
    broken(permit, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(permit, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(permit, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
    setup two = { .capacity = 2, .programs = { "r0r0", "P0P0" } };
    broken(two, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(two, MODEL_SC, MUTANT(LEFT_OUT, CAS, "edo__wait_parked"));
    setup many = { .programs = { "m0", "n0", "x" } };
    broken(many, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken((setup){ .programs = { "r0r0", "n0" } }, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    setup pair = { .programs = { "r0", "s0" } };
    setup close = { .programs = { "r0", "r0", "c0" } };
    setup cancel = { .programs = { "r0", "s0", "x" } };
    setup leave = { .capacity = 1, .programs = { "r0u0", "s0u0" } };
    broken(pair, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken(pair, MODEL_SC, MUTANT(LEFT_OUT, STORE, "edo__spin_unlock"));
    broken(pair, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(close, MODEL_SC, MUTANT(TORN, CAS, "edo__wait_parked"));
    broken(cancel, MODEL_SC, MUTANT(TORN, CAS, "claim"));
    broken(cancel, MODEL_SC, MUTANT(LEFT_OUT, CAS, "claim"));
    broken(leave, MODEL_SC, MUTANT(TORN, SUB, "edo_chan_unref"));
    broken(leave, MODEL_SC, MUTANT(LEFT_OUT, SUB, "edo_chan_unref"));
    push_in_front = true; /* last come, first served */
    broken((setup){ .programs = { "r0", "r0", "s0s0" } }, MODEL_SC, as_is);
    broken((setup){ .programs = { "s0", "s0", "r0r0" } }, MODEL_SC, as_is);
}

TEST_MAIN()
