/* SPDX-License-Identifier: MIT */
/* Part of checker.h: the states that were entered before, a table of hashes. */
#ifndef EDO_TESTS_MODEL_CHECKER_SEEN_H
#define EDO_TESTS_MODEL_CHECKER_SEEN_H

static void model_seen_grow(void)
{
    uint64_t *old = model.seen;
    size_t size = model.seen_size;
    model.seen_size = size == 0 ? 1 << 16 : size * 2;
    model.seen = calloc(model.seen_size, sizeof *model.seen);
    if (model.seen == NULL)
        abort();
    for (size_t i = 0; i < size; i++) {
        if (old[i] == 0)
            continue;
        size_t at = (old[i] >> 8) & (model.seen_size - 1);
        while (model.seen[at] != 0)
            at = (at + 1) & (model.seen_size - 1);
        model.seen[at] = old[i];
    }
    free(old);
}

/* Whether this state was entered before with no more preemptions spent; notes it if not. */
static bool model_known(uint64_t key)
{
    if (model.seen_count * 3 >= model.seen_size * 2)
        model_seen_grow();
    uint64_t spent = model.config->preemptions == MODEL_UNBOUNDED ? 0 : model.preemptions;
    size_t at = (key >> 8) & (model.seen_size - 1);
    for (; model.seen[at] != 0; at = (at + 1) & (model.seen_size - 1)) {
        if ((model.seen[at] & ~(uint64_t)0xff) != key)
            continue;
        if ((model.seen[at] & 0xff) <= spent)
            return true;
        model.seen[at] = key | spent;
        return false;
    }
    model.seen[at] = key | spent;
    model.seen_count++;
    return false;
}

#endif
