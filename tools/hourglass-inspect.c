/* Says what is in a safetensors file. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/safetensors.h"

typedef struct statistics {
    double  least, mean, most; /* of what is finite; NaN when nothing is */
    int64_t nans, infinities;
} statistics;

static statistics statistics_of(const nn_stored_tensor *t)
{
    statistics s = {NAN, NAN, NAN, 0, 0};
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < t->count; i++) {
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

static void shape_text(const nn_stored_tensor *t, char *text, size_t size, const char *open, const char *close)
{
    size_t at = (size_t)snprintf(text, size, "%s", open);
    for (int i = 0; i < t->rank && at + 24 < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, i ? ", " : "", t->dim[i]);
    snprintf(text + at, size - at, "%s", close);
}

/* A text on one line, without signs that a terminal would obey: control characters, U+0080 to U+009F among them. */
static void print_plain(const char *text)
{
    for (; *text; text++) {
        bool late = (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
        if (*text == '\n')
            fputs("\\n", stdout);
        else
            putchar((unsigned char)*text < 0x20 || *text == 0x7f || late ? '?' : *text);
        text += late;
    }
}

static void print_table(const nn_safetensors *f)
{
    int64_t total = 0, bytes = 0;
    printf("%-34s %-8s %-20s %10s %11s %11s %11s %6s %6s\n", "tensor", "dtype", "shape", "count", "min", "mean", "max", "NaN", "inf");
    for (int64_t i = 0; i < f->n_tensors; i++) {
        const nn_stored_tensor *t = &f->tensor[i];
        statistics s = statistics_of(t);
        char shape[256];
        shape_text(t, shape, sizeof shape, "(", ")");
        print_plain(t->name);
        printf("%*s %-8s %-20s %10" PRId64 " %11.4g %11.4g %11.4g %6" PRId64 " %6" PRId64 "\n",
               (int)(strlen(t->name) < 34 ? 34 - strlen(t->name) : 0), "", nn_dtype_name(t->dtype), shape, t->count, s.least, s.mean,
               s.most, s.nans, s.infinities);
        total += t->count;
        bytes += t->count * nn_dtype_size(t->dtype);
    }
    printf("%" PRId64 " tensors, %" PRId64 " numbers, %" PRId64 " bytes\n", f->n_tensors, total, bytes);
    for (int64_t i = 0; i < f->n_texts; i++) {
        print_plain(f->text[i].key);
        fputs(": ", stdout);
        print_plain(f->text[i].value);
        putchar('\n');
    }
}

/* ---- JSON. ---- */

static void print_string(const char *text)
{
    putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            printf("\\u%04x", (unsigned char)*text);
        else
            putchar(*text);
    putchar('"');
}

/* JSON has no NaN. */
static void print_number(const char *key, double x)
{
    if (isfinite(x))
        printf(", \"%s\": %.17g", key, x);
    else
        printf(", \"%s\": null", key);
}

static void print_json(const nn_safetensors *f)
{
    printf("{\"tensors\": {");
    for (int64_t i = 0; i < f->n_tensors; i++) {
        const nn_stored_tensor *t = &f->tensor[i];
        statistics s = statistics_of(t);
        char *shape = malloc((size_t)t->rank * 24 + 8);
        if (!shape)
            return;
        shape_text(t, shape, (size_t)t->rank * 24 + 8, "[", "]");
        fputs(i ? ",\n  " : "\n  ", stdout);
        print_string(t->name);
        printf(": {\"dtype\": \"%s\", \"shape\": %s, \"count\": %" PRId64, nn_dtype_name(t->dtype), shape, t->count);
        print_number("min", s.least);
        print_number("mean", s.mean);
        print_number("max", s.most);
        printf(", \"nan\": %" PRId64 ", \"inf\": %" PRId64 "}", s.nans, s.infinities);
        free(shape);
    }
    printf("},\n \"metadata\": {");
    for (int64_t i = 0; i < f->n_texts; i++) {
        fputs(i ? ",\n  " : "\n  ", stdout);
        print_string(f->text[i].key);
        fputs(": ", stdout);
        print_string(f->text[i].value);
    }
    printf("}}\n");
}

static int usage(FILE *to, int status)
{
    fputs("usage: hourglass-inspect [--json] FILE\n"
          "Says what is in a safetensors file: tensors with their statistics, and the texts, which for a checkpoint of Hourglass\n"
          "are the options and the state of the run.\n", to);
    return status;
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    int json = 0;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help"))
            return usage(stdout, 0);
        else if (!strcmp(argv[i], "--json"))
            json = 1;
        else if (argv[i][0] == '-' || path)
            return usage(stderr, 2);
        else
            path = argv[i];
    if (!path)
        return usage(stderr, 2);
    nn_safetensors file;
    nn_message why;
    if (!nn_safetensors_read(path, &file, &why)) {
        fprintf(stderr, "hourglass-inspect: %s\n", why.text);
        return 1;
    }
    (json ? print_json : print_table)(&file);
    nn_safetensors_free(&file);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "hourglass-inspect: standard output cannot be written\n");
        return 1;
    }
    return 0;
}
