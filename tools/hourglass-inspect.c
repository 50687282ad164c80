/* Says what is in a safetensors file. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/runtime.h"
#include "nn/safetensors.h"
#include "tools/file.h"
#include "tools/text.h"

typedef struct statistics {
    double  least, mean, most; /* of what is finite; NaN when nothing is */
    int64_t nans, infinities;
} statistics;

static statistics statistics_of(const nn_stored_tensor *t)
{
    statistics s = {NAN, NAN, NAN, 0, 0};
    double     sum = 0;
    int64_t    n = 0;
    for (int64_t i = 0; t->dtype != NN_C64 && i < t->count; i++) { /* complex numbers have no order */
        double x = nn_stored_value(t, i);
        if (isfinite(x)) {
            s.least = n == 0 || x < s.least ? x : s.least;
            s.most = n == 0 || x > s.most ? x : s.most;
            sum += x;
            n++;
        } else {
            s.nans += isnan(x);
            s.infinities += !isnan(x);
        }
    }
    s.mean = n > 0 ? sum / (double)n : NAN;
    return s;
}

static void print_table(const nn_safetensors *f)
{
    int64_t total = 0, bytes = 0;
    printf("%-34s %-8s %-20s %10s %11s %11s %11s %6s %6s\n", "tensor", "dtype", "shape", "count", "min", "mean", "max",
           "NaN", "inf");
    for (int64_t i = 0; i < f->n_tensors; i++) {
        const nn_stored_tensor *t = &f->tensor[i];
        statistics              s = statistics_of(t);
        char                    shape[256];
        nn_stored_shape(t, shape, sizeof shape);
        tl_print_escaped(stdout, t->name);
        printf("%*s %-8s %-20s %10" PRId64 " %11.4g %11.4g %11.4g %6" PRId64 " %6" PRId64 "\n",
               (int)(strlen(t->name) < 34 ? 34 - strlen(t->name) : 0), "", nn_dtype_name(t->dtype), shape, t->count,
               s.least, s.mean, s.most, s.nans, s.infinities);
        total += t->count;
        bytes += t->count * nn_dtype_size(t->dtype);
    }
    printf("%" PRId64 " tensors, %" PRId64 " numbers, %" PRId64 " bytes\n", f->n_tensors, total, bytes);
    for (int64_t i = 0; i < f->n_texts; i++) {
        tl_print_escaped(stdout, f->text[i].key);
        fputs(": ", stdout);
        tl_print_escaped(stdout, f->text[i].value);
        putchar('\n');
    }
}

/* ---- JSON. ---- */

/* JSON has no NaN. */
static void print_number(const char *key, double x)
{
    if (isfinite(x))
        printf(", \"%s\": %s", key, TL_NUMBER(x, 17));
    else
        printf(", \"%s\": null", key);
}

static void print_json(const nn_safetensors *f)
{
    printf("{\"tensors\": {");
    for (int64_t i = 0; i < f->n_tensors; i++) {
        const nn_stored_tensor *t = &f->tensor[i];
        statistics              s = statistics_of(t);
        fputs(i ? ",\n  " : "\n  ", stdout);
        tl_print_json(stdout, t->name);
        printf(": {\"dtype\": \"%s\", \"shape\": [", nn_dtype_name(t->dtype));
        for (int k = 0; k < t->rank; k++)
            printf("%s%" PRId64, k ? ", " : "", t->dim[k]);
        printf("], \"count\": %" PRId64, t->count);
        print_number("min", s.least);
        print_number("mean", s.mean);
        print_number("max", s.most);
        printf(", \"nan\": %" PRId64 ", \"inf\": %" PRId64 "}", s.nans, s.infinities);
    }
    printf("},\n \"metadata\": {");
    for (int64_t i = 0; i < f->n_texts; i++) {
        fputs(i ? ",\n  " : "\n  ", stdout);
        tl_print_json(stdout, f->text[i].key);
        fputs(": ", stdout);
        tl_print_json(stdout, f->text[i].value);
    }
    printf("}}\n");
}

static void print_usage(FILE *to)
{
    fputs(
        "usage: hourglass-inspect [--json] FILE, or --help, or --version\n"
        "Says what is in a safetensors file: tensors with their statistics, and the texts, which for a checkpoint of Hourglass\n"
        "are the options and the state of the run.\n",
        to);
}

static int inspect(const char *path, bool json)
{
    nn_safetensors file;
    tl_error       why;
    if (!nn_safetensors_read(path, &file, &why)) {
        fprintf(stderr, "hourglass-inspect: %s\n", why.text);
        return 1;
    }
    (json ? print_json : print_table)(&file);
    nn_safetensors_free(&file);
    return 0;
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    bool        json = false, help = false, version = false, wrong = false;
    tl_keep_standard_streams();
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            help = true;
        else if (!strcmp(argv[i], "--version"))
            version = true;
        else if (!strcmp(argv[i], "--json"))
            json = true;
        else if (argv[i][0] == '-' || path)
            wrong = true;
        else
            path = argv[i];
    if (!help && !version && (wrong || !path)) {
        print_usage(stderr);
        return 2;
    }
    int status = 0;
    if (help)
        print_usage(stdout);
    else if (version)
        puts("hourglass-inspect (Hourglass) " AG_VERSION);
    else
        status = inspect(path, json);
    return tl_exit_status("hourglass-inspect", status);
}
