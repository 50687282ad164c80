#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "tests/support/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int     __real_open(const char *path, int flags, ...);
int     __real_close(int fd);
int     __real_fsync(int fd);
int     __real_fileno(FILE *stream);
int     __real_rename(const char *from, const char *to);
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __real_pread(int fd, void *bytes, size_t n, off_t at);
int     __wrap_open(const char *path, int flags, ...);
int     __wrap_open64(const char *path, int flags, ...);
int     __wrap_close(int fd);
int     __wrap_fsync(int fd);
int     __wrap_fileno(FILE *stream);
int     __wrap_rename(const char *from, const char *to);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t at);
ssize_t __wrap_pread64(int fd, void *bytes, size_t n, int64_t at);
FILE   *__real_fdopen(int fd, const char *mode);
FILE   *__wrap_fdopen(int fd, const char *mode);

static atomic_bool watching;
static atomic_long made, fails;

void io_watch(long at)
{
    made = 0;
    fails = at;
    watching = 1;
}

long io_unwatch(void)
{
    watching = 0;
    return made;
}

static int refused(void)
{
    if (!watching || made++ != fails)
        return 0;
    errno = EIO;
    return 1;
}

/* ---- Streams: the C library's own write to its descriptors unseen; these write through __wrap_write. ---- */

enum { STREAMS = 8 };

static struct {
    FILE *stream;
    int   fd;
} streams[STREAMS];

static ssize_t write_cookie(void *cookie, const char *bytes, size_t n)
{
    ssize_t done = __wrap_write((int)(intptr_t)cookie, bytes, n);
    return done < 0 ? 0 : done; /* what a cookie says of an error */
}

static int close_cookie(void *cookie)
{
    for (int i = 0; i < STREAMS; i++)
        if (streams[i].stream && streams[i].fd == (int)(intptr_t)cookie)
            streams[i].stream = NULL;
    return __wrap_close((int)(intptr_t)cookie);
}

/* The library only writes to streams of descriptors; one to read and write is that of what a coverage build counts. */
FILE *__wrap_fdopen(int fd, const char *mode)
{
    if (strchr(mode, '+'))
        return __real_fdopen(fd, mode);
    for (int i = 0; i < STREAMS && !refused(); i++)
        if (!streams[i].stream) {
            streams[i].fd = fd;
            return streams[i].stream = fopencookie(
                       (void *)(intptr_t)fd, mode,
                       (cookie_io_functions_t){.write = write_cookie, .close = close_cookie});
        }
    return NULL;
}

int __wrap_fileno(FILE *stream)
{
    for (int i = 0; i < STREAMS; i++)
        if (stream && streams[i].stream == stream)
            return streams[i].fd;
    return __real_fileno(stream);
}

/* ---- Descriptors. ---- */

int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return refused() ? -1 : __real_open(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return refused() ? -1 : __real_open(path, flags, mode);
}

int __wrap_fsync(int fd)
{
    return refused() ? -1 : __real_fsync(fd);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    return refused() ? -1 : __real_write(fd, bytes, n);
}

/* Half of what was asked for, as the system may give, so that readers have to ask again. */
ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t at)
{
    return refused() ? -1 : __real_pread(fd, bytes, watching ? (n + 1) / 2 : n, at);
}

ssize_t __wrap_pread64(int fd, void *bytes, size_t n, int64_t at)
{
    return __wrap_pread(fd, bytes, n, (off_t)at);
}

/* The descriptor is gone in any case, as on Linux. */
int __wrap_close(int fd)
{
    int result = __real_close(fd);
    return refused() ? -1 : result;
}

int __wrap_rename(const char *from, const char *to)
{
    return refused() ? -1 : __real_rename(from, to);
}

/* What a coverage build counted would be cut off, too, and with it what earlier processes counted: it goes nowhere. */
bool io_limit_files(long bytes)
{
    const struct rlimit limit = {(rlim_t)bytes, (rlim_t)bytes};
    setenv("GCOV_PREFIX", "/dev/null", 1);
    return signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0;
}
