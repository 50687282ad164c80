/* Files that are there whole or not at all: written beside their place, synced, renamed into it, and the folder synced. */
#ifndef NN_WHOLE_FILE_H
#define NN_WHOLE_FILE_H

#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why something failed. */
typedef struct nn_message {
    char text[4096];
} nn_message;

typedef struct nn_whole_file {
    FILE *file; /* to write to; errors are looked at when it is closed */
    char  path[4096], temporary[4104];
} nn_whole_file;

/* Each returns false with the reason (`why` may be NULL) when it fails; then the file at `path` is as it was before. What is there and
 * is no regular file is refused. Close, or abandon, which leaves `path` alone, ends what open began. */
bool nn_whole_file_open(nn_whole_file *f, const char *path, nn_message *why);
bool nn_whole_file_close(nn_whole_file *f, nn_message *why);
void nn_whole_file_abandon(nn_whole_file *f);

/* Writes a reason, if *why is there. Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool nn_explain(nn_message *why, const char *format, ...);

#ifdef __cplusplus
}
#endif
#endif
