#define _XOPEN_SOURCE     700
#define _FILE_OFFSET_BITS 64
#include "tools/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/text.h"

/* ---- Atomic writes. ---- */

enum { TRIES = 100 }; /* names of temporary files that may be taken */

/* A stream on a new file beside the path, under a name that no other process uses. */
static FILE *open_temporary(tl_output *f)
{
    for (int i = 0; i < TRIES; i++) {
        snprintf(f->temporary, sizeof f->temporary, "%s.%ld-%d.part", f->path, (long)getpid(), i);
        int fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0 && errno == EEXIST)
            continue;
        FILE *stream = fd < 0 ? NULL : fdopen(fd, "wb");
        if (fd >= 0 && !stream) {
            close(fd);
            unlink(f->temporary);
        }
        return stream;
    }
    return NULL;
}

bool tl_output_open(tl_output *f, const char *path, tl_error *why)
{
    if (!f)
        return tl_fail(why, "no output to open");
    *f = (tl_output){0};
    path = path ? path : "";
    int n = snprintf(f->path, sizeof f->path, "%s", path);
    if (n < 1 || (size_t)n >= sizeof f->path)
        return tl_fail(why, "\"%.80s\": expected a path of 1 to %zu characters", path, sizeof f->path - 1);
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return tl_fail_at(why, path, "cannot be written: not a regular file");
    f->stream = open_temporary(f);
    return f->stream || tl_fail_at(why, path, "cannot be written: %s", strerror(errno));
}

void tl_output_abandon(tl_output *f)
{
    if (!f || !f->stream)
        return;
    fclose(f->stream);
    unlink(f->temporary);
    f->stream = NULL;
}

/* The folder that a path is in. */
static void folder_of(const char *path, char *folder, size_t size)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(folder, size, ".");
    else
        snprintf(folder, size, "%.*s", (int)(slash == path ? 1 : slash - path), path);
}

