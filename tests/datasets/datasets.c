/* IDX files good and bad, synthetic digits, batches. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/batches.h"
#include "datasets/idx.h"
#include "datasets/npy.h"
#include "tests/test.h"

static const char *write_file(const char *name, const uint8_t *bytes, size_t n)
{
    static char path[256];
    snprintf(path, sizeof path, "%s", name);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    return path;
}

static char folder[128];

static void check_refused(const uint8_t *bytes, size_t n, int rank, const char *part)
{
    char     name[160];
    ds_idx   idx;
    tl_error e = {""};
    snprintf(name, sizeof name, "%s/file", folder);
    cr_assert(!ds_idx_read(write_file(name, bytes, n), rank, &idx, &e) && !idx.data, "not refused: %s", part);
    cr_assert(strstr(e.text, part), "\"%s\", expected \"%s\"", e.text, part);
}

#define FILE_REFUSED(rank, part, ...)                                                                                  \
    check_refused((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), rank, part)

Test(idx, reads_strictly)
{
    char     name[160];
    ds_idx   idx;
    tl_error e;
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    snprintf(name, sizeof name, "%s/good", folder);
    static const uint8_t good[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    cr_assert(ds_idx_read(write_file(name, good, sizeof good), 2, &idx, &e), "%s", e.text);
    cr_assert(idx.dim[0] == 2 && idx.dim[1] == 3 && idx.data[5] == 6);
    free(idx.data);
    for (size_t n = 0; n < sizeof good; n++)
        check_refused(good, n, 2, n < 12 ? "too short for an IDX header" : "its header says 6");
    FILE_REFUSED(1, "its type is 09, expected 08, unsigned bytes", 0, 0, 9, 1, 0, 0, 0, 1, 7);
    FILE_REFUSED(1, "has 2 dimensions, expected 1", 0, 0, 8, 2, 0, 0, 0, 1, 7);
    FILE_REFUSED(1, "not an IDX file: begins with 01 00", 1, 0, 8, 1, 0, 0, 0, 1, 7);
    FILE_REFUSED(1, "has 2 bytes of data, its header says 1", 0, 0, 8, 1, 0, 0, 0, 1, 7, 7);
    FILE_REFUSED(1, "dimension 0 is 0", 0, 0, 8, 1, 0, 0, 0, 0);
    FILE_REFUSED(1, "its header says 4294967295", 0, 0, 8, 1, 255, 255, 255, 255, 1);
    FILE_REFUSED(3, "dimension 1 is", 0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1);
    cr_assert(!ds_idx_read("/nonexistent/file", 1, &idx, &e) && strstr(e.text, "/nonexistent/file: No such file"));
    cr_assert(!ds_idx_read(folder, 1, &idx, &e) && !ds_idx_read(NULL, 1, &idx, &e) && !ds_idx_read(name, 5, &idx, &e));
}

Test(idx, mnist_must_fit_together)
{
    char       name[200];
    ds_dataset d;
    tl_error   e;
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    cr_assert(!ds_mnist_read(folder, true, &d, &e) && strstr(e.text, "train-images-idx3-ubyte: No such file"));
    cr_assert(!ds_part_read(folder, "valid", &d, &e) && strstr(e.text, "valid-images-idx3-ubyte: No such file"));
    snprintf(name, sizeof name, "%s/t10k-images-idx3-ubyte.gz", folder);
    write_file(name, (const uint8_t *)"\x1f\x8b", 2);
    cr_assert(!ds_mnist_read(folder, false, &d, &e) && strstr(e.text, "idx3-ubyte.gz: compressed by gzip; unpack"));
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 5, 255};
    static const uint8_t three[] = {0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3}, ten[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 10};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 9};
    snprintf(name, sizeof name, "%s/t10k-images-idx3-ubyte", folder);
    write_file(name, images, sizeof images);
    snprintf(name, sizeof name, "%s/t10k-labels-idx1-ubyte", folder);
    write_file(name, three, sizeof three);
    cr_assert(!ds_mnist_read(folder, false, &d, &e) && strstr(e.text, "2 images but 3 labels"));
    write_file(name, ten, sizeof ten);
    cr_assert(!ds_mnist_read(folder, false, &d, &e) && strstr(e.text, "label 1 is 10"));
    write_file(name, labels, sizeof labels);
    cr_assert(ds_mnist_read(folder, false, &d, &e) && d.count == 2 && d.labels[1] == 9);
    ds_dataset_free(&d);
    cr_assert(ds_part_read(folder, "t10k", &d, &e) && d.count == 2 && d.labels[1] == 9, "%s", e.text);
    ag_real x[2];
    ds_images(&d, (int64_t[]){1, 0}, 2, x);
    cr_assert(x[0] >= 1 && fabs((double)x[1] - 5.0 / 255) < 1e-9);
    ds_dataset_free(&d), ds_dataset_free(NULL);
}

Test(dataset, every_byte_is_divided_by_255)
{
    uint8_t pixels[2 * 256], labels[2] = {0};
    for (int i = 0; i < 512; i++)
        pixels[i] = (uint8_t)(i < 256 ? i : 511 - i);
    ds_dataset d = {2, 1, 256, pixels, labels};
    ag_real    x[5 * 256];
    ds_images(&d, (int64_t[]){0, 1, 0, 1, 1}, 5, x);
    for (int i = 0; i < 5 * 256; i++) {
        int value = i / 256 == 0 || i / 256 == 2 ? i % 256 : 255 - i % 256;
        cr_assert(x[i] == (ag_real)value / 255, "image %d, value %d", i / 256, value);
    }
}

Test(idx, real_mnist)
{
    ds_dataset d;
    tl_error   e;
    if (!mnist_folder())
        cr_skip_test("MNIST is not at hand");
    cr_assert(ds_mnist_read(mnist_folder(), true, &d, &e), "%s", e.text);
    double sum = 0;
    for (int64_t i = 0; i < d.count * 784; i++)
        sum += d.pixels[i];
    cr_assert(d.count == 60000 && d.height == 28 && d.labels[0] == 5);
    cr_assert(fabs(sum / 255 / 784 / 60000 - 0.1307) < 1e-4, "the mean that every tutorial quotes");
    ds_dataset_free(&d);
}

Test(digits, are_the_same_for_one_seed)
{
    ds_dataset a, b, c;
    tl_error   e;
    cr_assert(ds_digits_make(300, 7, &a, &e) && ds_digits_make(200, 7, &b, &e) && ds_digits_make(200, 8, &c, &e));
    cr_assert(memcmp(a.pixels, b.pixels, 200 * 784) == 0 && memcmp(b.pixels, c.pixels, 200 * 784) != 0);
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < 200 * 784; i++)
        hash = (hash ^ b.pixels[i]) * 0x100000001b3u;
    cr_assert(hash == 0x013994f825796e4eu, "the digits of seed 7 hash to %016llx", (unsigned long long)hash);
    ds_dataset_free(&a), ds_dataset_free(&b), ds_dataset_free(&c);
    cr_assert(!ds_digits_make(0, 1, &a, &e) && !ds_digits_make(-5, 1, &a, &e) && !a.pixels);
}

/* Each image has ink of a plausible amount, in the middle, and classes differ more than images within one. */
Test(digits, look_like_digits)
{
    enum { N = 2000 };
    static double mean[10][784];
    ds_dataset    d;
    tl_error      e;
    cr_assert(ds_digits_make(N, 1, &d, &e));
    double ink = 0;
    for (int64_t i = 0; i < N; i++)
        for (int k = 0; k < 784; k++) {
            mean[d.labels[i]][k] += d.pixels[i * 784 + k] * 10.0 / 255 / N;
            ink += d.pixels[i * 784 + k] / 255.0 / 784 / N;
        }
    cr_assert(ink > 0.06 && ink < 0.2, "mean pixel %g", ink);
    int right = 0;
    for (int64_t i = 0; i < N; i++) {
        int    nearest = 0;
        double least = INFINITY;
        for (int c = 0; c < 10; c++) {
            double distance = 0;
            for (int k = 0; k < 784; k++)
                distance += pow(d.pixels[i * 784 + k] / 255.0 - mean[c][k], 2);
            if (distance < least) {
                least = distance;
                nearest = c;
            }
        }
        right += nearest == d.labels[i];
    }
    cr_assert(right > N * 7 / 10, "%d of %d are nearest to the mean of their class", right, N);
    ds_dataset_free(&d);
}

