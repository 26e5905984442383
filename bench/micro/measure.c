/* SPDX-License-Identifier: MIT */
/* Runs a program and prints what it cost: wall time in ms, CPU time, peak memory. The program's
 * stdout goes to stderr; its status is this program's status. Part of bench/, whole programs only:
 * it must never add to what it measures, so it does nothing but wait. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double timeval_ms(struct timeval t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench-measure PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    double start = now_ms();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    int status;
    struct rusage used;
    if (pid < 0 || wait4(pid, &status, 0, &used) != pid) {
        perror("bench-measure");
        return 1;
    }
    printf("%.1f cpu_ms=%.1f rss_mib=%.1f\n", now_ms() - start,
           timeval_ms(used.ru_utime) + timeval_ms(used.ru_stime), (double)used.ru_maxrss / 1024);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
