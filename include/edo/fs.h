/* SPDX-License-Identifier: MIT */
/* Edo: files, directories and paths. <edo/fs_tree.h>, which this includes, has what concerns whole
 * trees: walking, removing, watching.
 *
 * A file has no position of its own: reads and writes say where. A stream over a file
 * (edo_fs_stream()) has one. What is in the kernel's memory already is read where the caller is;
 * everything else is done by the ring or by a thread of the blocking pool, so no worker ever waits
 * for a disk.
 *
 * Paths are those of the C library: relative to the working directory, ended by a zero byte, any
 * bytes. They and all buffers stay the caller's and must be left alone until the call returns.
 *
 * A cancelled call has no effect: a job that has not begun is taken back, one that has begun is
 * waited for, and if it was done after all, that is what the call reports. Beside the codes that are
 * listed, any call may return -ECANCELED, -EAGAIN (no thread can be had at all), -ENOMEM and -EIO,
 * and one with a path -ENOENT, -EACCES, -ENOTDIR, -ELOOP and -ENAMETOOLONG. */
#ifndef EDO_FS_H
#define EDO_FS_H

#include <edo/base.h>
#include <edo/io.h>
#include <fcntl.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- files ---- */

typedef struct edo_file edo_file;

/* edo_fs_open - opens or makes a file.
 * @out: closed by edo_fs_close().
 * @flags: those of open(2): O_RDONLY, O_WRONLY or O_RDWR, with O_CREAT, O_EXCL, O_TRUNC, O_APPEND,
 *   O_DIRECTORY, O_NOFOLLOW, O_DIRECT, O_SYNC, O_DSYNC, O_PATH, O_TMPFILE. O_CLOEXEC is always set,
 *   and so is O_NONBLOCK: a FIFO is opened without waiting for its other end.
 * @mode: permissions of a file that is made, less the umask; 0: 0666.
 * Returns 0; -ENOENT: it does not exist, or a directory of its path does not; -EEXIST with O_EXCL;
 * -EISDIR when writing; -ENOTDIR; -EACCES, -EPERM, -EROFS; -ETXTBSY; -ENXIO: a FIFO to write that
 * nobody reads; -ELOOP: a symbolic link with O_NOFOLLOW; -EMFILE, -ENFILE; -ENOSPC, -EDQUOT;
 * -EINVAL: flags; -ENOMEM.
 *
 *     edo_file *f;
 *     rc = edo_fs_open(&f, "log.txt", O_WRONLY | O_CREAT | O_APPEND, 0644);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_open(edo_file **out, const char *path, int flags, unsigned mode);

/* edo_fs_from_fd - a file of a descriptor.
 * @fd: the file's on success.
 * Returns 0, -EBADF, or -ENOMEM; on failure fd stays the caller's.
 *
 *     rc = edo_fs_from_fd(&f, open("/dev/null", O_RDONLY | O_CLOEXEC));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_from_fd(edo_file **out, int fd);

/* edo_fs_close - gives the file up; the descriptor is closed once the streams over it are closed too.
 * Nobody else may be using it. NULL is allowed. Locks (edo_fs_lock()) are released.
 * Returns 0, or -errno of close(2): -EIO, -ENOSPC, -EDQUOT: what was written earlier could not be kept
 * (network file systems). The file is gone in any case. What must survive a power cut needs
 * edo_fs_sync() before.
 *
 *     rc = edo_fs_close(f);
 *
 * Suspends: maybe
 * Cancel:   not a checkpoint: it closes, cancelled or not
 * Threads:  any */
int edo_fs_close(edo_file *f);

