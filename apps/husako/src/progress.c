/* SPDX-License-Identifier: MIT */
/* See progress.h. */
#include "progress.h"

#include "report.h"

#include <edo/edo.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const FRAMES[] = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" };

void hu_progress_init(hu_progress *progress, bool color)
{
    *progress = (hu_progress){ .enabled = hu_is_terminal(STDERR_FILENO), .color = color };
    pthread_mutex_init(&progress->lock, NULL);
}

void hu_progress_deinit(hu_progress *progress)
{
    for (size_t i = 0; i < progress->count; i++)
        free(progress->steps[i].text);
    pthread_mutex_destroy(&progress->lock);
}

size_t hu_progress_start(hu_progress *progress, char *text)
{
    size_t step = HU_STEPS_MAX;
    pthread_mutex_lock(&progress->lock);
    if (progress->count < HU_STEPS_MAX) {
        step = progress->count++;
        progress->steps[step] = (hu_step){ .text = text };
    } else {
        free(text);
    }
    pthread_mutex_unlock(&progress->lock);
    return step;
}

void hu_progress_total(hu_progress *progress, size_t step, size_t items, size_t bytes)
{
    if (step >= HU_STEPS_MAX)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->steps[step].items_total = items;
    progress->steps[step].bytes_total = bytes;
    pthread_mutex_unlock(&progress->lock);
}

void hu_progress_add(hu_progress *progress, size_t step, size_t items, size_t bytes)
{
    if (step >= HU_STEPS_MAX)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->steps[step].items += items;
    progress->steps[step].bytes += bytes;
    pthread_mutex_unlock(&progress->lock);
}

void hu_progress_end(hu_progress *progress, size_t step, bool good, char *text)
{
    if (step >= HU_STEPS_MAX) {
        free(text);
        return;
    }
    pthread_mutex_lock(&progress->lock);
    free(progress->steps[step].text);
    progress->steps[step].text = text;
    progress->steps[step].state = good ? HU_STEP_DONE : HU_STEP_FAILED;
    pthread_mutex_unlock(&progress->lock);
}

/* ---- drawing ---- */

static double megabytes(size_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

/* (52% · 5.0 MB / 9.5 MB), (12/35 · 3.1 MB Received), (5.0 MB Received) */
static char *suffix(const hu_step *step)
{
    if (step->bytes_total)
        return hu_format(" (%zu%% · %.1f MB / %.1f MB)", step->bytes * 100 / step->bytes_total,
                         megabytes(step->bytes), megabytes(step->bytes_total));
    if (step->items_total)
        return hu_format(" (%zu/%zu · %.1f MB Received)", step->items, step->items_total,
                         megabytes(step->bytes));
    if (step->bytes)
        return hu_format(" (%.1f MB Received)", megabytes(step->bytes));
    return hu_strdup("");
}

/* Cuts a text to a number of columns, counting code points. */
static size_t cut(const char *text, size_t columns)
{
    size_t at = 0;
    for (size_t seen = 0; text[at]; at++) {
        bool first = ((unsigned char)text[at] & 0xc0) != 0x80;
        if (first && seen++ == columns)
            break;
    }
    return at;
}

static void draw_line(const hu_progress *progress, const hu_step *step, size_t width, hu_buf *out)
{
    const char *mark = FRAMES[progress->frame % (sizeof FRAMES / sizeof *FRAMES)];
    const char *color = "\033[36m";
    char *rest = NULL;
    if (step->state == HU_STEP_RUNNING) {
        rest = suffix(step);
    } else {
        mark = step->state == HU_STEP_DONE ? "✔" : "✘";
        color = step->state == HU_STEP_DONE ? "\033[1;32m" : "\033[1;31m";
    }
    char *text = hu_format("%s%s", step->text, rest ? rest : "");
    size_t room = width > 3 ? width - 3 : 1;
    hu_buf_format(out, "%s%s%s %.*s\n", progress->color ? color : "", mark,
                  progress->color ? "\033[0m" : "", (int)cut(text, room), text);
    free(text);
    free(rest);
}

void hu_progress_frame(hu_progress *progress, size_t width, bool last, hu_buf *out)
{
    pthread_mutex_lock(&progress->lock);
    if (progress->live_lines)
        hu_buf_format(out, "\033[%zuA\r\033[J", progress->live_lines);
    progress->live_lines = 0;
    for (size_t i = 0; i < progress->count; i++) {
        hu_step *step = &progress->steps[i];
        if (step->state != HU_STEP_DONE && step->state != HU_STEP_FAILED)
            continue;
        draw_line(progress, step, width, out);
        step->state = HU_STEP_PRINTED;
    }
    for (size_t i = 0; i < progress->count && !last; i++) {
        if (progress->steps[i].state != HU_STEP_RUNNING)
            continue;
        draw_line(progress, &progress->steps[i], width, out);
        progress->live_lines++;
    }
    progress->frame++;
    pthread_mutex_unlock(&progress->lock);
}

static void draw(hu_progress *progress, bool last)
{
    struct winsize size = { 0 };
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col;
    hu_buf out = { 0 };
    hu_progress_frame(progress, known ? size.ws_col : 80, last, &out);
    if (out.len)
        fwrite(out.data, 1, out.len, stderr);
    fflush(stderr);
    hu_buf_free(&out);
}

static int draw_job(void *arg)
{
    draw(arg, false);
    return 0;
}

int hu_progress_task(void *arg)
{
    hu_progress *progress = arg;
    if (!progress->enabled)
        return 0;
    int rc = 0;
    while (rc >= 0) {
        /* A terminal may stop taking output, so not even this is done on a worker. */
        rc = edo_blocking(draw_job, progress);
        if (rc >= 0)
            rc = edo_sleep(EDO_MS(80));
    }
    return rc == -ECANCELED ? 0 : rc;
}

void hu_progress_finish(hu_progress *progress)
{
    if (progress->enabled)
        draw(progress, true);
}
