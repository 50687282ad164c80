#define _POSIX_C_SOURCE 200809L
#include "tools/whole_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool whole_file_open(whole_file *f, const char *path, char *message, size_t size)
{
    int n = snprintf(f->path, sizeof f->path, "%s", path);
    if (n < 0 || (size_t)n >= sizeof f->path) {
        snprintf(message, size, "%.80s...: the path is too long", path);
        return false;
    }
    snprintf(f->temporary, sizeof f->temporary, "%s.part", f->path);
    f->file = fopen(f->temporary, "wb");
    if (!f->file)
        snprintf(message, size, "%s: %s", f->temporary, strerror(errno));
    return f->file != NULL;
}

bool whole_file_close(whole_file *f, char *message, size_t size)
{
    errno = 0;
    bool ok = fflush(f->file) == 0 && !ferror(f->file) && fsync(fileno(f->file)) == 0;
    int why = errno;
    if (fclose(f->file) != 0 && ok) {
        why = errno;
        ok = false;
    }
    if (ok && rename(f->temporary, f->path) != 0) {
        why = errno;
        ok = false;
    }
    if (!ok) {
        snprintf(message, size, "%s: cannot be written: %s", f->path, why ? strerror(why) : "write error");
        remove(f->temporary);
    }
    return ok;
}