/* edo_fs_fd - its descriptor, which stays the file's.
 *
 *     rc = posix_fadvise(edo_fs_fd(f), 0, 0, POSIX_FADV_SEQUENTIAL);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_fs_fd(const edo_file *f);

/* edo_fs_read_at - reads n bytes from an offset on.
 * edo_fs_readv_at - the same into up to 64 pieces, filled in order; iov is not changed.
 * Returns n, or fewer at the end of the file, 0 behind it. On failure, and when cancelled, what is in
 * the buffer means nothing. -EBADF: not open for reading; -EISDIR; -ESPIPE: a FIFO, socket or
 * terminal, which only a stream can read; -EINVAL: an offset or n beyond what files can have.
 *
 *     ssize_t n = edo_fs_read_at(f, buf, sizeof buf, 0);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any, many at a time */
EDO_MUST_CHECK ssize_t edo_fs_read_at(edo_file *f, void *buf, size_t n, uint64_t offset);
EDO_MUST_CHECK ssize_t edo_fs_readv_at(edo_file *f, const struct iovec *iov, int count,
                                       uint64_t offset);

/* edo_fs_read_some_at - reads what one system call gives, at least one byte: on a regular file what
 * is in memory comes at once, without waiting for the rest.
 * Returns the number of bytes; 0 at the end; the codes of edo_fs_read_at().
 *
 *     ssize_t n = edo_fs_read_some_at(f, buf, sizeof buf, 0);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any, many at a time */
EDO_MUST_CHECK ssize_t edo_fs_read_some_at(edo_file *f, void *buf, size_t n, uint64_t offset);

/* edo_fs_write_at - writes all n bytes from an offset on, at the end whatever the offset is when the
 * file was opened with O_APPEND.
 * edo_fs_writev_at - the same from up to 64 pieces; iov is not changed.
 * Returns n. Once the first byte is written a cancel does not stop it. On failure part may have been
 * written: -ENOSPC, -EDQUOT: no room; -EFBIG: larger than the file system or RLIMIT_FSIZE allow
 * (which also sends SIGXFSZ to a thread that does not block it); -EBADF: not open for writing;
 * -EPERM: sealed, or append only; -ESPIPE as above; -EINVAL.
 *
 *     ssize_t n = edo_fs_write_at(f, buf, sizeof buf, 4096);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any, many at a time */
EDO_MUST_CHECK ssize_t edo_fs_write_at(edo_file *f, const void *data, size_t n, uint64_t offset);
EDO_MUST_CHECK ssize_t edo_fs_writev_at(edo_file *f, const struct iovec *iov, int count,
                                        uint64_t offset);

/* edo_fs_write_some_at - writes what one system call takes: nearly always all, less when the room
 * ends; then the next one says why.
 * Returns the number of bytes, at least 1 (0 when n is 0), or the codes of edo_fs_write_at(); then
 * nothing was written.
 *
 *     ssize_t n = edo_fs_write_some_at(f, buf, sizeof buf, 0);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any, many at a time */
EDO_MUST_CHECK ssize_t edo_fs_write_some_at(edo_file *f, const void *data, size_t n,
                                            uint64_t offset);

