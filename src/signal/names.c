/* SPDX-License-Identifier: MIT */
/* Names of signals; sigabbrev_np(3) is not everywhere. */
#include "signal/signal.h"

#define NAME(signal_) [signal_] = #signal_

static const char *const names[] = {
    NAME(SIGHUP),    NAME(SIGINT),   NAME(SIGQUIT),   NAME(SIGILL),  NAME(SIGTRAP), NAME(SIGABRT),
    NAME(SIGBUS),    NAME(SIGFPE),   NAME(SIGKILL),   NAME(SIGUSR1), NAME(SIGSEGV), NAME(SIGUSR2),
    NAME(SIGPIPE),   NAME(SIGALRM),  NAME(SIGTERM),   NAME(SIGCHLD), NAME(SIGCONT), NAME(SIGSTOP),
    NAME(SIGTSTP),   NAME(SIGTTIN),  NAME(SIGTTOU),   NAME(SIGURG),  NAME(SIGXCPU), NAME(SIGXFSZ),
    NAME(SIGPROF),   NAME(SIGWINCH), NAME(SIGVTALRM), NAME(SIGIO),   NAME(SIGPWR),  NAME(SIGSYS),
#ifdef SIGSTKFLT
    NAME(SIGSTKFLT),
#endif
};

const char *edo_signal_name(int number)
{
    if (number >= SIGRTMIN && number <= SIGRTMAX)
        return "SIGRT";
    bool known =
        number > 0 && (size_t)number < sizeof names / sizeof names[0] && names[number] != NULL;
    return known ? names[number] : "SIG?";
}
