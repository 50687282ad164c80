#include "datasets/picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/pgm.h"
#include "datasets/picture_internal.h"
#include "datasets/png.h"
#include "tools/file.h"
#include "tools/memory.h"

bool ds__picture_check_size(uint64_t height, uint64_t width, const char *path, tl_error *why)
{
    if (height < 1 || width < 1 || height > DS_PICTURE_MOST_SIDE || width > DS_PICTURE_MOST_SIDE)
        return tl_fail_at(why, path, "a picture of %" PRIu64 " x %" PRIu64 " pixels, expected sides of 1 to %d", width,
                          height, DS_PICTURE_MOST_SIDE);
    return height * width <= (uint64_t)DS_PICTURE_MOST_PIXELS ||
           tl_fail_at(why, path, "a picture of %" PRIu64 " x %" PRIu64 " pixels, expected at most %" PRId64 " in all",
                      width, height, DS_PICTURE_MOST_PIXELS);
}

bool ds__picture_init(ds_picture *p, int64_t height, int64_t width, const char *path, tl_error *why)
{
    *p = (ds_picture){height, width, tl_array(height, width, 1)};
    if (p->grey)
        return true;
    *p = (ds_picture){0};
    return tl_fail_at(why, path, "out of memory (%" PRId64 " pixels)", height * width);
}

void ds_picture_free(ds_picture *p)
{
    if (!p)
        return;
    free(p->grey);
    *p = (ds_picture){0};
}

static bool begins(const uint8_t *bytes, size_t size, const char *with, size_t n)
{
    return bytes && size >= n && memcmp(bytes, with, n) == 0;
}

static bool is_png(const uint8_t *bytes, size_t size)
{
    return begins(bytes, size, "\x89PNG", 4);
}

static bool is_pgm(const uint8_t *bytes, size_t size)
{
    return begins(bytes, size, "P", 1) && size >= 2 && bytes[1] >= '1' && bytes[1] <= '6';
}

bool ds_picture_known(const uint8_t *bytes, size_t size)
{
    return is_png(bytes, size) || is_pgm(bytes, size);
}

/* Names the formats that people try. */
static bool refuse(const uint8_t *bytes, size_t size, const char *path, tl_error *why)
{
    static const struct {
        const char *name, *magic;
        size_t      n;
    } others[] = {{"JPEG", "\xff\xd8\xff", 3}, {"GIF", "GIF8", 4},   {"BMP", "BM", 2}, {"WebP", "RIFF", 4},
                  {"TIFF", "II*\0", 4},        {"TIFF", "MM\0*", 4}, {"PAM", "P7", 2}};
    if (size == 0)
        return tl_fail_at(why, path, "the file is empty");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (begins(bytes, size, others[i].magic, others[i].n))
            return tl_fail_at(why, path, "a %s file; save the picture as PNG instead", others[i].name);
    if (begins(bytes, size, "\x1f\x8b", 2))
        return tl_fail_at(why, path, "compressed by gzip; unpack it with gunzip");
    return tl_fail_at(why, path, "neither PNG nor PGM, PPM or PBM");
}

bool ds_picture_parse(const uint8_t *bytes, size_t size, const char *path, ds_picture *out, tl_error *why)
{
    if (!out || (!bytes && size > 0))
        return tl_fail_at(why, path, "no bytes to read, or no place for the result");
    *out = (ds_picture){0};
    if (is_png(bytes, size))
        return ds_png_parse(bytes, size, path, out, why);
    if (is_pgm(bytes, size))
        return ds_pgm_parse(bytes, size, path, out, why);
    return refuse(bytes, size, path, why);
}

bool ds_picture_read(const char *path, ds_picture *out, tl_error *why)
{
    if (!out)
        return tl_fail_at(why, path, "no place for the result");
    size_t size = 0;
    *out = (ds_picture){0};
    uint8_t *bytes = tl_read_file(path, &size, why);
    bool     ok = bytes && ds_picture_parse(bytes, size, path, out, why);
    free(bytes);
    return ok;
}