/* edo_fs_stream - a stream over a file, with a position of its own that starts at an offset: for
 * edo_reader, edo_writer, edo_copy() and all that takes streams. Reading and writing move the same
 * position. A FIFO, socket or terminal is waited for as by other streams, and has no offset.
 * edo_fs_open_stream - opens the file as edo_fs_open() does and gives the stream alone.
 * @f: stays the caller's and may be closed before the stream.
 * Returns 0; -ENOMEM; -EMFILE; -EISDIR; the codes of edo_fs_open().
 *
 *     edo_stream *s;
 *     rc = edo_fs_open_stream(&s, "input.csv", O_RDONLY, 0);
 *
 * Suspends: maybe (edo_fs_stream(): never)
 * Cancel:   checkpoint (edo_fs_stream(): not a checkpoint)
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_stream(edo_stream **out, edo_file *f, uint64_t offset);
EDO_MUST_CHECK int edo_fs_open_stream(edo_stream **out, const char *path, int flags, unsigned mode);

/* edo_fs_sync - waits until what was written, and what is known of the file, is on the disk.
 * edo_fs_datasync - the same, less what is not needed to read it back (times).
 * edo_fs_sync_dir - the same for the names in a directory: a new or renamed file survives a power cut
 * only after that.
 * Returns 0; -EIO: something was lost, and the next call will not say so again; -ENOSPC, -EDQUOT;
 * -EBADF; -EINVAL: of what cannot be synchronised.
 *
 *     rc = edo_fs_sync(f);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_sync(edo_file *f);
EDO_MUST_CHECK int edo_fs_datasync(edo_file *f);
EDO_MUST_CHECK int edo_fs_sync_dir(const char *path);

/* edo_fs_allocate - makes sure that a part of the file has its place on the disk, so that writing
 * there cannot fail for want of room; the file grows when the part reaches beyond its end.
 * Returns 0; -ENOSPC, -EDQUOT; -EOPNOTSUPP: not on this file system; -EFBIG; -EBADF; -EINVAL.
 *
 *     rc = edo_fs_allocate(f, 0, 1 << 20);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_allocate(edo_file *f, uint64_t offset, uint64_t n);

/* edo_fs_truncate - makes a file so many bytes long: what is behind is lost, what is missing is zero.
 * edo_fs_ftruncate - the same of an open file.
 * Returns 0; -EINVAL, -EFBIG: too long, or not open for writing; -EISDIR; -EPERM, -EROFS, -ETXTBSY.
 *
 *     rc = edo_fs_ftruncate(f, 0);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_truncate(const char *path, uint64_t size);
EDO_MUST_CHECK int edo_fs_ftruncate(edo_file *f, uint64_t size);

/* ---- locks ---- */

enum {                       /* kinds */
       EDO_FS_SHARED = 1,    /* with others that are shared; the file must be open for reading */
       EDO_FS_EXCLUSIVE = 2, /* alone; the file must be open for writing                       */
};

/* edo_fs_lock - locks a file against other edo_files, of this process and of others, that lock it too
 * (those that do not may do as they like). The lock is the edo_file's: all tasks that share it have it,
 * and opening the file again gives one without. A lock that it has already is changed to the kind asked
 * for; until then it keeps the old one, so two that want to go from shared to exclusive wait for each
 * other: unlock first.
 * edo_fs_lock_range - only n bytes from an offset on, which need not exist; n 0: all to the end.
 * edo_fs_lock_nowait, edo_fs_lock_range_nowait - -EAGAIN instead of waiting.
 * Within the process who waits is called as soon as a lock is given up, in order of arrival; a lock that
 * another process gives up is noticed after at most 64 ms.
 * Returns 0; -EBADF: not open for that kind; -EINVAL; -ENOLCK: too many, or a file system without locks.
 *
 *     rc = edo_fs_lock(f, EDO_FS_EXCLUSIVE);
 *
 * Suspends: maybe (_nowait: never)
 * Cancel:   checkpoint (_nowait: not a checkpoint)
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_lock(edo_file *f, int kind);
EDO_MUST_CHECK int edo_fs_lock_nowait(edo_file *f, int kind);
EDO_MUST_CHECK int edo_fs_lock_range(edo_file *f, int kind, uint64_t offset, uint64_t n);
EDO_MUST_CHECK int edo_fs_lock_range_nowait(edo_file *f, int kind, uint64_t offset, uint64_t n);

/* edo_fs_unlock - gives up all locks of the file. Closing it does so, too.
 * edo_fs_unlock_range - those of n bytes from an offset on; a lock may be cut in two.
 * Returns 0; -EBADF; -EINVAL; -ENOLCK: too many pieces.
 *
 *     rc = edo_fs_unlock(f);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_fs_unlock(edo_file *f);
int edo_fs_unlock_range(edo_file *f, uint64_t offset, uint64_t n);

/* ---- what is known of a file ---- */

