/* SPDX-License-Identifier: MIT */
/* Names and texts of result codes, from one table.
 *
 * The texts are ours: strerror() is neither thread-safe nor callable from a signal handler, and it
 * depends on the locale. Everything returned here is a string literal, so both functions can be
 * called from anywhere. A code listed twice does not compile (duplicate case). */
#include <edo/base.h>

#define ERRNO_CODES(X)                                                                             \
    X(EPERM, "operation not permitted")                                                            \
    X(ENOENT, "no such file or directory")                                                         \
    X(ESRCH, "no such process")                                                                    \
    X(EINTR, "interrupted by a signal")                                                            \
    X(EIO, "input/output error")                                                                   \
    X(ENXIO, "no such device or address")                                                          \
    X(E2BIG, "argument list too long")                                                             \
    X(ENOEXEC, "not an executable file")                                                           \
    X(EBADF, "bad file descriptor")                                                                \
    X(ECHILD, "no child process")                                                                  \
    X(EAGAIN, "not available now, try again")                                                      \
    X(ENOMEM, "out of memory")                                                                     \
    X(EACCES, "permission denied")                                                                 \
    X(EFAULT, "bad address")                                                                       \
    X(ENOTBLK, "not a block device")                                                               \
    X(EBUSY, "device or resource busy")                                                            \
    X(EEXIST, "already exists")                                                                    \
    X(EXDEV, "on different file systems")                                                          \
    X(ENODEV, "no such device")                                                                    \
    X(ENOTDIR, "not a directory")                                                                  \
    X(EISDIR, "is a directory")                                                                    \
    X(EINVAL, "invalid argument")                                                                  \
    X(ENFILE, "too many open files in the system")                                                 \
    X(EMFILE, "too many open files in this process")                                               \
    X(ENOTTY, "not a terminal, or request unknown to the device")                                  \
    X(ETXTBSY, "program file is being executed")                                                   \
    X(EFBIG, "file too large")                                                                     \
    X(ENOSPC, "no space left on device")                                                           \
    X(ESPIPE, "cannot seek")                                                                       \
    X(EROFS, "read-only file system")                                                              \
    X(EMLINK, "too many links")                                                                    \
    X(EPIPE, "the other side is closed")                                                           \
    X(EDOM, "argument outside the function's domain")                                              \
    X(ERANGE, "result out of range")                                                               \
    X(EDEADLK, "would deadlock")                                                                   \
    X(ENAMETOOLONG, "file name too long")                                                          \
    X(ENOLCK, "no locks available")                                                                \
    X(ENOSYS, "not implemented by the system")                                                     \
    X(ENOTEMPTY, "directory not empty")                                                            \
    X(ELOOP, "too many levels of symbolic links")                                                  \
    X(ENOMSG, "no message of that type")                                                           \
    X(EIDRM, "identifier removed")                                                                 \
    X(ECHRNG, "channel number out of range")                                                       \
    X(EL2NSYNC, "level 2 not synchronized")                                                        \
    X(EL3HLT, "level 3 halted")                                                                    \
    X(EL3RST, "level 3 reset")                                                                     \
    X(ELNRNG, "link number out of range")                                                          \
    X(EUNATCH, "protocol driver not attached")                                                     \
    X(ENOCSI, "no CSI structure available")                                                        \
    X(EL2HLT, "level 2 halted")                                                                    \
    X(EBADE, "invalid exchange")                                                                   \
    X(EBADR, "invalid request descriptor")                                                         \
    X(EXFULL, "exchange full")                                                                     \
    X(ENOANO, "no anode")                                                                          \
    X(EBADRQC, "invalid request code")                                                             \
    X(EBADSLT, "invalid slot")                                                                     \
    X(EBFONT, "bad font file")                                                                     \
    X(ENOSTR, "device is not a STREAM")                                                            \
    X(ENODATA, "no data available")                                                                \
    X(ETIME, "timer expired")                                                                      \
    X(ENOSR, "out of STREAMS resources")                                                           \
    X(ENONET, "machine is not on the network")                                                     \
    X(ENOPKG, "package not installed")                                                             \
    X(EREMOTE, "object is remote")                                                                 \
    X(ENOLINK, "link has been severed")                                                            \
    X(EADV, "advertise error")                                                                     \
    X(ESRMNT, "mount error of remote file sharing")                                                \
    X(ECOMM, "communication error on send")                                                        \
    X(EPROTO, "protocol error")                                                                    \
    X(EMULTIHOP, "multihop attempted")                                                             \
    X(EDOTDOT, "error of remote file sharing")                                                     \
    X(EBADMSG, "bad message")                                                                      \
    X(EOVERFLOW, "value too large")                                                                \
    X(ENOTUNIQ, "name not unique on the network")                                                  \
    X(EBADFD, "file descriptor in bad state")                                                      \
    X(EREMCHG, "remote address changed")                                                           \
    X(ELIBACC, "cannot access a shared library")                                                   \
    X(ELIBBAD, "corrupted shared library")                                                         \
    X(ELIBSCN, "corrupted section in a shared library")                                            \
    X(ELIBMAX, "too many shared libraries")                                                        \
    X(ELIBEXEC, "a shared library cannot be executed")                                             \
    X(EILSEQ, "invalid byte sequence")                                                             \
    X(ERESTART, "interrupted system call should be restarted")                                     \
    X(ESTRPIPE, "STREAMS pipe error")                                                              \
    X(EUSERS, "too many users")                                                                    \
    X(ENOTSOCK, "not a socket")                                                                    \
    X(EDESTADDRREQ, "destination address required")                                                \
    X(EMSGSIZE, "message too long")                                                                \
    X(EPROTOTYPE, "wrong protocol for the socket")                                                 \
    X(ENOPROTOOPT, "protocol option not available")                                                \
    X(EPROTONOSUPPORT, "protocol not supported")                                                   \
    X(ESOCKTNOSUPPORT, "socket type not supported")                                                \
    X(EOPNOTSUPP, "not supported")                                                                 \
    X(EPFNOSUPPORT, "protocol family not supported")                                               \
    X(EAFNOSUPPORT, "address family not supported")                                                \
    X(EADDRINUSE, "address already in use")                                                        \
    X(EADDRNOTAVAIL, "address not available")                                                      \
    X(ENETDOWN, "network is down")                                                                 \
    X(ENETUNREACH, "network unreachable")                                                          \
    X(ENETRESET, "connection dropped because the network was reset")                               \
    X(ECONNABORTED, "connection aborted")                                                          \
    X(ECONNRESET, "connection reset by the other side")                                            \
    X(ENOBUFS, "no buffer space available")                                                        \
    X(EISCONN, "already connected")                                                                \
    X(ENOTCONN, "not connected")                                                                   \
    X(ESHUTDOWN, "has been shut down")                                                             \
    X(ETOOMANYREFS, "too many references")                                                         \
    X(ETIMEDOUT, "timed out")                                                                      \
    X(ECONNREFUSED, "connection refused")                                                          \
    X(EHOSTDOWN, "host is down")                                                                   \
    X(EHOSTUNREACH, "no route to host")                                                            \
    X(EALREADY, "already in progress")                                                             \
    X(EINPROGRESS, "in progress")                                                                  \
    X(ESTALE, "stale file handle")                                                                 \
    X(EUCLEAN, "file system needs cleaning")                                                       \
    X(ENOTNAM, "not a XENIX named type file")                                                      \
    X(ENAVAIL, "no XENIX semaphores available")                                                    \
    X(EISNAM, "is a named type file")                                                              \
    X(EREMOTEIO, "remote input/output error")                                                      \
    X(EDQUOT, "disk quota exceeded")                                                               \
    X(ENOMEDIUM, "no medium in the drive")                                                         \
    X(EMEDIUMTYPE, "wrong type of medium")                                                         \
    X(ECANCELED, "cancelled")                                                                      \
    X(ENOKEY, "required key not available")                                                        \
    X(EKEYEXPIRED, "key has expired")                                                              \
    X(EKEYREVOKED, "key has been revoked")                                                         \
    X(EKEYREJECTED, "key was rejected")                                                            \
    X(EOWNERDEAD, "owner of the lock died")                                                        \
    X(ENOTRECOVERABLE, "state cannot be recovered")                                                \
    X(ERFKILL, "radio is switched off")                                                            \
    X(EHWPOISON, "memory page has a hardware error")

