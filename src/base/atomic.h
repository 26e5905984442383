/* SPDX-License-Identifier: MIT */
/* Atomic operations on plain integers and pointers.
 *
 * Public structs hold plain members because _Atomic does not exist in C++; the library touches
 * those shared between threads only through these macros. The model checker (tests/model) compiles
 * the same sources with EDO_MODEL defined and puts a scheduling point at each of them. */
#ifndef EDO_BASE_ATOMIC_H
#define EDO_BASE_ATOMIC_H

#define EDO__RLX __ATOMIC_RELAXED
#define EDO__ACQ __ATOMIC_ACQUIRE
#define EDO__REL __ATOMIC_RELEASE
#define EDO__AR __ATOMIC_ACQ_REL
#define EDO__SC __ATOMIC_SEQ_CST

#ifdef EDO_MODEL
#include "model_atomic.h"
#else
#define edo__aload(p, order) __atomic_load_n((p), (order))
#define edo__astore(p, v, order) __atomic_store_n((p), (v), (order))
#define edo__axchg(p, v, order) __atomic_exchange_n((p), (v), (order))
/* Strong; *expected is updated on failure. */
#define edo__acas(p, expected, v, ok, fail)                                                        \
    __atomic_compare_exchange_n((p), (expected), (v), false, (ok), (fail))
/* These return the value from before. */
#define edo__aadd(p, v, order) __atomic_fetch_add((p), (v), (order))
#define edo__asub(p, v, order) __atomic_fetch_sub((p), (v), (order))
#define edo__aor(p, v, order) __atomic_fetch_or((p), (v), (order))
#define edo__aand(p, v, order) __atomic_fetch_and((p), (v), (order))
/* ThreadSanitizer does not see fences: there a read-modify-write on a location of its own stands in
 * for each (same strength on every machine the sanitizer runs on, and visible to it). */
#if defined(__SANITIZE_THREAD__)
#define EDO__FENCE_BY_RMW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EDO__FENCE_BY_RMW 1
#endif
#endif
#ifdef EDO__FENCE_BY_RMW
extern unsigned edo__fence_word;
#define edo__afence(order) ((void)__atomic_fetch_add(&edo__fence_word, 1u, __ATOMIC_SEQ_CST))
#else
#define edo__afence(order) __atomic_thread_fence(order)
#endif
#endif

#endif