typedef enum edo_fs_type {
    EDO_FS_UNKNOWN, /* the directory does not say: ask edo_fs_lstat() */
    EDO_FS_FILE,
    EDO_FS_DIR,
    EDO_FS_LINK, /* a symbolic one */
    EDO_FS_FIFO,
    EDO_FS_SOCKET,
    EDO_FS_CHAR, /* devices */
    EDO_FS_BLOCK,
} edo_fs_type;

typedef struct edo_fs_info {
    edo_fs_type type;
    uint32_t mode; /* permissions: 07777 */
    uint64_t size; /* bytes */
    uint64_t used; /* bytes it takes on the disk */
    uint32_t uid, gid;
    uint64_t links;  /* names it has */
    uint64_t inode;  /* with device: the same file has the same two */
    uint64_t device; /* it is on */
    uint64_t rdev;   /* it is, when it is a device */
    uint32_t block;  /* bytes that are best read at a time */
    int64_t atime;   /* last read, nanoseconds since 1970 ... */
    int64_t mtime;   /* ... written ... */
    int64_t ctime;   /* ... changed in any way ... */
    int64_t btime;   /* ... made; INT64_MIN: not known on this file system */
} edo_fs_info;

/* edo_fs_stat - what is known of a file.
 * edo_fs_lstat - the same; of a symbolic link itself.
 * edo_fs_fstat - of an open file.
 * Returns 0, or the codes of paths.
 *
 *     edo_fs_info info;
 *     rc = edo_fs_stat("input.csv", &info);
 *     if (rc == 0 && info.type == EDO_FS_DIR)
 *         puts("a directory");
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_stat(const char *path, edo_fs_info *out);
EDO_MUST_CHECK int edo_fs_lstat(const char *path, edo_fs_info *out);
EDO_MUST_CHECK int edo_fs_fstat(edo_file *f, edo_fs_info *out);

/* edo_fs_exists - whether something is there; a symbolic link that leads nowhere is not.
 * Returns 1; 0: no; a negative code: that cannot be told (-EACCES).
 *
 *     if (edo_fs_exists("config.toml") > 0)
 *         puts("found");
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_exists(const char *path);

/* edo_fs_access - whether the process may: access(2) with the effective ids.
 * @mode: R_OK, W_OK, X_OK of <unistd.h>, or 0 for being there.
 * Returns 0; -EACCES; -EROFS; the codes of paths.
 *
 *     rc = edo_fs_access("/bin/sh", 1);   // X_OK
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_access(const char *path, int mode);

/* edo_fs_chmod - sets the permissions. edo_fs_fchmod - of an open file.
 * edo_fs_chown - sets owner and group; (unsigned)-1: as it is. edo_fs_fchown - of an open file.
 * edo_fs_lchown - of a symbolic link itself.
 * Returns 0; -EPERM: not the owner's; -EROFS; the codes of paths.
 *
 *     rc = edo_fs_chmod("run.sh", 0755);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_chmod(const char *path, unsigned mode);
EDO_MUST_CHECK int edo_fs_fchmod(edo_file *f, unsigned mode);
EDO_MUST_CHECK int edo_fs_chown(const char *path, unsigned uid, unsigned gid);
EDO_MUST_CHECK int edo_fs_lchown(const char *path, unsigned uid, unsigned gid);
EDO_MUST_CHECK int edo_fs_fchown(edo_file *f, unsigned uid, unsigned gid);

#define EDO_FS_NOW INT64_MAX  /* of edo_fs_utimes(): the present time */
#define EDO_FS_OMIT INT64_MIN /* as it is */