/* Negative already, and named with their prefix: the name is what the user can search for. */
#define OWN_CODES(X)                                                                               \
    X(EDO_EEOF, "the stream ended too early")                                                      \
    X(EDO_EOVERSIZE, "larger than the limit")                                                      \
    X(EDO_ESTACK, "no stack available")                                                            \
    X(EDO_EHTTP, "HTTP transfer failed")                                                           \
    X(EDO_EHTTPSTATUS, "the HTTP server answered with an error status")                            \
    X(EDO_ETLS, "TLS handshake or certificate failure")                                            \
    X(EDO_EHOST, "host name not found")

/* clang-format off */
#define ERRNO_NAME(name, text) case -name: return #name;
#define OWN_NAME(name, text) case name: return #name;
#define ERRNO_TEXT(name, text) case -name: return text;
#define OWN_TEXT(name, text) case name: return text;
/* clang-format on */

const char *edo_errname(int code)
{
    if (code >= 0)
        return "OK";
    switch (code) {
        ERRNO_CODES(ERRNO_NAME)
        OWN_CODES(OWN_NAME)
    default: return "UNKNOWN";
    }
}

const char *edo_strerror(int code)
{
    if (code >= 0)
        return "success";
    switch (code) {
        ERRNO_CODES(ERRNO_TEXT)
        OWN_CODES(OWN_TEXT)
    default: return "unknown error";
    }
}
