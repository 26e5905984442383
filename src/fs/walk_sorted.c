/* SPDX-License-Identifier: MIT */
/* A walk in order: each directory's entries by their bytes, each directory's content right behind
 * it. The same tree is reported the same way every time, whoever read it when.
 *
 * The directories around the present entry are on a stack, each with its entries sorted. A few
 * directories ahead of the present entry are read already, so that the jobs have something to do; one
 * that the caller then does not want was read for nothing. */
#include "fs/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct item {
    const edo__entry *entry;
    const edo_fs_info *info; /* or NULL */
    edo__walk_dir *dir;      /* being read, or NULL */
} item;

typedef struct frame {
    struct frame *above;
    edo__walk_dir *dir; /* owned */
    item *items;        /* owned */
    size_t n, at;
    size_t ahead; /* those before it have been looked at for directories to be read */
} frame;

typedef struct order {
    edo__walk *walk;
    frame *top;
    edo__walk_dir *unwanted; /* were read for nothing; freed when no job is left */
} order;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const item *)a)->entry->d_name, ((const item *)b)->entry->d_name);
}

static size_t count_entries(const edo__walk_dir *d)
{
    size_t n = 0;
    for (const edo__walk_batch *b = d->first; b != NULL; b = b->next)
        for (size_t at = 0; edo__entry_next(b->buf, b->len, &at) != NULL;)
            n++;
    return n;
}

static int push(order *o, edo__walk_dir *d)
{
    size_t n = count_entries(d);
    frame *f = calloc(1, sizeof *f);
    item *items = calloc(n + 1, sizeof *items);
    if (f == NULL || items == NULL) {
        free(f);
        free(items);
        return -ENOMEM;
    }
    n = 0;
    for (const edo__walk_batch *b = d->first; b != NULL; b = b->next) {
        const edo__entry *e;
        size_t k = 0;
        for (size_t at = 0; (e = edo__entry_next(b->buf, b->len, &at)) != NULL; k++)
            items[n++] = (item){ .entry = e, .info = b->infos != NULL ? &b->infos[k] : NULL };
    }
    qsort(items, n, sizeof *items, by_name);
    *f = (frame){ .above = o->top, .dir = d, .items = items, .n = n };
    o->top = f;
    return 0;
}

static void forget(order *o, edo__walk_dir *d)
{
    edo__astore(&d->unwanted, 1u, EDO__RLX); /* a hint: its reader may save itself the rest */
    edo__spin_lock(&o->walk->lock);
    for (edo__walk_dir **at = &o->walk->todo; *at != NULL; at = &(*at)->next) {
        if (*at == d) {
            *at = d->next;
            break;
        }
    }
    d->next = o->unwanted; /* its own again, or in a reader's hands, who does not look at it */
    o->unwanted = d;
    edo__spin_unlock(&o->walk->lock);
}

static void pop(order *o)
{
    frame *f = o->top;
    o->top = f->above;
    for (size_t i = f->at; i < f->n; i++)
        if (f->items[i].dir != NULL)
            forget(o, f->items[i].dir);
    free(f->items);
    edo__walk_let_go(o->walk, f->dir);
    free(f);
}

/* Has the next few directories of the frame read. */
static int look_ahead(order *o, frame *f)
{
    edo__walk *w = o->walk;
    edo__walk_dir *found[EDO__WALK_JOBS_MAX];
    size_t n = 0, wanted = w->options.concurrency;
    for (size_t i = f->at; i < f->ahead; i++)
        wanted -= f->items[i].dir != NULL && wanted > 0;
    while (n < wanted && f->ahead < f->n) {
        item *i = &f->items[f->ahead++];
        if (!edo__walk_enters(w, f->dir, edo__fs_type_of_entry(i->entry->d_type)))
            continue;
        i->dir = edo__walk_dir_new(w, f->dir, i->entry->d_name);
        if (i->dir == NULL)
            return -ENOMEM;
        found[n++] = i->dir;
    }
    while (n > 0) /* the first one goes to the front */
        edo__walk_add(w, found[--n]);
    return 0;
}

static int wait_for(edo__walk *w, const edo__walk_dir *d)
{
    edo__spin_lock(&w->lock);
    while (!d->ended) {
        int rc = edo__walk_wait(w);
        if (rc < 0)
            return rc;
    }
    int rc = w->code;
    edo__spin_unlock(&w->lock);
    return rc;
}

/* d, whose entry was reported, becomes the top of the stack. */
static int enter(order *o, edo__walk_dir *d)
{
    int rc = wait_for(o->walk, d);
    if (rc == 0)
        rc = push(o, d);
    if (rc < 0) {
        forget(o, d);
        return rc;
    }
    edo__fs_spend(o->walk->self, 1, 0);
    const edo__walk_batch *last = d->end;
    return last != NULL && last->code < 0 ? edo__walk_report_dir(o->walk, d, last->code) : 0;
}

/* The next entry of the top, or its end. */
static int step(order *o)
{
    edo__walk *w = o->walk;
    frame *f = o->top;
    if (f->at == f->n) {
        int rc = w->options.after ? edo__walk_report_dir(w, f->dir, 0) : 0;
        pop(o);
        return rc;
    }
    int rc = f->ahead <= f->at || f->items[f->at].dir != NULL ? look_ahead(o, f) : 0;
    if (rc < 0)
        return rc;
    item *i = &f->items[f->at++];
    edo__walk_dir *d = i->dir;
    i->dir = NULL;
    rc = edo__walk_report(w, f->dir, i->entry->d_name, edo__fs_type_of_entry(i->entry->d_type),
                          i->info);
    if (rc == 0)
        return d != NULL ? enter(o, d) : 0;
    if (d != NULL)
        forget(o, d);
    return rc == EDO_WALK_SKIP ? 0 : rc;
}

static void free_unwanted(order *o)
{
    for (edo__walk_dir *d = o->unwanted, *next; d != NULL; d = next) {
        next = d->next;
        edo__walk_let_go(o->walk, d);
    }
}

int edo__walk_sorted(edo__walk *w, edo__walk_dir *root)
{
    order o = { .walk = w };
    int rc = enter(&o, root);
    while (rc == 0 && o.top != NULL) {
        rc = edo__checkpoint(w->self);
        if (rc == 0)
            rc = step(&o);
    }
    while (o.top != NULL)
        pop(&o);
    edo__walk_stop(w);
    free_unwanted(&o);
    return rc;
}
