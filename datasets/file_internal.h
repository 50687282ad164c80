/* What the readers of this folder share. */
#ifndef DS_FILE_INTERNAL_H
#define DS_FILE_INTERNAL_H

#include "datasets/dataset.h"

/* The whole of a regular file, to be freed by the caller; or NULL, with the reason. */
uint8_t *ds_read_whole(const char *path, size_t *size, ds_error *error);

/* Writes "<path>: <message>". Returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
bool ds_fail(ds_error *error, const char *path, const char *format, ...);

#endif
