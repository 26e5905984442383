/* SPDX-License-Identifier: MIT */
/* Reading directories: a job fills a buffer with what getdents64(2) gives, and asks for what is known of
 * each entry if that is wanted; entries are taken from there until it is empty. */
#include "fs/fs.h"

#include "fs/entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct edo_dir {
    int fd;       /* -1: not opened yet */
    bool ended;   /* the kernel has no more */
    bool rewound; /* the next job starts from the beginning */
    bool stat;
    size_t at;          /* the next entry is here in the buffer ... */
    size_t len;         /* ... of which so much is filled */
    size_t index;       /* of that entry, in infos */
    const char *path;   /* while it is being opened */
    edo_fs_info *infos; /* owned; of each entry in the buffer; NULL without `stat` */
    size_t infos_max;
    edo_fs_info info; /* what is given out */
    char buf[EDO__DIR_BUFFER] __attribute__((aligned(8)));
};

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

edo_fs_type edo__fs_type_of_entry(unsigned type)
{
    return edo__fs_type_of(type << 12); /* DTTOIF() */
}

EDO__NOINLINE ssize_t edo__sys_entries(int fd, void *buf, size_t size)
{
    ssize_t n = getdents64(fd, buf, size);
    return n >= 0 ? n : -errno;
}

const edo__entry *edo__entry_next(const char *buf, size_t len, size_t *at)
{
    while (*at < len) {
        const edo__entry *e = (const edo__entry *)(const void *)(buf + *at);
        *at += e->d_reclen;
        if (!is_dots(e->d_name))
            return e;
    }
    return NULL;
}

static int ask_for_each(edo_dir *d)
{
    size_t n = 0, at = 0;
    const edo__entry *e;
    while (edo__entry_next(d->buf, d->len, &at) != NULL)
        n++;
    if (n > d->infos_max) {
        edo_fs_info *more = realloc(d->infos, n * sizeof *more);
        if (more == NULL)
            return -ENOMEM;
        d->infos = more;
        d->infos_max = n;
    }
    n = at = 0;
    while ((e = edo__entry_next(d->buf, d->len, &at)) != NULL) {
        edo_fs_info *info = &d->infos[n++];
        if (edo__sys_info(d->fd, e->d_name, AT_SYMLINK_NOFOLLOW, info) < 0)
            info->links = UINT64_MAX; /* gone, or not to be asked */
    }
    return 0;
}

static int fill(edo_dir *d)
{
    if (d->rewound && lseek(d->fd, 0, SEEK_SET) < 0)
        return -errno;
    d->rewound = false;
    ssize_t n = edo__sys_entries(d->fd, d->buf, sizeof d->buf);
    if (n < 0)
        return (int)n;
    d->len = (size_t)n;
    d->at = d->index = 0;
    d->ended = n == 0;
    int rc = d->stat ? ask_for_each(d) : 0;
    if (rc < 0)
        d->len = 0;
    return rc;
}

static int fill_run(void *arg)
{
    return fill(arg);
}

static int open_run(void *arg)
{
    edo_dir *d = arg;
    int fd = edo__sys_open(d->path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    d->fd = fd;
    return fill(d);
}

int edo_fs_opendir(edo_dir **out, const char *path, const edo_dir_options *options)
{
    edo_dir *d = malloc(sizeof *d);
    if (d == NULL)
        return -ENOMEM;
    memset(d, 0, offsetof(edo_dir, buf));
    d->fd = -1;
    d->path = path;
    d->stat = options != NULL && options->stat;
    int rc = edo__fs_job(open_run, d, NULL);
    if (rc < 0)
        edo_fs_closedir(d);
    else
        *out = d;
    return rc;
}

int edo_fs_readdir(edo_dir *d, edo_dir_entry *out)
{
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    const edo__entry *e = edo__entry_next(d->buf, d->len, &d->at);
    while (e == NULL && !d->ended) {
        rc = edo__fs_job(fill_run, d, NULL);
        if (rc < 0)
            return rc;
        e = edo__entry_next(d->buf, d->len, &d->at);
    }
    edo__coop(self);
    if (e == NULL)
        return 0;
    *out = (edo_dir_entry){ .name = e->d_name,
                            .type = edo__fs_type_of_entry(e->d_type),
                            .inode = e->d_ino };
    if (d->stat) {
        d->info = d->infos[d->index++];
        if (d->info.links != UINT64_MAX) {
            out->info = &d->info;
            out->type = d->info.type;
        }
    }
    return 1;
}

void edo_fs_rewinddir(edo_dir *d)
{
    d->rewound = true;
    d->ended = false;
    d->at = d->len = 0;
}

void edo_fs_closedir(edo_dir *d)
{
    if (d == NULL)
        return;
    if (d->fd >= 0)
        edo__sys_close(d->fd);
    free(d->infos);
    free(d);
}

/* ---- all names ---- */

typedef struct list_call {
    const char *path;
    char **names; /* the result: the array, the names behind it */
    char *text;   /* names one behind the other, as they come */
    size_t len, size, count;
    uint32_t stop; /* atomic */
} list_call;

static int add_name(list_call *c, const char *name)
{
    size_t n = strlen(name) + 1;
    if (c->len + n > c->size) {
        size_t size = c->size < 4096 ? 8192 : c->size * 2;
        char *more = realloc(c->text, size);
        if (more == NULL)
            return -ENOMEM;
        c->text = more;
        c->size = size;
    }
    memcpy(c->text + c->len, name, n);
    c->len += n;
    c->count++;
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int sort_names(list_call *c)
{
    c->names = malloc((c->count + 1) * sizeof(char *) + c->len);
    if (c->names == NULL)
        return -ENOMEM;
    char *text = (char *)(c->names + c->count + 1);
    if (c->len > 0)
        memcpy(text, c->text, c->len);
    for (size_t i = 0; i < c->count; i++) {
        c->names[i] = text;
        text += strlen(text) + 1;
    }
    c->names[c->count] = NULL;
    qsort(c->names, c->count, sizeof(char *), by_bytes);
    return (int)c->count;
}

static int read_names(list_call *c, int fd, char *buf)
{
    ssize_t n = 0;
    while (!edo__fs_stopped(&c->stop) && (n = edo__sys_entries(fd, buf, EDO__DIR_BUFFER)) > 0) {
        const edo__entry *e;
        for (size_t at = 0; (e = edo__entry_next(buf, (size_t)n, &at)) != NULL;) {
            int rc = c->count < INT32_MAX ? add_name(c, e->d_name) : -EOVERFLOW;
            if (rc < 0)
                return rc;
        }
    }
    return n > 0 || edo__fs_stopped(&c->stop) ? -ECANCELED : (int)n;
}

static int list_run(void *arg)
{
    list_call *c = arg;
    int fd = edo__sys_open(c->path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    char *buf = malloc(EDO__DIR_BUFFER);
    int rc = buf != NULL ? read_names(c, fd, buf) : -ENOMEM;
    free(buf);
    edo__sys_close(fd);
    return rc == 0 ? sort_names(c) : rc;
}

int edo_fs_list(const char *path, char ***out)
{
    list_call c = { .path = path };
    int rc = edo__fs_job(list_run, &c, &c.stop);
    free(c.text);
    if (rc >= 0)
        *out = c.names;
    return rc;
}