bool tl_beside(const char *path, const char *name, char *to, size_t size, tl_error *why)
{
    if (!path || !name || !to)
        return tl_fail(why, "no path, no name, or no place for the result");
    const char *slash = strrchr(path, '/');
    const int   n = snprintf(to, size, "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name);
    return (n > 0 && (size_t)n < size) || tl_fail(why, "%.60s...: the path is too long", path);
}

/* A rename is on disk only when its folder is. A folder that may be written but not read cannot be synced. */
static bool sync_folder(const char *path)
{
    char folder[4096];
    folder_of(path, folder, sizeof folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES;
    bool ok = fsync(fd) == 0 || errno == EINVAL; /* some file systems have nothing to sync */
    int  reason = errno;
    close(fd);
    errno = reason;
    return ok;
}

/* Why a write failed a while ago, if it still would: one more byte is tried on the file, which is given up in any case.
 */
static int write_failure(FILE *stream)
{
    errno = 0;
    return write(fileno(stream), "", 1) < 0 ? errno : 0;
}

bool tl_output_close(tl_output *f, tl_error *why)
{
    if (!f || !f->stream)
        return tl_fail(why, "the output is not open");
    errno = 0;
    bool ok = fflush(f->stream) == 0 && !ferror(f->stream) && fsync(fileno(f->stream)) == 0;
    int  reason = ok || errno ? errno : write_failure(f->stream);
    if (fclose(f->stream) != 0 && ok) {
        reason = errno;
        ok = false;
    }
    f->stream = NULL;
    if (ok && rename(f->temporary, f->path) != 0) {
        reason = errno;
        ok = false;
    }
    if (!ok) {
        unlink(f->temporary);
        return tl_fail_at(why, f->path, "cannot be written: %s", reason ? strerror(reason) : "write error");
    }
    return sync_folder(f->path) ||
           tl_fail_at(why, f->path, "written, but its folder cannot be synced: %s", strerror(errno));
}

/* The decimal number that ends at `*end`, which is moved to its first digit; -1 if there is none. */
static long number_before(const char *name, const char **end)
{
    const char *last = *end;
    while (*end > name && (*end)[-1] >= '0' && (*end)[-1] <= '9')
        --*end;
    return *end < last && last - *end < 10 ? strtol(*end, NULL, 10) : -1;
}

/* The process that made "<anything>.<process>-<number>.part"; -1 if a name is none of these. */
static long maker_of(const char *name)
{
    static const char end[] = ".part";
    const char       *at = name + strlen(name) - (tl_ends_with(name, end) ? strlen(end) : 0);
    if (!*at || number_before(name, &at) < 0 || at == name || *--at != '-')
        return -1;
    const long process = number_before(name, &at);
    return at > name + 1 && at[-1] == '.' ? process : -1;
}

/* Whether the process that made a file is still running. A file with this process's own number is of an earlier one. */
static bool is_running(long process)
{
    return process != (long)getpid() && (kill((pid_t)process, 0) == 0 || errno != ESRCH);
}

void tl_output_clean(const char *folder)
{
    char path[4096];
    DIR *d = folder ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        const int   n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        const long  maker = maker_of(e->d_name);
        struct stat st;
        if (maker > 0 && n > 0 && (size_t)n < sizeof path && lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
            !is_running(maker))
            unlink(path);
    }
    if (d)
        closedir(d);
}

/* ---- Reads. ---- */

/* A descriptor of a regular file, which is checked before it is opened, as opening a pipe or a device may wait or act.
 */
static int open_regular(const char *path, struct stat *st, tl_error *why)
{
    int fd = -1;
    if (!path || !*path)
        tl_fail(why, "no path");
    else if (stat(path, st) != 0)
        tl_fail_at(why, path, "%s", strerror(errno));
    else if (!S_ISREG(st->st_mode))
        tl_fail_at(why, path, "not a regular file");
    else if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
        tl_fail_at(why, path, "%s", strerror(errno));
    if (fd < 0 || (fstat(fd, st) == 0 && S_ISREG(st->st_mode)))
        return fd;
    tl_fail_at(why, path, "not a regular file");
    close(fd);
    return -1;
}

int tl_file_open(const char *path, int64_t *size, tl_error *why)
{
    struct stat st;
    const int   fd = open_regular(path, &st, why);
    if (fd >= 0 && size)
        *size = st.st_size;
    return fd;
}

bool tl_file_read(int file, const char *path, int64_t at, void *to, size_t n, tl_error *why)
{
    if (!to || at < 0)
        return tl_fail_at(why, path, "no place to read to, or from");
    for (size_t done = 0; done < n;) {
        const ssize_t got = pread(file, (char *)to + done, n - done, (off_t)at + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return tl_fail_at(why, path, "cannot be read: %s",
                              got < 0 ? strerror(errno) : "it became shorter while it was read");
        done += (size_t)got;
    }
    return true;
}

void tl_file_close(int file)
{
    if (file >= 0)
        close(file);
}

void *tl_read_file(const char *path, size_t *size, tl_error *why)
{
    struct stat st;
    int         fd = size ? open_regular(path, &st, why) : -1;
    if (!size)
        tl_fail(why, "no place for the size");
    if (fd < 0)
        return NULL;
    char *bytes = (uintmax_t)st.st_size < SIZE_MAX / 2 ? malloc((size_t)st.st_size + 1) : NULL;
    if (!bytes) {
        tl_fail_at(why, path, "out of memory (%lld bytes)", (long long)st.st_size);
    } else if (!tl_file_read(fd, path, 0, bytes, (size_t)st.st_size, why)) {
        free(bytes);
        bytes = NULL;
    } else {
        *size = (size_t)st.st_size;
        bytes[*size] = '\0';
    }
    close(fd);
    return bytes;
}

/* ---- Folders. ---- */

/* Why a folder cannot be made; `before` if it is there already. */
static int make_one(const char *path, int before)
{
    return mkdir(path, 0777) == 0 ? 0 : errno == EEXIST ? before : errno;
}

bool tl_make_folder(const char *path, tl_error *why)
{
    char part[4096];
    int  n = snprintf(part, sizeof part, "%s", path ? path : ""), reason = 0;
    if (n < 1 || (size_t)n >= sizeof part)
        return tl_fail(why, "\"%.80s\": expected a path of 1 to %zu characters", path ? path : "", sizeof part - 1);
    for (char *p = part + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            reason = make_one(part, reason);
            *p = '/';
        }
    reason = make_one(part, reason);
    struct stat st;
    if (stat(path, &st) != 0)
        return tl_fail_at(why, path, "cannot be made: %s", strerror(reason ? reason : errno));
    if (!S_ISDIR(st.st_mode))
        return tl_fail_at(why, path, "not a folder");
    return access(path, W_OK | X_OK) == 0 || tl_fail_at(why, path, "%s", strerror(errno));
}

int tl_folder_lock(const char *folder, tl_error *why)
{
    char        path[4096];
    struct stat st;
    int         n = snprintf(path, sizeof path, "%s/.lock", folder);
    bool        fits = n > 0 && (size_t)n < sizeof path;
    int         fd = fits ? open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666) : -1;
    if (fd < 0) {
        tl_fail_at(why, folder, "cannot be locked: %s", fits ? strerror(errno) : "the path is too long");
        return -1;
    }
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        tl_fail_at(why, path, "not a regular file");
    else if (fcntl(fd, F_SETLK, &whole) == 0)
        return fd;
    else if (errno != EACCES && errno != EAGAIN)
        tl_fail_at(why, path, "cannot be locked: %s", strerror(errno));
    else if (fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK && whole.l_pid > 0)
        tl_fail_at(why, folder, "process %ld is writing to this folder; choose another", (long)whole.l_pid);
    else
        tl_fail_at(why, folder, "another process is writing to this folder; choose another");
    close(fd);
    return -1;
}

void tl_folder_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

void tl_keep_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            int got = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY); /* the lowest that is free: fd itself */
            if (got > 2)
                close(got);
        }
}

int tl_exit_status(const char *program, int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "%s: standard output cannot be written\n", program ? program : "NULL");
    return 1;
}
