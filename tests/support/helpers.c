#define _XOPEN_SOURCE 700
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

void check_close(const char *what, int64_t n, const ag_real *got, const double *wanted, double tolerance)
{
    for (int64_t i = 0; i < n; i++) {
        double g = (double)got[i], w = wanted[i];
        bool   close = g == w || (isnan(g) && isnan(w)) || (isfinite(w) && fabs(g - w) <= tolerance * fmax(1, fabs(w)));
        cr_assert(close, "%s: element %lld is %.10g, expected %.10g", what, (long long)i, g, w);
    }
}

void check_error(const ag_tape *tape, const char *part)
{
    const char *error = ag_error(tape);
    cr_assert(error, "expected an error with \"%s\"", part);
    cr_assert(strstr(error, part), "the error is \"%s\", expected \"%s\" in it", error, part);
}

void fill_random(ag_tensor *t, uint64_t seed)
{
    int64_t n = ag_numel(&t->shape);
    ag_rng_uniform(&(ag_rng){seed, 0}, n, -20, 20, t->data);
    for (int64_t i = 0; i < n; i++) {
        ag_real whole = (ag_real)floor((double)t->data[i]), rest = t->data[i] - whole;
        t->data[i] = (whole + (ag_real)0.2 + rest * (ag_real)0.6) / 10;
    }
}

ag_tensor *random_input(ag_tape *tape, ag_shape shape, uint64_t seed)
{
    ag_tensor *t = ag_zeros(tape, shape);
    if (!ag_error(tape))
        fill_random(t, seed);
    return t;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static char scratch[64];
static long scratch_owner;

/* Not by a child that the test has forked. */
static void remove_scratch(void)
{
    if (scratch_owner == (long)getpid())
        nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void)
{
    if (scratch_owner != (long)getpid()) {
        scratch_owner = (long)getpid();
        snprintf(scratch, sizeof scratch, "/tmp/hourglass-test-%ld", scratch_owner);
        atexit(remove_scratch);
    }
    remove_scratch();
    cr_assert(mkdir(scratch, 0700) == 0);
    return scratch;
}

int run_command(const char *command, char *output, size_t size)
{
    char whole[2048], rest[4096];
    snprintf(whole, sizeof whole, "%s 2>&1", command);
    FILE *p = popen(whole, "r");
    cr_assert(p, "%s: cannot be started", command);
    size_t n = output ? fread(output, 1, size - 1, p) : 0;
    if (output)
        output[n] = '\0';
    while (fread(rest, 1, sizeof rest, p) > 0)
        ;
    int status = pclose(p);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *mnist_folder(void)
{
    static const char *const places[] = {"data/mnist", "../shared/datasets/mnist"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/train-images-idx3-ubyte", places[i]);
        if (access(path, R_OK) == 0)
            return places[i];
    }
    return NULL;
}