Test(batches, give_each_example_once)
{
    ds_batches     b;
    const int64_t *index;
    int            seen[103], n_batches = 0;
    cr_assert(!ds_batches_init(&b, 0, 1, 1) && !ds_batches_init(&b, 10, 0, 1) && !ds_batches_init(&b, -1, 5, 1));
    cr_assert(ds_batches_init(&b, 103, 10, 1));
    int64_t first[2] = {0, 0};
    for (uint64_t epoch = 1; epoch <= 2; epoch++) {
        memset(seen, 0, sizeof seen);
        ds_batches_shuffle(&b, epoch);
        first[epoch - 1] = b.order[0] * 1000 + b.order[1];
        for (int64_t n, left = 103; (n = ds_batches_next(&b, &index)) > 0; left -= n, n_batches++) {
            cr_assert(n == (left < 10 ? left : 10));
            for (int64_t i = 0; i < n; i++)
                seen[index[i]]++;
        }
        for (int i = 0; i < 103; i++)
            cr_assert(seen[i] == 1);
    }
    cr_assert(n_batches == 22 && first[0] != first[1]);
    ds_batches_shuffle(&b, 1);
    cr_assert(first[0] == b.order[0] * 1000 + b.order[1], "an epoch's order is a function of seed and epoch");
    ds_batches_restart(&b);
    cr_assert(ds_batches_next(&b, &index) == 10 && index[9] == 9);
    int64_t n = ds_batches_block(&b, 5, &index), start = index[0];
    cr_assert(n == 10 && start >= 0 && index[9] == start + 9 && index[9] < 103);
    cr_assert(ds_batches_random(&b, 5, &index) == 10 && index[0] >= 0 && index[9] < 103);
    int64_t drawn = index[3];
    cr_assert(ds_batches_block(&b, 5, &index) == 10 && index[0] == start && ds_batches_random(&b, 5, &index) == 10);
    cr_assert(index[3] == drawn && ds_batches_random(&b, 6, &index) == 10 && ds_batches_block(&b, 6, &index) == 10);
    cr_assert(index[0] != start, "another step, another batch");
    ds_batches_free(&b), ds_batches_free(NULL);
}

