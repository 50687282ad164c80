/* Files that are there whole or not at all: written beside their place, then renamed into it. */
#ifndef TOOLS_WHOLE_FILE_H
#define TOOLS_WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct whole_file {
    FILE *file; /* to write to; errors are looked at when it is closed */
    char  path[4096], temporary[4104];
} whole_file;

/* Each writes a message and returns false when it fails; then the file at `path` is as it was before. */
bool whole_file_open(whole_file *f, const char *path, char *message, size_t size);
bool whole_file_close(whole_file *f, char *message, size_t size);

#endif
