/* SPDX-License-Identifier: MIT */
/*
 * Contexts on top of the bare switch: what valgrind, AddressSanitizer and ThreadSanitizer have to
 * be told about stacks. In a plain build resume and suspend are inline and nothing here is on their
 * path.
 *
 * The functions that tell a sanitizer keep no locals whose address is taken between the
 * announcement and the switch: what must survive lies in the context.
 */
#include "arch/context.h"

#include "arch/abi.h"
#include "arch/valgrind.h"

#if EDO__ASAN
void __sanitizer_start_switch_fiber(void **fake_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake, const void **bottom_old, size_t *size_old);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
#endif
#if EDO__TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

#if EDO__ASAN || EDO__TSAN

static void hooked_entry(void *arg)
{
    edo__context *c = arg;
#if EDO__ASAN
    __sanitizer_finish_switch_fiber(NULL, &c->resumer_lo, &c->resumer_size);
#endif
    c->entry(c->arg);
    __builtin_trap();
}

void edo__context_resume_with(edo__context *c, uint64_t words)
{
#if EDO__TSAN
    c->resumer_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(c->fiber, 0);
#endif
#if EDO__ASAN
    __sanitizer_start_switch_fiber(&c->resumer_fake, c->lo, c->size);
#endif
    edo__switch_resume(&c->resumer_sp, c->sp, words);
#if EDO__ASAN
    __sanitizer_finish_switch_fiber(c->resumer_fake, NULL, NULL);
#endif
}

void edo__context_suspend(edo__context *c)
{
#if EDO__TSAN
    __tsan_switch_to_fiber(c->resumer_fiber, 0);
#endif
#if EDO__ASAN
    __sanitizer_start_switch_fiber(&c->fake, c->resumer_lo, c->resumer_size);
#endif
    edo__switch_suspend(&c->sp, c->resumer_sp);
#if EDO__ASAN
    __sanitizer_finish_switch_fiber(c->fake, &c->resumer_lo, &c->resumer_size);
    if (c->dying) {
        /* NULL: this stack is left for good, its fake stack can go. */
        __sanitizer_start_switch_fiber(NULL, c->resumer_lo, c->resumer_size);
        edo__switch_suspend(&c->sp, c->resumer_sp);
        __builtin_trap();
    }
#endif
}

#endif

void edo__context_init(edo__context *c, void *lo, size_t size, void (*entry)(void *arg), void *arg)
{
    *c = (edo__context){ 0 };
#if EDO__ASAN
    /* Frames that an earlier context abandoned here left their red zones behind. */
    __asan_unpoison_memory_region(lo, size);
#endif
#if EDO__TSAN
    c->fiber = __tsan_create_fiber(0);
#endif
#if EDO__ASAN || EDO__TSAN
    c->lo = lo;
    c->size = size;
    c->entry = entry;
    c->arg = arg;
    c->sp = edo__switch_prepare(lo, size, hooked_entry, c);
#else
    c->sp = edo__switch_prepare(lo, size, entry, arg);
#endif
    c->valgrind_id = VALGRIND_STACK_REGISTER(lo, (char *)lo + size);
}

void edo__context_fini(edo__context *c)
{
#if EDO__ASAN
    if (c->fake != NULL) {
        c->dying = true;
        edo__context_resume(c);
    }
    __asan_unpoison_memory_region(c->lo, c->size);
#endif
#if EDO__TSAN
    __tsan_destroy_fiber(c->fiber);
#endif
    if (RUNNING_ON_VALGRIND)
        VALGRIND_STACK_DEREGISTER(c->valgrind_id);
    c->sp = NULL;
}

bool edo__context_fini_needed(void)
{
    return EDO__ASAN || EDO__TSAN || RUNNING_ON_VALGRIND;
}
