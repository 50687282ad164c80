#define _GNU_SOURCE /* fopencookie, which musl and the BSDs have, too */
#include "tools/stream_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(tl__stream *s, size_t n)
{
    const size_t most = SIZE_MAX / 4;
    if (n < s->room - s->size)
        return true;
    const size_t room = n < most && s->size < most ? 2 * (s->size + n) + 64 : 0;
    char        *bytes = room > 0 ? realloc(s->bytes, room) : NULL;
    if (!bytes)
        return false;
    s->bytes = bytes;
    s->room = room;
    return true;
}

/* Once anything is lost nothing more is taken: not every C library marks a stream whose write was short. */
static ssize_t put(void *self, const char *bytes, size_t n)
{
    tl__stream *s = self;
    s->lost = s->lost || !make_room(s, n);
    if (s->lost)
        return 0;
    memcpy(s->bytes + s->size, bytes, n);
    s->size += n;
    return (ssize_t)n;
}

bool tl__stream_open(tl__stream *s)
{
    *s = (tl__stream){0};
    if (make_room(s, 0))
        s->file = fopencookie(s, "w", (cookie_io_functions_t){.write = put});
    if (s->file)
        return true;
    free(s->bytes);
    s->bytes = NULL;
    return false;
}

char *tl__stream_close(tl__stream *s, size_t *size)
{
    if (!s->file)
        return NULL;
    const bool written = !ferror(s->file), ok = fclose(s->file) == 0 && written && !s->lost;
    s->file = NULL;
    if (!ok) {
        free(s->bytes);
        return s->bytes = NULL;
    }
    s->bytes[s->size] = 0;
    if (size)
        *size = s->size;
    return s->bytes;
}
