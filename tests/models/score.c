/* The sample score: its number against NumPy's, and --score of the programs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/dataset.h"
#include "models/train/kid.h"
#include "tests/support/programs.h"
#include "tests/test.h"

/* Numbers that NumPy makes, too: value(i, k) = (7919 i + 1301 k) mod 10007 / 10007 * 2 - 1. */
static ag_real *rows(int64_t n, int64_t width, int64_t k, double scale, double shift)
{
    ag_real *x = malloc((size_t)(n * width) * sizeof *x);
    for (int64_t i = 0; i < n * width; i++)
        x[i] = (ag_real)(((double)((i * 7919 + 1301 * k) % 10007) / 10007 * 2 - 1) * scale + shift);
    return x;
}

/* By NumPy, in double: k = (a @ b.T / d + 1) ** 3; the sums of k without its diagonal, and the mean of all. */
Test(kid, equals_numpy)
{
    enum { WIDTH = 13, N = 1200, M = 700 };
    ag_real *x = rows(N, WIDTH, 1, 1, 0), *y = rows(M, WIDTH, 2, 1.5, 0.25);
    cr_expect(fabs(train_kid(WIDTH, N, x, M, y) - 0.354550371921) < 1e-6);
    cr_expect(fabs(train_kid(WIDTH, N / 2, x, N / 2, x + N / 2 * WIDTH) + 0.00410971098534) < 1e-6);
    free(x);
    free(y);
}

Test(kid, bad_input)
{
    ag_real x[4] = {1, 2, 3, 4};
    cr_expect(isnan(train_kid(2, 1, x, 2, x)) && isnan(train_kid(2, 2, x, 1, x)) && isnan(train_kid(0, 2, x, 2, x)));
    cr_expect(isnan(train_kid(2, 2, NULL, 2, x)) && isnan(train_kid(2, 2, x, 2, NULL)));
    cr_expect(isnan(train_kid(2, -2, x, 2, x)));
}

#ifndef AG_DOUBLE
/* The number that the program printed. */
static double printed(void)
{
    const char *at = strstr(output, "sample score (KID) ");
    return at ? atof(at + 19) : NAN;
}

Test(score, trained_once_and_the_same_again)
{
    char options[1024];
    make_data();
    snprintf(options, sizeof options, "--hidden 24 --epochs 1 --score --out %s/run", folder);
    cr_assert(run_program("vae_mnist", "", options) == 0 && strstr(output, "training the classifier"), "%s", output);
    cr_assert(file_is_there("run/score.csv") && file_is_there("run/classifier.safetensors"));
    const double first = printed();
    cr_assert(isfinite(first) && first > 0, "%s", output);
    snprintf(options, sizeof options, "--score --load %s/run/model.safetensors", folder);
    cr_assert(run_program("vae_mnist", "HOURGLASS_THREADS=1", options) == 0, "%s", output);
    cr_expect(printed() == first && !strstr(output, "training the classifier"), "%s", output);
    snprintf(options, sizeof options, "--score --load %s/run/model.safetensors --out %s/elsewhere", folder, folder);
    cr_assert(run_program("vae_mnist", "", options) == 0 && printed() == first, "%s", output);
    cr_expect(file_is_there("elsewhere/score.csv") && file_is_there("elsewhere/classifier.safetensors"));
    snprintf(options, sizeof options, "--score --load %s/run/model.safetensors --classifier %s/run/model.safetensors",
             folder, folder);
    cr_assert(run_program("vae_mnist", "", options) == 1, "%s", output);
    cr_expect(strstr(output, "run/model.safetensors: is not the classifier of a sample score: "), "%s", output);
}

static void write_idx(const char *part, const char *of, uint8_t rank, int64_t n, int64_t side, const uint8_t *data)
{
    char          path[256];
    const uint8_t header[16] = {0, 0, 8, rank,         0, 0, (uint8_t)(n / 256), (uint8_t)n, 0, 0, 0, (uint8_t)side,
                                0, 0, 0, (uint8_t)side};
    const size_t  size = (size_t)(rank == 3 ? n * side * side : n), head = 4 + 4 * (size_t)rank;
    snprintf(path, sizeof path, "%s/data/%s-%s-ubyte", folder, part, of);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(header, 1, head, f) == head && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

/* In place of the images of make_data, which all have one label. */
static void write_digits(const char *part, int64_t n, uint64_t seed)
{
    ds_dataset d;
    tl_error   why;
    cr_assert(ds_digits_make(n, seed, &d, &why), "%s", why.text);
    write_idx(part, "images-idx3", 3, n, d.height, d.pixels);
    write_idx(part, "labels-idx1", 1, n, 0, d.labels);
    ds_dataset_free(&d);
}

Test(score, tells_whether_a_conditional_model_gives_what_it_is_asked_for)
{
    char options[1024];
    make_data();
    write_digits("train", 1280, 1);
    write_digits("t10k", 200, 2);
    snprintf(options, sizeof options, "--hidden 100 --epochs 10 --lr 0.003 --score --out %s/run", folder);
    cr_assert(run_program("cvae_mnist", "", options) == 0, "%s", output);
    const char *at = strstr(output, "taken for the digit that was asked for: ");
    cr_assert(at && atof(at + 40) > 50, "%s", output);
    snprintf(options, sizeof options, "head -1 %s/run/score.csv | grep -q as_asked", folder);
    cr_expect(system(options) == 0);
    cr_expect(!strstr(output, "nan"), "%s", output);
}

Test(score, refuses)
{
    char options[512];
    make_data();
    snprintf(options, sizeof options, "--hidden 24 --steps 1 --out %s/run", folder);
    cr_assert(run_program("vae_mnist", "", options) == 0);
    snprintf(options, sizeof options, "--load %s/run/model.safetensors", folder);
    cr_expect(run_program("vae_mnist", "", options) == 2 &&
                  strstr(output, "--reconstruct, --export, --score, --edit with it"),
              "%s", output);
    strcat(options, " --edit --output x.npy");
    cr_expect(run_program("vae_mnist", "", options) == 2 && strstr(output, "--output: not with --score and --edit"),
              "%s", output);
    snprintf(options, sizeof options, "--hidden 24 --steps 1 --score --classifier /proc/none --out %s/run2", folder);
    cr_expect(run_program("vae_mnist", "", options) == 1 && strstr(output, "vae_mnist: /proc/none: "), "%s", output);
}

/* Programs whose pixels are -1..1, whose codes hold labels, whose prior is not N(0, 1). */
Test(score, of_every_program_that_samples)
{
    static const char *const runs[][2] = {{"cvae_mnist", "--hidden 24"},
                                          {"vae_gan_mnist", "--hidden 24"},
                                          {"vae_mnist", "--variant conv"},
                                          {"adversarial_ae_mnist", "--hidden 24 --prior mixture"}};
    const size_t             n = SLOW ? 2 : sizeof runs / sizeof *runs;
    char                     options[1024];
    make_data();
    for (size_t i = 0; i < n; i++) {
        snprintf(options, sizeof options, "%s --steps 2 --score --classifier %s/shared.safetensors --out %s/run%d",
                 runs[i][1], folder, folder, (int)i);
        cr_assert(run_program(runs[i][0], "", options) == 0 && isfinite(printed()), "%s", output);
        cr_expect(!strstr(output, "training the classifier") == (i > 0), "%s", output);
    }
}
#endif
