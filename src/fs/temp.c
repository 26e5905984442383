/* SPDX-License-Identifier: MIT */
/* Files and directories that did not exist. */
#include "fs/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 100
#define SUFFIX_MIN 6

/* Not to be guessed by others on a shared directory; O_EXCL would make them only a nuisance. */
static uint64_t random_bits(void)
{
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == (ssize_t)sizeof bits)
        return bits;
    struct timespec ts; /* early at boot, or a kernel of before 2014 */
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ((uint64_t)ts.tv_nsec << 32 ^ (uint64_t)ts.tv_sec ^ (uintptr_t)&bits) *
           0x9e3779b97f4a7c15u;
}

void edo__fs_random_name(char *at, size_t n)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        if (i % 10 == 0) /* 62^10 < 2^64 */
            bits = random_bits();
        at[i] = letters[bits % 62];
        bits /= 62;
    }
}

typedef struct temp_call {
    char *path; /* as the caller gave it, but for the end */
    const char *dir;
    char *suffix;
    size_t length; /* of the suffix */
    bool makes_dir;
} temp_call;

static int make(const temp_call *c)
{
    if (!c->makes_dir)
        return edo__sys_open(c->path, O_RDWR | O_CREAT | O_EXCL, 0600);
    return mkdir(c->path, 0700) == 0 ? 0 : -errno;
}

static int temp_run(void *arg)
{
    temp_call *c = arg;
    int rc = -EEXIST;
    for (int i = 0; i < TRIES && rc == -EEXIST; i++) {
        edo__fs_random_name(c->suffix, c->length);
        rc = make(c);
    }
    return rc;
}

static int make_temp(char *path, bool makes_dir)
{
    size_t len = strlen(path), n = 0;
    while (n < len && path[len - 1 - n] == 'X')
        n++;
    if (n < SUFFIX_MIN)
        return -EINVAL;
    temp_call c = { .path = path, .suffix = path + len - n, .length = n, .makes_dir = makes_dir };
    int rc = edo__fs_job(temp_run, &c, NULL);
    if (rc < 0)
        memset(c.suffix, 'X', n);
    return rc;
}

int edo_fs_mkstemp(edo_file **out, char *path)
{
    edo_file *f = edo__file_alloc();
    if (f == NULL)
        return -ENOMEM;
    int fd = make_temp(path, false);
    if (fd < 0) {
        free(f);
        return fd;
    }
    edo__file_init(f, fd, O_RDWR);
    *out = f;
    return 0;
}

int edo_fs_mkdtemp(char *path)
{
    return make_temp(path, true);
}

/* A file without a name; where the file system has none, one whose name is removed at once. */
static int nameless_run(void *arg)
{
    const temp_call *c = arg;
    int fd = edo__sys_open(c->dir, O_RDWR | O_TMPFILE | O_EXCL, 0600);
    if (fd >= 0 || (fd != -EOPNOTSUPP && fd != -EISDIR && fd != -ENOENT && fd != -EINVAL))
        return fd;
    size_t len = strlen(c->dir);
    temp_call named = { .length = 12 };
    named.path = malloc(len + sizeof "/.edo-" + named.length);
    if (named.path == NULL)
        return -ENOMEM;
    memcpy(named.path, c->dir, len);
    memcpy(named.path + len, "/.edo-", sizeof "/.edo-");
    named.suffix = named.path + len + sizeof "/.edo-" - 1;
    named.suffix[named.length] = '\0';
    fd = temp_run(&named);
    if (fd >= 0)
        (void)unlink(named.path);
    free(named.path);
    return fd;
}

int edo_fs_temp_file(edo_file **out, const char *dir)
{
    if (dir == NULL) {
        dir = secure_getenv("TMPDIR");
        if (dir == NULL || dir[0] == '\0')
            dir = "/tmp";
    }
    edo_file *f = edo__file_alloc();
    if (f == NULL)
        return -ENOMEM;
    temp_call c = { .dir = dir };
    int fd = edo__fs_job(nameless_run, &c, NULL);
    if (fd < 0) {
        free(f);
        return fd;
    }
    edo__file_init(f, fd, O_RDWR);
    *out = f;
    return 0;
}
