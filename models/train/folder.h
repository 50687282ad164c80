/* The folder that a run writes to: its own, locked while the run lasts, and never one that holds another run's results.
 */
#ifndef TRAIN_FOLDER_H
#define TRAIN_FOLDER_H

#include "tools/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct train_folder {
    char  path[4000];
    int   lock;     /* -1: not taken */
    bool  home;     /* the folder of the checkpoint that is resumed: its files stay */
    bool  numbered; /* the path was not the user's choice: base, base-2, base-3, ... */
    char  base[3900];
    char *files;        /* what runs have written here, a name a line: kept in the file .files */
    char *own;          /* those of this run */
    bool  replaces;     /* the files of the run before are still there */
    bool  replaces_any; /* files that no run has written may be replaced, too */
} train_folder;

/* Chooses the folder: `out` if not NULL; else that of the checkpoint `resume` if not NULL; else the first of base,
 * base-2, ... that holds no run. A folder of the user's choice that holds a run is refused, unless `overwrite` is set
 * or it is the one to be resumed. Nothing is made yet. */
bool train_folder_choose(train_folder *f, const char *out, const char *base, const char *resume, bool overwrite,
                         tl_error *why);

/* Makes the folder and locks it. With `overwrite` the run that it holds is to be replaced: its files, those that .files
 * names, stay until train_folder_settle, so that a run that comes to nothing takes nothing away. */
bool train_folder_open(train_folder *f, bool overwrite, tl_error *why);
void train_folder_close(train_folder *f);

/* The new run has something to show: the files of the one before that it has not replaced are removed. */
bool train_folder_settle(train_folder *f, tl_error *why);

/* The path of a file in the folder, which is noted as one of the run's. False if it is too long or cannot be noted, or
 * if there is a file by that name that no run has written, unless `overwrite` was set. */
bool train_folder_file(train_folder *f, const char *name, char *path, size_t size, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
