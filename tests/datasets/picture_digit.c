/* One's own picture as an example like MNIST's: unchanged if it is one, else scaled, centred, light on dark. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "datasets/picture.h"
#include "tests/test.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE, MOST = 400 };

/* A picture of a plain ground. */
static ds_picture plain(int64_t height, int64_t width, int grey)
{
    static uint8_t pixels[MOST * MOST];
    memset(pixels, grey, sizeof pixels);
    return (ds_picture){height, width, pixels};
}

static void paint(ds_picture *p, int64_t top, int64_t left, int64_t height, int64_t width, int grey)
{
    for (int64_t y = top; y < top + height; y++)
        memset(p->grey + y * p->width + left, grey, (size_t)width);
}

static void invert(ds_picture *p)
{
    for (int64_t i = 0; i < p->height * p->width; i++)
        p->grey[i] = (uint8_t)(255 - p->grey[i]);
}

static void to_digit(const ds_picture *p, ag_real out[PIXELS])
{
    tl_error why;
    cr_assert(ds_picture_to_digit(p, SIDE, SIDE, out, &why), "%s", why.text);
    for (int i = 0; i < PIXELS; i++)
        cr_assert(out[i] >= 0 && out[i] <= 1, "pixel %d is %g", i, (double)out[i]);
}

/* What of `x` is drawn: its box, and its centre of mass in pixels. */
typedef struct shape {
    int    top, left, bottom, right;
    double down, across;
} shape;

static shape find_shape(const ag_real x[PIXELS])
{
    shape  s = {SIDE, SIDE, 0, 0, 0, 0};
    double mass = 0;
    for (int i = 0; i < PIXELS; i++) {
        int row = i / SIDE, column = i % SIDE;
        if (x[i] > 0.01f) {
            s.top = row < s.top ? row : s.top;
            s.bottom = row >= s.bottom ? row + 1 : s.bottom;
            s.left = column < s.left ? column : s.left;
            s.right = column >= s.right ? column + 1 : s.right;
        }
        mass += (double)x[i];
        s.down += row * (double)x[i];
        s.across += column * (double)x[i];
    }
    s.down /= mass;
    s.across /= mass;
    return s;
}

Test(picture_digit, digits_come_through_unchanged)
{
    ds_dataset  d;
    tl_error    why;
    ag_real     got[PIXELS], wanted[PIXELS];
    const char *folder = mnist_folder();
    cr_assert(folder ? ds_mnist_read(folder, false, &d, &why) : ds_digits_make(500, 3, &d, &why), "%s", why.text);
    for (int64_t i = 0; i < d.count; i++) {
        ds_images(&d, &i, 1, wanted);
        to_digit(&(ds_picture){SIDE, SIDE, d.pixels + i * PIXELS}, got);
        cr_assert(memcmp(got, wanted, sizeof got) == 0, "image %lld", (long long)i);
    }
    ds_dataset_free(&d);
}

/* An image, enlarged, turned dark on light and put anywhere, gives nearly the image again. */
Test(picture_digit, enlarged_digits_become_themselves)
{
    enum { TIMES = 9, COUNT = 200 };
    ds_dataset  d;
    tl_error    why;
    ag_real     got[PIXELS], wanted[PIXELS];
    double      off = 0, ink = 0;
    const char *folder = mnist_folder();
    if (!folder)
        cr_skip_test("MNIST is not at hand");
    cr_assert(ds_mnist_read(folder, false, &d, &why), "%s", why.text);
    for (int64_t i = 0; i < COUNT; i++) {
        ds_picture p = plain(300, 400, 0);
        for (int64_t k = 0; k < PIXELS; k++)
            paint(&p, i % 48 + k / SIDE * TIMES, i % 148 + k % SIDE * TIMES, TIMES, TIMES, d.pixels[i * PIXELS + k]);
        invert(&p);
        ds_images(&d, &i, 1, wanted);
        to_digit(&p, got);
        for (int k = 0; k < PIXELS; k++) {
            off += fabs((double)(got[k] - wanted[k]));
            ink += (double)wanted[k];
        }
    }
    cr_assert(off < 0.15 * ink, "pixels are off by %.3f of the ink", off / ink);
    ds_dataset_free(&d);
}

