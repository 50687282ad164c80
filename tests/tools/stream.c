/* Streams into memory: what was written, or nothing. */
#include "tools/stream_internal.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/malloc.h"
#include "tests/test.h"

static void write_lines(FILE *f, int first, int n)
{
    for (int i = first; i < first + n; i++)
        fprintf(f, "%07d\n", i);
}

Test(stream, holds_what_was_written)
{
    tl__stream s;
    size_t     size = 1;
    cr_assert(tl__stream_open(&s));
    char *text = tl__stream_close(&s, &size);
    cr_assert(text && size == 0 && !*text);
    free(text);
    cr_assert(tl__stream_open(&s));
    write_lines(s.file, 0, 10000);
    text = tl__stream_close(&s, &size);
    cr_assert(text && size == 80000 && strlen(text) == size);
    for (int i = 0; i < 10000; i++)
        cr_assert(atoi(text + 8 * i) == i);
    free(text);
    cr_assert(!tl__stream_close(&s, &size));
}

/* Memory runs out in the middle of it, and is there again for what follows. */
Test(stream, has_no_holes)
{
    for (long limit = 0; limit < 8; limit++) {
        tl__stream s;
        malloc_watch(limit);
        const bool open = tl__stream_open(&s);
        if (open)
            write_lines(s.file, 0, 10000);
        const bool failed = malloc_unwatch() > limit;
        if (open)
            write_lines(s.file, 10000, 10000);
        char *text = open ? tl__stream_close(&s, NULL) : NULL;
        cr_expect(failed ? !text : text && strlen(text) == 160000, "%ld allocations", limit);
        free(text);
    }
}