Test(batches, seed_and_epoch_count)
{
    ds_batches a, b;
    cr_assert(!ds_batches_init(&a, ((int64_t)1 << 61) + 1, 1, 1));
    cr_assert(ds_batches_init(&a, 100, 10, 1) && ds_batches_init(&b, 100, 10, 2));
    ds_batches_shuffle(&a, 1), ds_batches_shuffle(&b, 1);
    cr_assert(memcmp(a.order, b.order, 100 * sizeof *a.order) != 0, "the seed counts");
    ds_batches_free(&a), ds_batches_free(&b);
    int stays = 0; /* of two examples, each order comes about half the time */
    cr_assert(ds_batches_init(&a, 2, 1, 1));
    for (uint64_t epoch = 0; epoch < 100; epoch++) {
        ds_batches_shuffle(&a, epoch);
        stays += a.order[0] == 0;
    }
    cr_assert(stays > 25 && stays < 75, "%d", stays);
    ds_batches_free(&a);
}

/* ---- npy. ---- */

/* A file of this header, padded with nothing, and `data` bytes. */
static bool npy_parses(int version, const char *text, size_t data, ds_npy *a, tl_error *e)
{
    uint8_t *file = calloc(1, 512);
    size_t   n = strlen(text), width = version == 1 ? 2 : 4, size = 8 + width + n + data;
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)version;
    file[8] = (uint8_t)n;
    memcpy(file + 8 + width, text, n);
    for (size_t i = 0; i + 4 <= data; i += 4) /* 1, 1, ... little-endian */
        memcpy(file + 8 + width + n + i, "\0\0\x80\x3f", 4);
    uint8_t *exact = realloc(file, size);
    bool     ok = ds_npy_parse(exact, size, "x", a, e);
    free(exact);
    return ok;
}

static void npy_refused(const char *text, size_t data, const char *part)
{
    ds_npy   a;
    tl_error e = {""};
    cr_assert(!npy_parses(1, text, data, &a, &e) && !a.data && strstr(e.text, part), "%s: \"%s\", expected \"%s\"",
              text, e.text, part);
}

