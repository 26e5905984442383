/* SPDX-License-Identifier: MIT */
/* What is worked out before there is a child: where its program may be, and its environment. */
#include "process/process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

/* The value of a variable of an environment; NULL: it has none of that name. */
static const char *value_of(const char *const *env, const char *name, size_t n)
{
    for (; *env != NULL; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

/* One block: the list, then the texts. */
int edo__search_paths(const char *program, const char *const *env, const char ***out)
{
    size_t len = strlen(program);
    if (len == 0)
        return -ENOENT;
    const char *path = strchr(program, '/') == NULL ? value_of(env, "PATH", 4) : NULL;
    if (path == NULL)
        path = strchr(program, '/') == NULL ? PATH_DEFAULT : "";
    size_t n = 1;
    for (const char *c = path; *c != '\0'; c++)
        n += *c == ':';
    const char **list = malloc((n + 1) * sizeof *list + strlen(path) + n * (len + 2));
    if (list == NULL)
        return -ENOMEM;
    char *at = (char *)(list + n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t dir = strcspn(path, ":"); /* an empty one is the working directory */
        list[i] = at;
        memcpy(at, path, dir);
        at += dir;
        if (dir > 0)
            *at++ = '/';
        memcpy(at, program, len + 1);
        at += len + 1;
        path += dir + (path[dir] == ':');
    }
    list[n] = NULL;
    *out = list;
    return 0;
}

/* Whether two entries, "NAME" or "NAME=value", are about the same variable. */
static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return strncmp(a, b, n) == 0 && (b[n] == '=' || b[n] == '\0');
}

/* Whether some entry of the list from here on is about that variable. */
static bool is_about(const char *const *list, const char *entry)
{
    for (; *list != NULL; list++)
        if (same_name(*list, entry))
            return true;
    return false;
}

int edo__merge_env(const char *const *env, const char *const *change, const char ***out)
{
    size_t n = 0;
    for (const char *const *e = env; *e != NULL; e++)
        n++;
    for (const char *const *c = change; *c != NULL; c++)
        n++;
    const char **merged = malloc((n + 1) * sizeof *merged);
    if (merged == NULL)
        return -ENOMEM;
    n = 0;
    for (const char *const *e = env; *e != NULL; e++)
        if (!is_about(change, *e))
            merged[n++] = *e;
    for (const char *const *c = change; *c != NULL; c++) /* the last one of a name counts */
        if (strchr(*c, '=') != NULL && !is_about(c + 1, *c))
            merged[n++] = *c;
    merged[n] = NULL;
    *out = merged;
    return 0;
}