/* edo_fs_utimes - sets the times of the last read and the last write.
 * edo_fs_lutimes - of a symbolic link itself. edo_fs_futimes - of an open file.
 * @atime, @mtime: nanoseconds since 1970, EDO_FS_NOW, or EDO_FS_OMIT.
 * Returns 0; -EPERM, -EACCES: not the owner's; -EROFS; the codes of paths.
 *
 *     rc = edo_fs_utimes("log.txt", EDO_FS_OMIT, EDO_FS_NOW);   // touch
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_utimes(const char *path, int64_t atime, int64_t mtime);
EDO_MUST_CHECK int edo_fs_lutimes(const char *path, int64_t atime, int64_t mtime);
EDO_MUST_CHECK int edo_fs_futimes(edo_file *f, int64_t atime, int64_t mtime);

typedef struct edo_fs_space {
    uint64_t total;     /* bytes */
    uint64_t free;      /* bytes, those for the administrator included */
    uint64_t available; /* bytes that this process may use */
    uint64_t files;     /* there may be; 0: no fixed number */
    uint64_t files_free;
    uint64_t type; /* the kernel's number of the kind of file system, see statfs(2) */
} edo_fs_space;

/* edo_fs_statfs - how much room there is on the file system where path is.
 * Returns 0, or the codes of paths.
 *
 *     edo_fs_space space;
 *     rc = edo_fs_statfs(".", &space);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_statfs(const char *path, edo_fs_space *out);

/* ---- names ---- */

/* edo_fs_mkdir - makes a directory.
 * edo_fs_mkdir_all - and those above it that are missing; fine when it exists. When it fails or is
 * cancelled some of those above may have been made.
 * @mode: permissions, less the umask; 0: 0777.
 * Returns 0; -EEXIST (_all: only when it is no directory); -ENOSPC, -EDQUOT, -EMLINK; -EROFS.
 *
 *     rc = edo_fs_mkdir_all("out/2024/05", 0755);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_mkdir(const char *path, unsigned mode);
EDO_MUST_CHECK int edo_fs_mkdir_all(const char *path, unsigned mode);

enum {                       /* edo_fs_rename_with() */
       EDO_FS_NOREPLACE = 1, /* -EEXIST when `to` exists              */
       EDO_FS_EXCHANGE = 2,  /* the two change places; both must exist */
};

/* edo_fs_rename - gives a file or directory another name; what had that name is replaced, at once: it
 * is never missing.
 * edo_fs_rename_with - with EDO_FS_NOREPLACE or EDO_FS_EXCHANGE; 0: as above.
 * Returns 0; -EXDEV: on different file systems (copy, then remove); -EISDIR, -ENOTDIR; -ENOTEMPTY,
 * -EEXIST: `to` is a directory with something in it; -EBUSY; -EROFS; -EINVAL: a directory into
 * itself, or the file system does not know these flags.
 *
 *     rc = edo_fs_rename("data.new", "data");
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_rename(const char *from, const char *to);
EDO_MUST_CHECK int edo_fs_rename_with(const char *from, const char *to, unsigned flags);

/* edo_fs_remove - removes a file, a symbolic link itself, or an empty directory.
 * edo_fs_unlink - anything but a directory (-EISDIR). edo_fs_rmdir - an empty directory (-ENOTDIR).
 * edo_fs_remove_all() in <edo/fs_tree.h> removes what is in a directory, too.
 * Returns 0; -ENOTEMPTY; -EBUSY; -EPERM, -EROFS; the codes of paths.
 *
 *     rc = edo_fs_remove("data.old");
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_remove(const char *path);
EDO_MUST_CHECK int edo_fs_unlink(const char *path);
EDO_MUST_CHECK int edo_fs_rmdir(const char *path);

/* edo_fs_link - gives a file a further name (a hard link); a symbolic link is not followed.
 * edo_fs_symlink - makes a symbolic link at path with this target, which need not exist.
 * Returns 0; -EEXIST; -EXDEV: on different file systems; -EPERM: of a directory, or not there at all;
 * -EMLINK; -ENOSPC, -EDQUOT; -EROFS.
 *
 *     rc = edo_fs_symlink("releases/42", "current");
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_link(const char *existing, const char *path);
EDO_MUST_CHECK int edo_fs_symlink(const char *target, const char *path);

/* edo_fs_readlink - the target of a symbolic link.
 * @buf, @size: gets it with a zero byte behind.
 * Returns its length; -EINVAL: no symbolic link; -ERANGE: it does not fit; the codes of paths.
 *
 *     ssize_t n = edo_fs_readlink("current", buf, sizeof buf);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK ssize_t edo_fs_readlink(const char *path, char *buf, size_t size);

/* edo_fs_realpath - the absolute path without symbolic links, "." and "..".
 * @out: to be freed by free(3).
 * Returns 0, -ENOMEM, or the codes of paths.
 *
 *     char *full;
 *     rc = edo_fs_realpath("../data", &full);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_realpath(const char *path, char **out);

/* ---- directories ---- */

