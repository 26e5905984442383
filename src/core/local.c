/* SPDX-License-Identifier: MIT */
/* Task-local values: a small array per task, by the variable's number, made when the first one is
 * set. */
#include "core/sched.h"

#include <stdlib.h>

#define LOCALS_MAX 65536u
#define END_ROUNDS 4 /* a destructor may set values again, so often (as pthread keys do) */

struct edo__locals {
    uint32_t n;
    struct {
        edo_local *key;
        void *value;
    } slot[];
};

static uint32_t local_number(edo_local *key)
{
    static uint32_t last; /* atomic */
    uint32_t id = edo__aload(&key->edo__id, EDO__ACQ);
    if (id != 0)
        return id;
    uint32_t mine = edo__aadd(&last, 1u, EDO__RLX) + 1;
    uint32_t expected = 0;
    /* two tasks may meet here: the first number stays, the other is lost */
    if (edo__acas(&key->edo__id, &expected, mine, EDO__AR, EDO__ACQ))
        return mine;
    return expected;
}

void *edo_local_get(edo_local *key)
{
    edo__task *self = edo__self_task();
    uint32_t id = edo__aload(&key->edo__id, EDO__ACQ);
    if (self == NULL || self->locals == NULL || id == 0 || id > self->locals->n)
        return NULL;
    return self->locals->slot[id - 1].value;
}

int edo_local_set(edo_local *key, void *value)
{
    edo__task *self = edo__self_task();
    if (self == NULL)
        return -EPERM;
    uint32_t id = local_number(key);
    if (id > LOCALS_MAX)
        return -ENOMEM;
    edo__locals *l = self->locals;
    if (l == NULL || id > l->n) {
        uint32_t n = (id + 7) / 8 * 8;
        size_t size = sizeof *l + n * sizeof l->slot[0];
        edo__locals *grown = realloc(l, size);
        if (grown == NULL)
            return -ENOMEM;
        for (uint32_t i = l == NULL ? 0 : grown->n; i < n; i++) {
            grown->slot[i].key = NULL;
            grown->slot[i].value = NULL;
        }
        grown->n = n;
        self->locals = l = grown;
    }
    l->slot[id - 1].key = key;
    l->slot[id - 1].value = value;
    return 0;
}

int edo_local_with(edo_local *key, void *value, edo_fn *fn, void *arg)
{
    void *before = edo_local_get(key);
    int rc = edo_local_set(key, value);
    if (rc < 0)
        return rc;
    rc = fn(arg);
    int restored = edo_local_set(key, before);
    edo_assert(restored == 0 && "its slot is there");
    return rc;
}

void edo__locals_end(edo__task *t)
{
    bool again = true;
    for (int round = 0; again && round < END_ROUNDS; round++) {
        again = false;
        for (uint32_t i = 0; i < t->locals->n; i++) {
            edo_local *key = t->locals->slot[i].key;
            void *value = t->locals->slot[i].value;
            t->locals->slot[i].value = NULL;
            if (value != NULL && key->edo__destroy != NULL) {
                key->edo__destroy(value);
                again = true;
            }
        }
    }
    free(t->locals);
    t->locals = NULL;
}
