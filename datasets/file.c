#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "datasets/file_internal.h"

bool ds_fail(ds_error *error, const char *path, const char *format, ...)
{
    int n = snprintf(error->text, sizeof error->text, "%.800s: ", path);
    va_list args;
    va_start(args, format);
    vsnprintf(error->text + n, sizeof error->text - (size_t)n, format, args);
    va_end(args);
    return false;
}

uint8_t *ds_read_whole(const char *path, size_t *size, ds_error *error)
{
    FILE *f = path ? fopen(path, "rb") : NULL;
    struct stat st;
    uint8_t *bytes = NULL;
    if (!path) {
        ds_fail(error, "NULL", "no path");
    } else if (!f || fstat(fileno(f), &st) != 0) {
        ds_fail(error, path, "%s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        ds_fail(error, path, "is no regular file");
    } else if (!(bytes = malloc((size_t)st.st_size + 1))) {
        ds_fail(error, path, "out of memory (%lld bytes)", (long long)st.st_size);
    } else if (fread(bytes, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
        ds_fail(error, path, "cannot be read: %s", ferror(f) ? strerror(errno) : "it has become shorter");
        free(bytes);
        bytes = NULL;
    } else {
        *size = (size_t)st.st_size;
    }
    if (f)
        fclose(f);
    return bytes;
}
