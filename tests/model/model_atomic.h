/* SPDX-License-Identifier: MIT */
/* base/atomic.h under the model checker: every operation is a call into checker.h, which decides when
 * it takes effect. Included by base/atomic.h when EDO_MODEL is defined; by nothing that is shipped. */
#ifndef EDO_TESTS_MODEL_ATOMIC_H
#define EDO_TESTS_MODEL_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum model_kind {
    MODEL_LOAD,
    MODEL_STORE,
    MODEL_XCHG,
    MODEL_CAS,
    MODEL_ADD,
    MODEL_SUB,
    MODEL_OR,
    MODEL_AND,
    MODEL_FENCE,
    MODEL_TAKE,  /* waits until the word is not 0, and makes it 0 */
    MODEL_REACH, /* waits until the word is at least so much */
    MODEL_POINT  /* does nothing: others may go first */
} model_kind;

/* An operation on size bytes at p. Returns what was there before. where: the function it stands in. */
uint64_t model_op(model_kind kind, const volatile void *p, size_t size, uint64_t value, int order,
                  const char *where);
bool model_cas(const volatile void *p, size_t size, void *expected, uint64_t value, int order,
               const char *where);
__attribute__((noreturn, cold)) void model_assert_failed(const char *what, const char *where);

/* A failed assertion is a counterexample, not the end of the program. */
#define edo__assert_failed model_assert_failed

/* The type of *p without its qualifiers. */
#define MODEL__TYPE(p) __typeof__(__atomic_load_n((p), __ATOMIC_RELAXED))
#define MODEL__OP(kind, p, v, order)                                                               \
    __extension__({                                                                                \
        (MODEL__TYPE(p))(uintptr_t)                                                                \
            model_op((kind), (p), sizeof *(p), (uintptr_t)(v), (order), __func__);                 \
    })

#define edo__aload(p, order) MODEL__OP(MODEL_LOAD, p, 0, order)
#define edo__astore(p, v, order) ((void)MODEL__OP(MODEL_STORE, p, v, order))
#define edo__axchg(p, v, order) MODEL__OP(MODEL_XCHG, p, v, order)
#define edo__acas(p, expected, v, ok, fail)                                                        \
    model_cas((p), sizeof *(p), (expected), (uintptr_t)(v), ((void)(fail), (ok)), __func__)
#define edo__aadd(p, v, order) MODEL__OP(MODEL_ADD, p, v, order)
#define edo__asub(p, v, order) MODEL__OP(MODEL_SUB, p, v, order)
#define edo__aor(p, v, order) MODEL__OP(MODEL_OR, p, v, order)
#define edo__aand(p, v, order) MODEL__OP(MODEL_AND, p, v, order)
#define edo__afence(order) ((void)model_op(MODEL_FENCE, NULL, 0, 0, (order), __func__))

#endif
