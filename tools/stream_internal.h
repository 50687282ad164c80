/* A stream into memory that notices when memory runs out on the way. open_memstream of glibc 2.36 does not: what found
 * no room is missing, what follows is written behind it, and the stream has no error. */
#ifndef TL_STREAM_INTERNAL_H
#define TL_STREAM_INTERNAL_H

#include <stdbool.h>
#include <stdio.h>

/* It stays where it is until it is closed. */
typedef struct tl__stream {
    FILE *file; /* to be written to */
    /* private */
    char  *bytes;
    size_t size, room;
    bool   lost;
} tl__stream;

/* False if memory runs out. */
bool tl__stream_open(tl__stream *s);

/* What was written, to be freed by the caller, and behind it a 0 that `size`, which may be NULL, does not count. NULL
 * if any of it was lost, or it is not open. */
char *tl__stream_close(tl__stream *s, size_t *size);

#endif
