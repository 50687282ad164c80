/* Numbers as bytes of a file: in little-endian order, whatever the machine's. */
#ifndef TL_BYTES_H
#define TL_BYTES_H

#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define TL_BIG_ENDIAN 1
#else
#define TL_BIG_ENDIAN 0
#endif

/* Copies `count` numbers of `size` bytes each from the machine's order to the file's, or back. */
static inline void tl_file_order(void *to, const void *from, int64_t count, int64_t size)
{
    if (!TL_BIG_ENDIAN) {
        memcpy(to, from, (size_t)(count * size));
        return;
    }
    for (int64_t i = 0; i < count; i++)
        for (int64_t b = 0; b < size; b++)
            ((unsigned char *)to)[i * size + b] = ((const unsigned char *)from)[i * size + size - 1 - b];
}

#endif