Test(picture_digit, dark_on_light_is_turned_round)
{
    ag_real    light[PIXELS], dark[PIXELS];
    ds_picture p = plain(200, 300, 10);
    paint(&p, 20, 40, 120, 20, 240);
    paint(&p, 100, 60, 20, 50, 200);
    to_digit(&p, light);
    invert(&p);
    to_digit(&p, dark);
    cr_assert(memcmp(light, dark, sizeof light) == 0);
    cr_assert(dark[0] == 0 && find_shape(dark).bottom - find_shape(dark).top == 20);
}

/* A box keeps its proportions, its longer side is 20 pixels, and its middle is pixel 14 as far as whole pixels allow.
 */
Test(picture_digit, boxes_are_scaled_and_centred)
{
    static const int64_t box[][2] = {{100, 50}, {50, 100},  {20, 20}, {10, 10}, {3, 2},
                                     {1, 1},    {398, 398}, {2, 200}, {123, 77}};
    for (size_t i = 0; i < sizeof box / sizeof *box; i++) {
        ag_real    x[PIXELS];
        int64_t    height = box[i][0], width = box[i][1], longer = height > width ? height : width;
        ds_picture p = plain(MOST, MOST, 255);
        paint(&p, height == 398 ? 1 : (MOST - height) / 3, width == 398 ? 1 : (MOST - width) * 4 / 5, height, width,
              30);
        to_digit(&p, x);
        shape  s = find_shape(x);
        double tall = 20.0 * (double)height / (double)longer, wide = 20.0 * (double)width / (double)longer;
        double soft = longer < 20 ? 20.0 / (double)longer : 2; /* what interpolation adds to the sides */
        cr_assert(s.bottom - s.top >= floor(tall) && s.bottom - s.top <= tall + soft, "%zu: %d rows", i,
                  s.bottom - s.top);
        cr_assert(s.right - s.left >= floor(wide) && s.right - s.left <= wide + soft, "%zu: %d columns", i,
                  s.right - s.left);
        cr_assert(fabs(s.down - 14) <= 0.51 && fabs(s.across - 14) <= 0.51, "%zu: centre at %g, %g", i, s.down,
                  s.across);
    }
}

/* A drawing whose weight is at one end is not moved out of the image to centre it. */
Test(picture_digit, nothing_is_cut_off)
{
    ag_real    x[PIXELS];
    ds_picture p = plain(300, 300, 255);
    paint(&p, 40, 40, 60, 200, 0);
    paint(&p, 100, 40, 140, 4, 0);
    to_digit(&p, x);
    shape s = find_shape(x);
    cr_assert(s.bottom - s.top == 20 && s.right - s.left == 20 && s.bottom <= SIDE, "rows %d to %d", s.top, s.bottom);
}

Test(picture_digit, faint_ink_becomes_full)
{
    ag_real    x[PIXELS];
    ds_picture p = plain(100, 100, 130);
    paint(&p, 30, 40, 40, 8, 100);
    to_digit(&p, x);
    cr_assert(x[14 * SIDE + 14] >= 0.99f && x[0] == 0);
}

/* Ink along a whole side of the picture is not taken for shadow. */
Test(picture_digit, ink_may_touch_the_sides)
{
    ag_real    x[PIXELS];
    ds_picture p = plain(200, 150, 255);
    paint(&p, 0, 0, 20, 150, 20);
    paint(&p, 20, 65, 180, 20, 20);
    to_digit(&p, x);
    shape s = find_shape(x);
    cr_assert(s.bottom - s.top == 20 && s.right - s.left >= 15 && s.right - s.left <= 16, "%d x %d", s.bottom - s.top,
              s.right - s.left);
    cr_assert(x[(s.bottom - 2) * SIDE + s.left] == 0 && x[s.top * SIDE + s.left + 3] >= 0.99f);
}

