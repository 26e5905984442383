/* SPDX-License-Identifier: MIT */
/* Searching, for the models of tasks: this setup holds, that one with a mutant breaks. Included
 * where the type `setup`, start(), thread(), look() and end() are there; config_of() and title()
 * follow. */
#ifndef EDO_TESTS_MODEL_SEARCHES_H
#define EDO_TESTS_MODEL_SEARCHES_H

/* Makes s the present setup, and says how it is searched. */
static model_config config_of(setup s, model_memory memory, unsigned preemptions);
static const char *title(void); /* of the present setup */

static inline model_config config_for(unsigned threads, const char *const *names,
                                      model_memory memory, unsigned preemptions)
{
    return (model_config){ .threads = threads,
                           .names = names,
                           .start = start,
                           .thread = thread,
                           .enter = enter_task,
                           .look = look,
                           .end = end,
                           .memory = memory,
                           .preemptions = preemptions };
}

/* For setups of up to four programs, which are what its title begins with. */
static inline model_config config_for_programs(unsigned threads, model_memory memory,
                                               unsigned preemptions)
{
    static const char *const names[] = { "thread 0", "thread 1", "thread 2", "thread 3" };
    return config_for(threads, names, memory, preemptions);
}

static inline size_t put_programs(char *text, size_t size, const char *const *programs, unsigned n)
{
    size_t at = 0;
    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i > 0 ? ", " : "", programs[i]);
    return at;
}

static inline void sound(setup s, model_memory memory, unsigned preemptions)
{
    model_config config = config_of(s, memory, preemptions);
    holds(title(), &config);
}

static inline void broken(setup s, model_memory memory, model_mutant mutant)
{
    model_config config = config_of(s, memory, 0);
    config.mutant = mutant;
    breaks(title(), &config);
}

#endif