typedef struct edo_dir edo_dir;

typedef struct edo_dir_options {
    bool stat; /* entries bring what edo_fs_lstat() says of them */
} edo_dir_options;

typedef struct edo_dir_entry {
    const char *name; /* valid until the next edo_fs_readdir() or edo_fs_closedir() */
    edo_fs_type type;
    uint64_t inode;
    const edo_fs_info *info; /* with edo_dir_options.stat, else NULL; NULL when it has just gone */
} edo_dir_entry;

/* edo_fs_opendir - begins to read a directory; many entries are fetched at a time.
 * @out: closed by edo_fs_closedir(); for one task at a time.
 * @options: NULL for the defaults.
 * Returns 0; -ENOTDIR; -EMFILE, -ENFILE; -ENOMEM; the codes of paths.
 *
 *     edo_dir *d;
 *     edo_dir_entry e;
 *     rc = edo_fs_opendir(&d, ".", NULL);
 *     while (rc >= 0 && (rc = edo_fs_readdir(d, &e)) > 0)
 *         puts(e.name);
 *     edo_fs_closedir(d);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_opendir(edo_dir **out, const char *path, const edo_dir_options *options);

/* edo_fs_readdir - the next entry, in no particular order; "." and ".." are left out. What is added or
 * removed meanwhile may be seen or not.
 * Returns 1; 0: there are no more; -ENOENT: the directory was removed; -ENOMEM.
 *
 *     while ((rc = edo_fs_readdir(d, &e)) > 0)
 *         puts(e.name);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any, one at a time */
EDO_MUST_CHECK int edo_fs_readdir(edo_dir *d, edo_dir_entry *out);

/* edo_fs_rewinddir - the next edo_fs_readdir() starts from the beginning.
 * edo_fs_closedir - gives the directory up. NULL is allowed.
 *
 *     edo_fs_closedir(d);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_fs_rewinddir(edo_dir *d);
void edo_fs_closedir(edo_dir *d);

/* edo_fs_list - the names in a directory, sorted by their bytes.
 * @out: an array that ends with NULL; freed with all names by one free(3).
 * Returns how many; the codes of edo_fs_opendir() and edo_fs_readdir().
 *
 *     char **names;
 *     rc = edo_fs_list("conf.d", &names);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_list(const char *path, char ***out);

/* ---- whole files ---- */

/* edo_fs_read_all - reads a whole file into memory.
 * @limit: bytes at most; SIZE_MAX for no limit.
 * @out: to be freed by free(3). A zero byte, which is not counted, is behind the last one.
 * Returns the number of bytes; EDO_EOVERSIZE: it has more than limit; -EISDIR; -ENOMEM; the codes of
 * edo_fs_open() and edo_fs_read_at().
 *
 *     char *data;
 *     ssize_t n = edo_fs_read_all("config.toml", 1 << 20, &data);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK ssize_t edo_fs_read_all(const char *path, size_t limit, char **out);

typedef struct edo_write_options {
    unsigned mode;  /* permissions of a new file, less the umask; 0: 0666 */
    bool exclusive; /* -EEXIST when there is something by that name, whatever it is */
    bool no_sync;   /* does not wait for the disk: readers still see old or new and nothing between,
                       but after a power cut it may be either, or empty */
} edo_write_options;

