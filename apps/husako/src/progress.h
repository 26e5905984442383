/* SPDX-License-Identifier: MIT */
/*
 * The live area on a terminal: one line per running step, replaced by a mark and a message when it
 * ends. Steps are changed from any task or thread; one task owns the terminal and draws. When
 * stderr is no terminal nothing is written at all.
 */
#ifndef HUSAKO_PROGRESS_H
#define HUSAKO_PROGRESS_H

#include "mem.h"

#include <pthread.h>

enum { HU_STEPS_MAX = 64 };

typedef enum hu_step_state {
    HU_STEP_RUNNING,
    HU_STEP_DONE,
    HU_STEP_FAILED,
    HU_STEP_PRINTED, /* its last line is above the live area */
} hu_step_state;

typedef struct hu_step {
    char *text;
    hu_step_state state;
    size_t items, items_total; /* 0: not counted */
    size_t bytes, bytes_total; /* 0: not known   */
} hu_step;

typedef struct hu_progress {
    pthread_mutex_t lock;
    bool enabled;
    bool color;
    hu_step steps[HU_STEPS_MAX];
    size_t count;
    size_t live_lines; /* on the screen; drawing task only */
    size_t frame;
} hu_progress;

void hu_progress_init(hu_progress *progress, bool color);
void hu_progress_deinit(hu_progress *progress);

/* Starts a step; returns its number. Any more than HU_STEPS_MAX are not shown. */
size_t hu_progress_start(hu_progress *progress, char *text);
void hu_progress_total(hu_progress *progress, size_t step, size_t items, size_t bytes);
void hu_progress_add(hu_progress *progress, size_t step, size_t items, size_t bytes);
void hu_progress_end(hu_progress *progress, size_t step, bool good, char *text);

/* Body of the drawing task: draws until it is cancelled. */
int hu_progress_task(void *progress);

/* Draws the end: the lines of ended steps stay, those of unfinished ones go. */
void hu_progress_finish(hu_progress *progress);

/* The text of one frame, for tests; `width` is that of the terminal. */
void hu_progress_frame(hu_progress *progress, size_t width, bool last, hu_buf *out);

#endif