/* Light from one side, grain and specks: the ground is still empty and the box still right. */
Test(picture_digit, uneven_paper_is_cleaned)
{
    ag_real    x[PIXELS];
    ds_picture p = plain(300, 400, 0);
    uint32_t   random = 1;
    for (int64_t y = 0; y < 300; y++)
        for (int64_t k = 0; k < 400; k++) {
            random = random * 1664525u + 1013904223u;
            bool ink = y >= 60 && y < 200 && k >= 100 && k < 130;
            p.grey[y * 400 + k] = (uint8_t)((ink ? 0.3 : 1.0) * (120 + (double)k / 5 + (double)y / 10) +
                                            (random >> 24) % 13);
        }
    for (int64_t i = 0; i < 6; i++)
        p.grey[(30 + 40 * i) * 400 + 380 - 60 * i] = 0;
    to_digit(&p, x);
    shape s = find_shape(x);
    cr_assert(s.bottom - s.top >= 20 && s.bottom - s.top <= 22 && s.right - s.left <= 7, "%d x %d", s.bottom - s.top,
              s.right - s.left);
    cr_assert(fabs(s.down - 14) < 0.6 && fabs(s.across - 14) < 0.6);
}

Test(picture_digit, other_targets_are_in_proportion)
{
    static ag_real x[56 * 56];
    tl_error       why;
    ds_picture     p = plain(300, 300, 255);
    paint(&p, 50, 60, 160, 160, 0);
    cr_assert(ds_picture_to_digit(&p, 56, 56, x, &why), "%s", why.text);
    int across = 0, down = 0;
    for (int i = 0; i < 56; i++) {
        across += x[28 * 56 + i] > 0.5f;
        down += x[i * 56 + 28] > 0.5f;
    }
    cr_assert(across == 40 && down == 40, "%d x %d", across, down);
    cr_assert(ds_picture_to_digit(&p, 8, 14, x, &why) && ds_picture_to_digit(&p, 1, 1, x, &why) && x[0] >= 0.99f, "%s",
              why.text);
}

Test(picture_digit, blank_pictures_are_refused)
{
    ag_real  x[PIXELS];
    tl_error why;
    for (int grey = 0; grey < 256; grey += 51) {
        ds_picture p = plain(SIDE, SIDE, grey);
        cr_assert(!ds_picture_to_digit(&p, SIDE, SIDE, x, &why) && strstr(why.text, "a blank picture"));
        paint(&p, 10, 10, 5, 5, grey < 128 ? grey + 20 : grey - 20);
        cr_assert(!ds_picture_to_digit(&p, SIDE, SIDE, x, &why) && strstr(why.text, "a blank picture"));
        p.height = p.width = 1;
        cr_assert(!ds_picture_to_digit(&p, SIDE, SIDE, x, NULL));
    }
    ds_picture p = plain(SIDE, SIDE, 0);
    paint(&p, 10, 10, 5, 5, 255);
    cr_assert(!ds_picture_to_digit(&p, 0, SIDE, x, &why) && strstr(why.text, "expected sides of at least 1"));
    cr_assert(!ds_picture_to_digit(&p, SIDE, -1, x, &why) && !ds_picture_to_digit(&p, INT64_MAX, 2, x, &why));
    cr_assert(!ds_picture_to_digit(NULL, 1, 1, x, &why) && !ds_picture_to_digit(&p, SIDE, SIDE, NULL, &why));
    cr_assert(!ds_picture_to_digit(&(ds_picture){0}, 1, 1, x, &why));
}

/* Pictures of one row, one column and very few pixels. */
Test(picture_digit, tiny_pictures_are_drawn)
{
    ag_real x[PIXELS];
    for (int64_t height = 1; height <= 4; height++)
        for (int64_t width = 1; width <= 4; width++)
            for (int bits = 0; bits<1 << (height * width); bits += height * width> 9 ? 37 : 1) {
                ds_picture p = plain(height, width, 0);
                for (int64_t i = 0; i < height * width; i++)
                    p.grey[i] = bits >> i & 1 ? 255 : 0;
                if (ds_picture_to_digit(&p, SIDE, SIDE, x, NULL))
                    to_digit(&p, x);
            }
}
