/* Files: atomic writes, whole reads, and folders that one run at a time writes to. Only regular files are ever opened.
 */
#ifndef TL_FILE_H
#define TL_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "tools/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A file being written: beside its place under a name of its own, then synced, renamed into its place, and the folder
 * synced. */
typedef struct tl_output {
    FILE *stream; /* write here, and do not seek; errors are looked at when it is closed */
    char  path[4096], temporary[4096 + 40];
} tl_output;

/* Each returns false with the reason on failure; the file at `path` is then as it was before, except if only its folder
 * could not be synced, which the reason says: then it is the new one, but may be lost if the machine stops. A path that
 * is there and is not a regular file is refused. What open began ends with close, or with abandon, which leaves `path`
 * alone. */
bool tl_output_open(tl_output *f, const char *path, tl_error *why);
bool tl_output_close(tl_output *f, tl_error *why);
void tl_output_abandon(tl_output *f);

/* Removes what writers that were killed have left in a folder: names that end in ".part" as tl_output_open makes them,
 * unless another process of the number in the name is running. To be called before the folder's outputs are opened. */
void tl_output_clean(const char *folder);

/* The whole of a regular file, to be freed by the caller; or NULL with the reason. One more byte than *size is there, a
 * 0. */
void *tl_read_file(const char *path, size_t *size, tl_error *why);

/* A regular file that is read where it is, for what is larger than memory: a descriptor, or -1 with the reason. Several
 * threads may read from it at once; it must not change meanwhile. */
int  tl_file_open(const char *path, int64_t *size, tl_error *why);
bool tl_file_read(int file, const char *path, int64_t at, void *to, size_t n,
                  tl_error *why); /* path: for the message */
void tl_file_close(int file);

/* The path of the file `name` in the folder that the file `path` is in. False if it is longer than size - 1. */
bool tl_beside(const char *path, const char *name, char *to, size_t size, tl_error *why);

/* Makes a folder and those above it. False if it cannot be written to. */
bool tl_make_folder(const char *path, tl_error *why);

/* Takes the folder for this process: a lock on the file ".lock" in it, which ends with the process or with
 * tl_folder_unlock. Returns the lock, or -1 with the reason: another process, which is named, has it. */
int  tl_folder_lock(const char *folder, tl_error *why);
void tl_folder_unlock(int lock);

/* Makes sure that descriptors 0 to 2 are open, so that no file of the program's takes their place: one that was closed
 * gives an error when it is used. To be called first in main. */
void tl_keep_standard_streams(void);

/* For the end of main: the exit status; or 1, and a message, if standard output could not be written. */
int tl_exit_status(const char *program, int status);

#ifdef __cplusplus
}
#endif
#endif
