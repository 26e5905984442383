/* SPDX-License-Identifier: MIT */
/* The shortest program: a first task, three children that point into its frame, and their
 * results. */
#include <edo/edo.h>

#include <stdio.h>

static int greet(void *arg)
{
    const char **name = arg;
    int rc = edo_sleep(EDO_MS(10));
    if (rc < 0)
        return rc;
    printf("hello, %s\n", *name);
    return 0;
}

static int hello(void *arg)
{
    const char **names = arg;
    edo_group g;
    int rc = edo_group_open(&g, NULL);
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = edo_spawn(&g, greet, &names[i]);
    int closed = edo_group_close(&g);
    return rc < 0 ? rc : closed;
}

int main(void)
{
    const char *names[] = { "task", "group", "scope" };
    int rc = edo_run(NULL, hello, names);
    if (rc < 0)
        fprintf(stderr, "hello: %s\n", edo_strerror(rc));
    return rc < 0;
}
