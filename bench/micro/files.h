/* SPDX-License-Identifier: MIT */
/* The scenarios of files. What they read is made once, below $EDO_BENCH_DIR (bench/run sets it), for all
 * three programs; the warm-up sees to it that it is in the kernel's memory. */
#ifndef EDO_BENCH_FILES_H
#define EDO_BENCH_FILES_H

#include "bench.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { /* the same in all three programs */
       SMALL_FILES = 10000,
       SMALL_SIZE = 4096,
       SMALL_PER_DIR = 100,
       READERS = 16,
       LARGE_BUFFER = 65536,
       WALK_DIRS = 1000,
       WALK_FILES = 99, /* in each: with the directories 100,000 entries */
};

static const char *bench_dir(void)
{
    const char *dir = getenv("EDO_BENCH_DIR");
    return dir != NULL ? dir : "/tmp/edo-bench";
}

/* Bytes of the large file: $EDO_BENCH_LARGE_MB, 1024 unless told. */
static uint64_t large_size(void)
{
    const char *mb = getenv("EDO_BENCH_LARGE_MB");
    return (mb != NULL ? strtoull(mb, NULL, 10) : 1024) << 20;
}

static void make_file(const char *path, uint64_t size)
{
    static const char zeros[LARGE_BUFFER];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    MUST(fd >= 0);
    for (uint64_t done = 0; done < size;) {
        size_t part = size - done < sizeof zeros ? (size_t)(size - done) : sizeof zeros;
        MUST(write(fd, zeros, part) == (ssize_t)part);
        done += part;
    }
    close(fd);
}

static void make_dir(const char *path)
{
    MUST(mkdir(path, 0755) == 0 || errno == EEXIST);
}

static void small_path(char *path, size_t size, unsigned i)
{
    snprintf(path, size, "%s/small/%u/%u", bench_dir(), i / SMALL_PER_DIR, i);
}

static int make_small(void)
{
    char path[300];
    small_path(path, sizeof path, SMALL_FILES - 1);
    if (access(path, F_OK) == 0)
        return 0;
    make_dir(bench_dir());
    snprintf(path, sizeof path, "%s/small", bench_dir());
    make_dir(path);
    for (unsigned i = 0; i < SMALL_FILES; i++) {
        if (i % SMALL_PER_DIR == 0) {
            snprintf(path, sizeof path, "%s/small/%u", bench_dir(), i / SMALL_PER_DIR);
            make_dir(path);
        }
        small_path(path, sizeof path, i);
        make_file(path, SMALL_SIZE);
    }
    return 0;
}

static int make_walk(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s/walk/%u/%u", bench_dir(), WALK_DIRS - 1, WALK_FILES - 1);
    if (access(path, F_OK) == 0)
        return 0;
    make_dir(bench_dir());
    snprintf(path, sizeof path, "%s/walk", bench_dir());
    make_dir(path);
    for (unsigned d = 0; d < WALK_DIRS; d++) {
        snprintf(path, sizeof path, "%s/walk/%u", bench_dir(), d);
        make_dir(path);
        for (unsigned i = 0; i < WALK_FILES; i++) {
            snprintf(path, sizeof path, "%s/walk/%u/%u", bench_dir(), d, i);
            make_file(path, 0);
        }
    }
    return 0;
}

static void large_path(char *path, size_t size)
{
    snprintf(path, size, "%s/large", bench_dir());
}

static int make_large(void)
{
    char path[300];
    struct stat st;
    large_path(path, sizeof path);
    if (stat(path, &st) == 0 && (uint64_t)st.st_size == large_size())
        return 0;
    make_dir(bench_dir());
    make_file(path, large_size());
    return 0;
}

/* Before edo_run(): not part of what is measured. */
static int make_files(const char *scenario)
{
    if (strcmp(scenario, "fs_small") == 0)
        return make_small();
    if (strcmp(scenario, "fs_large") == 0)
        return make_large();
    if (strcmp(scenario, "fs_walk") == 0)
        return make_walk();
    return 0;
}

struct small_job {
    uint64_t n, next; /* next: atomic */
};

static int small_reader(void *arg)
{
    struct small_job *job = arg;
    uint64_t i;
    while ((i = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED)) < job->n) {
        char path[300], *data;
        small_path(path, sizeof path, (unsigned)(i % SMALL_FILES));
        MUST(edo_fs_read_all(path, SIZE_MAX, &data) == SMALL_SIZE);
        free(data);
    }
    return 0;
}

/* An operation: one file of 4 KiB, whole. */
static int fs_small(uint64_t n)
{
    struct small_job job = { .n = n };
    edo_group g;
    edo_group_open(&g, NULL);
    for (int i = 0; i < READERS; i++)
        MUST(edo_spawn(&g, small_reader, &job) == 0);
    return edo_group_close(&g);
}

/* An operation: the next 64 KiB of the large file; from the start again at its end. */
static int fs_large(uint64_t n)
{
    char path[300], *buf = malloc(LARGE_BUFFER);
    edo_stream *s = NULL;
    large_path(path, sizeof path);
    for (uint64_t i = 0; i < n; i++) {
        if (i % (large_size() / LARGE_BUFFER) == 0) {
            edo_close(s);
            MUST(edo_fs_open_stream(&s, path, O_RDONLY, 0) == 0);
        }
        MUST(edo_read_full(s, buf, LARGE_BUFFER) == LARGE_BUFFER);
    }
    edo_close(s);
    free(buf);
    return 0;
}

static int count_entry(const edo_walk_entry *e, void *arg)
{
    MUST(e->code == 0);
    ++*(uint64_t *)arg;
    return 0;
}

/* An operation: one entry of a tree of 100,000. */
static int fs_walk(uint64_t n)
{
    char path[300];
    snprintf(path, sizeof path, "%s/walk", bench_dir());
    for (uint64_t left = n; left > 0;) {
        uint64_t seen = 0;
        MUST(edo_fs_walk(path, NULL, count_entry, &seen) == 0);
        MUST(seen == 1 + WALK_DIRS * (1 + WALK_FILES));
        left -= left < seen - 1 ? left : seen - 1;
    }
    return 0;
}

#endif
