#define _POSIX_C_SOURCE 200809L
#include "nn/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool nn_explain(nn_message *why, const char *format, ...)
{
    if (!why)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return false;
}

bool nn_whole_file_open(nn_whole_file *f, const char *path, nn_message *why)
{
    *f = (nn_whole_file){0};
    path = path ? path : "";
    int n = snprintf(f->path, sizeof f->path, "%s", path);
    if (n < 1 || (size_t)n >= sizeof f->path)
        return nn_explain(why, "\"%.80s\": a path of 1 to %zu characters is expected", path, sizeof f->path - 1);
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return nn_explain(why, "%.3900s: cannot be written: is no regular file", path);
    snprintf(f->temporary, sizeof f->temporary, "%s.part", f->path);
    f->file = fopen(f->temporary, "wb");
    return f->file || nn_explain(why, "%.3900s: %s", f->temporary, strerror(errno));
}

void nn_whole_file_abandon(nn_whole_file *f)
{
    fclose(f->file);
    remove(f->temporary);
}

/* The rename itself is on disk only when the folder is. A folder that may be written but not read is as good as it gets. */
static bool sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    memcpy(folder, path, length);
    memcpy(folder + length, slash == path ? "/" : slash ? "" : ".", slash && slash != path ? 1 : 2);
    int fd = open(folder, O_RDONLY);
    if (fd < 0)
        return errno == EACCES;
    bool ok = fsync(fd) == 0 || errno == EINVAL; /* some file systems have nothing to sync */
    close(fd);
    return ok;
}

bool nn_whole_file_close(nn_whole_file *f, nn_message *why)
{
    errno = 0;
    bool ok = fflush(f->file) == 0 && !ferror(f->file) && fsync(fileno(f->file)) == 0;
    int reason = errno;
    if (fclose(f->file) != 0 && ok) {
        reason = errno;
        ok = false;
    }
    if (ok && (rename(f->temporary, f->path) != 0 || !sync_folder(f->path))) {
        reason = errno;
        ok = false;
    }
    if (!ok) {
        nn_explain(why, "%.3900s: cannot be written: %s", f->path, reason ? strerror(reason) : "write error");
        remove(f->temporary);
    }
    return ok;
}
