/* Memory for arrays whose size is computed: no product overflows. */
#ifndef TL_MEMORY_H
#define TL_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Room for rows x columns elements of `size` bytes, to be freed by the caller; NULL when a number is negative, the
 * product does not fit, or memory runs out. Never of 0 bytes. */
static inline void *tl_array(int64_t rows, int64_t columns, size_t size)
{
    const uint64_t most = SIZE_MAX / 4;
    if (rows < 0 || columns < 0 || (uint64_t)rows > most ||
        (columns > 0 && (uint64_t)rows > most / size / (uint64_t)columns))
        return NULL;
    size_t bytes = (size_t)rows * (size_t)columns * size;
    return malloc(bytes ? bytes : 1);
}

#endif