/* edo_fs_write_all - replaces the content of a file at once: who opens it before or meanwhile reads the
 * old, who opens it after that the new, nobody a part. A file that did not exist appears whole. When
 * it returns, the new content has reached the disk.
 *
 * It writes a file without a name (or where the file system has no such, with a hidden one) in the same
 * directory, which gets the old one's permissions, and its owner and group if the process may set
 * them, and takes its place. Other hard links keep the old content; a symbolic link stays, and what it
 * points to is replaced (-ENOENT when that is missing). Access control lists and extended
 * attributes are not copied.
 * @options: NULL for the defaults.
 * Returns 0. On any failure, and when cancelled, the file is what it was and nothing else is left
 * behind: -EISDIR; -EEXIST (exclusive); -ENOSPC, -EDQUOT, -EFBIG; -EACCES, -EROFS: of the directory;
 * -EMFILE, -ENFILE; -ENOMEM. Only -EIO may come when the new file is in place already, and the disk
 * does not answer for the directory.
 *
 *     rc = edo_fs_write_all("state.json", "{}", 2, NULL);
 *
 * Suspends: always
 * Cancel:   checkpoint; stops until the new file is to take its place
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_write_all(const char *path, const void *data, size_t n,
                                    const edo_write_options *options);

/* edo_fs_append_all - writes n bytes at the end of a file, which is made if need be.
 * @mode: permissions of a new file, less the umask; 0: 0666.
 * Returns 0, or the codes of edo_fs_open() and edo_fs_write_at().
 *
 *     rc = edo_fs_append_all("audit.log", "started\n", 8, 0640);
 *
 * Suspends: always
 * Cancel:   checkpoint until the first byte is written
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_append_all(const char *path, const void *data, size_t n, unsigned mode);

/* edo_fs_copy_file - copies content and permissions of a regular file; shares the blocks on the disk
 * where the file system can, else lets the kernel copy. The copy takes its place at once, as of
 * edo_fs_write_all().
 * @options: NULL for the defaults; mode: permissions of the copy, exactly these, instead of those of
 *   the file.
 * Returns the number of bytes; -EISDIR, -EINVAL: no regular file; the codes of edo_fs_open() and
 * edo_fs_write_all().
 *
 *     int64_t n = edo_fs_copy_file("data.db", "backup.db", NULL);
 *
 * Suspends: always
 * Cancel:   checkpoint; stops until the copy is to take its place
 * Threads:  any */
EDO_MUST_CHECK int64_t edo_fs_copy_file(const char *from, const char *to,
                                        const edo_write_options *options);

/* edo_fs_temp_file - a file without a name, for reading and writing, gone when it is closed.
 * @dir: where; NULL: $TMPDIR, or /tmp.
 * Returns 0; -EACCES, -EROFS; -ENOSPC; -EMFILE, -ENFILE; -ENOMEM.
 *
 *     rc = edo_fs_temp_file(&f, NULL);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_temp_file(edo_file **out, const char *dir);

/* edo_fs_mkstemp - makes a file that did not exist, for reading and writing by its owner.
 * edo_fs_mkdtemp - a directory.
 * @path: a path that ends with six or more 'X', which are replaced by the name that was found; as
 *   it was on failure.
 * Returns 0; -EINVAL: no such end; -EEXIST: no free name was found; the codes of edo_fs_open().
 *
 *     char path[] = "upload-XXXXXX";
 *     rc = edo_fs_mkstemp(&f, path);
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_fs_mkstemp(edo_file **out, char *path);
EDO_MUST_CHECK int edo_fs_mkdtemp(char *path);

#ifdef __cplusplus
}
#endif

#include <edo/fs_tree.h>
#endif