Test(npy, reads_float32_and_float64)
{
    ds_npy   a;
    tl_error e = {""};
    cr_assert(npy_parses(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24, &a, &e), "%s", e.text);
    cr_assert(a.rank == 2 && a.dim[0] == 2 && a.dim[1] == 3 && a.count == 6 && (double)a.data[5] == 1);
    ds_npy_free(&a);
    cr_assert(npy_parses(2, "{\"shape\":(2,),\"fortran_order\":False,\"descr\":\">f4\"}", 8, &a, &e), "%s", e.text);
    cr_assert(a.rank == 1 && (double)a.data[0] < 1e-40 && a.data[0] > 0); /* the bytes the other way round */
    ds_npy_free(&a);
    cr_assert(npy_parses(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n", 24, &a, &e), "%s", e.text);
    cr_assert(a.count == 3 && fabs((double)a.data[2] - 0x1.f800000800000p-127 * 0x1p120) >= 0);
    ds_npy_free(&a);
    cr_assert(npy_parses(3, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, &a, &e) && a.rank == 0 &&
              a.count == 1);
    ds_npy_free(&a);
}

Test(npy, refuses)
{
#define H(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"
    npy_refused(H("'<i8'", "False", "(1,)"), 8, "its numbers are <i8, expected float32 or float64");
    npy_refused(H("'|f4'", "False", "(1,)"), 4, "its numbers are |f4");
    npy_refused(H("'<f4'", "False", "(1,)") "  x", 4, "goes on after its dictionary");
    npy_refused(H("''", "False", "(1,)"), 4, "its numbers are , expected");
    npy_refused(H("'<f4'", "True", "(1,)"), 4, "in Fortran order, expected C order");
    npy_refused(H("'<f4'", "Maybe", "(1,)"), 4, "neither True nor False");
    npy_refused(H("'<f4'", "False", "(0,)"), 0, "dimension 0 is no number of at least 1");
    npy_refused(H("'<f4'", "False", "(-1,)"), 4, "dimension 0");
    npy_refused(H("'<f4'", "False", "(4294967296, 4294967296)"), 4,
                "dimension 1 is no number of at least 1, or too large");
    npy_refused(H("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), 4, "more than 8 dimensions");
    npy_refused(H("'<f4'", "False", "[1]"), 4, "no tuple");
    npy_refused(H("'<f4'", "False", "(1 1)"), 4, "no tuple of numbers");
    npy_refused(H("'<f4'", "False", "(2,)"), 4, "4 bytes of data, its shape needs 8");
    npy_refused(H("'<f4'", "False", "(2,)"), 12, "12 bytes of data, its shape needs 8");
    npy_refused("{'descr': '<f4', 'shape': (1,)}", 4, "lacks descr, fortran_order or shape");
    npy_refused("{'descr': '<f4', 'descr': '<f4'}", 4, "key descr is not expected");
    npy_refused("{'kind': 1}", 4, "key kind is not expected");
    npy_refused("['descr']", 4, "no dictionary");
    npy_refused("{'descr", 4, "no dictionary of descr");
    ds_npy               a;
    tl_error             e = {""};
    static const uint8_t text[] = "\x93NUMPY\1\0\x10\0{'descr'";
    for (size_t n = 0; n < sizeof text; n++)
        cr_assert(!ds_npy_parse(text, n, "x", &a, &e) &&
                      strstr(e.text, n < 10 ? "is no .npy file" : "ends within its header"),
                  "%s", e.text);
    cr_assert(!npy_parses(4, H("'<f4'", "False", "(1,)"), 4, &a, &e) && strstr(e.text, "is no .npy file"));
    cr_assert(!ds_npy_read(NULL, &a, &e) && !ds_npy_read("/nonexistent/x", &a, &e) &&
              strstr(e.text, "/nonexistent/x: No such file"));
}

Test(npy, writes_what_it_reads)
{
    char          path[200];
    const int64_t dim[] = {2, 1, 3};
    const ag_real data[] = {1, -2, (ag_real)3.5, 0, (ag_real)1e-30, 4};
    ds_npy        a;
    tl_error      e;
    for (int rank = 0; rank <= 3; rank++) {
        snprintf(path, sizeof path, "%s/a.npy", scratch_folder());
        FILE *f = fopen(path, "wb");
        cr_assert(f && ds_npy_write(f, rank, dim, data) && fclose(f) == 0);
        cr_assert(ds_npy_read(path, &a, &e), "%s", e.text);
        cr_assert(a.rank == rank && !memcmp(a.dim, dim, (size_t)rank * sizeof *dim) &&
                  !memcmp(a.data, data, (size_t)a.count * sizeof *data));
        ds_npy_free(&a);
    }
    static const ag_real many[100000];
    FILE                *full = fopen("/dev/full", "wb");
    cr_assert(!full || !ds_npy_write(full, 1, &(int64_t){100000}, many));
    cr_assert(!ds_npy_write(NULL, 1, dim, data));
    if (full)
        fclose(full);
}

/* The fuzzer's seeds: NumPy wrote those of npy. */
Test(npy, seeds_of_the_fuzzer)
{
    static const struct {
        const char *name;
        int         rank;
    } npy[] = {{"two", 2}, {"big", 1}, {"scalar", 0}, {"version2", 1}}, idx[] = {{"one", 1}, {"two", 2}, {"three", 3}};
    char     path[64];
    ds_npy   a;
    ds_idx   b;
    tl_error e;
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "tests/fuzz/seeds/npy/%s", npy[i].name);
        cr_assert(ds_npy_read(path, &a, &e) && a.rank == npy[i].rank, "%s", e.text);
        cr_assert((double)a.data[a.count - 1] == (i == 0 ? 5 : i == 3 ? 1 : 2), "%s", path);
        ds_npy_free(&a);
    }
    cr_assert(!ds_npy_read("tests/fuzz/seeds/npy/fortran", &a, &e) && strstr(e.text, "Fortran order"));
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "tests/fuzz/seeds/idx/%s", idx[i].name);
        cr_assert(ds_idx_read(path, idx[i].rank, &b, &e) && b.dim[0] > 0, "%s", e.text);
        free(b.data);
    }
}
