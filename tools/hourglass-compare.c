/* Compares runs: one page with their curves on common axes, their last values, what differs in their options, and their
 * pictures. Runs that differ in nothing but the seed are one set; two sets are held against each other. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "autograd/runtime.h"
#include "nn/safetensors.h"
#include "tools/file.h"
#include "tools/page.h"
#include "tools/text.h"

enum { RUNS = 10, COLUMNS = 40, NAME = 40, OPTIONS = 64, TEXT = 200 };

typedef struct run {
    const char    *folder;
    int            n_columns, set;
    char           column[COLUMNS][NAME];
    int64_t        n;          /* lines of metrics.csv */
    double        *at, *epoch; /* (columns, n), NaN where a cell is empty; and 1, 2, ... */
    nn_safetensors model;
} run;

typedef struct runs {
    int n, sets;
    run at[RUNS];
} runs;

static void close_runs(runs *all)
{
    for (int i = 0; i < all->n; i++) {
        free(all->at[i].at);
        free(all->at[i].epoch);
        nn_safetensors_free(&all->at[i].model);
    }
}

/* ---- Reading. ---- */

/* The next cell of a line, cut to fit; *at goes to the one after it. */
static void take_cell(const char **at, char *cell, size_t size)
{
    const size_t n = strcspn(*at, ",\n");
    snprintf(cell, size, "%.*s", (int)(n < size ? n : size - 1), *at);
    *at += n + (*(*at + n) == ',');
}

static int64_t count_lines(const char *text)
{
    int64_t n = 0;
    for (const char *c = text; *c; c++)
        n += *c == '\n';
    return n;
}

static bool parse_metrics(run *r, const char *text)
{
    const char *at = text;
    while (*at && *at != '\n' && r->n_columns < COLUMNS)
        take_cell(&at, r->column[r->n_columns++], NAME);
    r->n = count_lines(text) - 1;
    if (r->n < 1 || r->n_columns < 2)
        return false;
    r->at = malloc((size_t)(r->n * r->n_columns) * sizeof *r->at);
    r->epoch = malloc((size_t)r->n * sizeof *r->epoch);
    for (int64_t i = 0; r->at && r->epoch && i < r->n; i++) {
        at += strcspn(at, "\n") + 1;
        r->epoch[i] = (double)(i + 1);
        for (int k = 0; k < r->n_columns; k++) {
            char   cell[NAME];
            double x;
            take_cell(&at, cell, sizeof cell);
            r->at[k * r->n + i] = tl_parse_number(cell, &x) ? x : NAN;
        }
    }
    return r->at && r->epoch;
}

static bool open_run(run *r, const char *folder, tl_error *why)
{
    char   path[4096];
    size_t size;
    r->folder = folder;
    snprintf(path, sizeof path, "%s/metrics.csv", folder);
    char *text = tl_read_file(path, &size, why);
    if (!text)
        return false;
    const bool ok = parse_metrics(r, text) || tl_fail_at(why, path, "no table of metrics, or memory runs out");
    free(text);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    return ok && nn_safetensors_read(path, &r->model, why);
}

/* ---- Options. ---- */

static const char *option_of(const run *r, const char *key)
{
    const char *text = nn_safetensors_text(&r->model, key);
    return text ? text : "";
}

/* Whether two runs differ in nothing but the seed. */
static bool same_but_seed(const run *a, const run *b)
{
    for (int side = 0; side < 2; side++) {
        const run *from = side ? b : a;
        for (int64_t i = 0; i < from->model.n_texts; i++) {
            const char *key = from->model.text[i].key;
            if (strcmp(key, "option.seed") && strcmp(option_of(a, key), option_of(b, key)))
                return false;
        }
    }
    return true;
}

static void find_sets(runs *all)
{
    for (int i = 0; i < all->n; i++) {
        all->at[i].set = all->sets;
        for (int k = 0; k < i; k++)
            if (same_but_seed(&all->at[i], &all->at[k]))
                all->at[i].set = all->at[k].set;
        all->sets += all->at[i].set == all->sets;
    }
}

/* Whether a run before number r has the option. */
static bool was_shown(const runs *all, int r, const char *key)
{
    for (int i = 0; i < r; i++)
        if (nn_safetensors_text(&all->at[i].model, key))
            return true;
    return false;
}

/* The option's value in each run; whether they differ. */
static bool write_values(const runs *all, const char *key, char *text)
{
    bool   differs = false;
    size_t length = 0;
    for (int i = 0; i < all->n; i++) {
        differs = differs || strcmp(option_of(&all->at[i], key), option_of(&all->at[0], key));
        length += (size_t)snprintf(text + length, TEXT, "%s%.150s", i ? " | " : "", option_of(&all->at[i], key));
    }
    return differs;
}

/* A row for each option in which the runs differ. */
static void show_options(const runs *all, tl_page *page)
{
    char    values[OPTIONS][TEXT * RUNS];
    tl_fact facts[OPTIONS];
    int     n = 0;
    for (int r = 0; r < all->n; r++)
        for (int64_t i = 0; i < all->at[r].model.n_texts && n < OPTIONS; i++) {
            const char *key = all->at[r].model.text[i].key;
            if (was_shown(all, r, key) || !write_values(all, key, values[n]))
                continue;
            facts[n] = (tl_fact){strncmp(key, "option.", 7) ? key : key + 7, values[n]};
            n++;
        }
    tl_page_section(page, "What differs in their options");
    if (n > 0)
        tl_page_facts(page, n, facts);
    else
        tl_page_text(page, "Nothing.");
}

/* ---- Metrics. ---- */

static int column_named(const run *r, const char *name)
{
    for (int k = 0; k < r->n_columns; k++)
        if (!strcmp(r->column[k], name))
            return k;
    return -1;
}

static bool is_metric(const char *name)
{
    return !strncmp(name, "train_", 6) || !strncmp(name, "test_", 5);
}

/* The last value that a run has of a metric. */
static double last_value(const run *r, const char *name)
{
    const int k = column_named(r, name);
    for (int64_t i = r->n - 1; k >= 0 && i >= 0; i--)
        if (isfinite(r->at[k * r->n + i]))
            return r->at[k * r->n + i];
    return NAN;
}

static void show_metric(const runs *all, const char *name, tl_page *page)
{
    tl_line lines[RUNS];
    int     n = 0;
    for (int i = 0; i < all->n; i++) {
        const run *r = &all->at[i];
        const int  k = column_named(r, name);
        if (k >= 0)
            lines[n++] = (tl_line){r->folder, r->n, r->epoch, r->at + k * r->n};
    }
    tl_page_chart(page, &(tl_chart){name, "epoch", "value", false, n, lines});
}

typedef struct sample {
    int    n;
    double mean, variance;
} sample;

static sample sample_of(const runs *all, int set, const char *name)
{
    sample s = {0, 0, 0};
    double squares = 0;
    for (int i = 0; i < all->n; i++) {
        const double x = last_value(&all->at[i], name);
        if (all->at[i].set != set || !isfinite(x))
            continue;
        const double before = x - s.mean; /* Welford's update */
        s.mean += before / ++s.n;
        squares += before * (x - s.mean);
    }
    s.variance = s.n > 1 ? squares / (s.n - 1) : NAN;
    return s;
}

/* Student's t that 5 % exceed on either side. */
static double critical_t(double freedom)
{
    static const double t[] = {12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23};
    return freedom < 1 ? INFINITY : freedom < 10.5 ? t[(int)freedom - 1] : freedom < 30 ? 2.23 : 2.04;
}

/* Welch's test: "The generalization of Student's problem when several different population variances are involved",
 * 1947. */
static void show_difference(const runs *all, const char *name, int a, int b, tl_page *page)
{
    const sample x = sample_of(all, a, name), y = sample_of(all, b, name);
    char         text[400];
    if (x.n < 2 || y.n < 2)
        return;
    const double of_x = x.variance / x.n, of_y = y.variance / y.n, error = sqrt(of_x + of_y);
    const double freedom = (of_x + of_y) * (of_x + of_y) / (of_x * of_x / (x.n - 1) + of_y * of_y / (y.n - 1));
    const double t = fabs(x.mean - y.mean) / error;
    const bool   more = isfinite(t) ? t > critical_t(freedom) : x.mean < y.mean || x.mean > y.mean;
    snprintf(text, sizeof text, "%s: set %d %.6g ± %.2g (%d seeds), set %d %.6g ± %.2g (%d seeds): %s noise", name,
             a + 1, x.mean, sqrt(x.variance), x.n, b + 1, y.mean, sqrt(y.variance), y.n,
             more ? "the difference is more than" : "no more than");
    const size_t n = strlen(text);
    if (isfinite(t))
        snprintf(text + n, sizeof text - n, " (t = %.2f).", t);
    else
        snprintf(text + n, sizeof text - n, ".");
    tl_page_text(page, text);
    tl_print_escaped(stdout, text);
    putchar('\n');
}

static void show_values(const runs *all, const char *name, tl_page *page)
{
    tl_fact facts[RUNS];
    tl_text values[RUNS];
    int     n = 0;
    for (int i = 0; i < all->n; i++) {
        if (column_named(&all->at[i], name) < 0)
            continue;
        values[n] = tl_number_text(last_value(&all->at[i], name), 6);
        facts[n] = (tl_fact){all->at[i].folder, values[n].s};
        n++;
    }
    tl_page_section(page, name);
    tl_page_facts(page, n, facts);
}

/* Whether a run before number r has the metric. */
static bool was_drawn(const runs *all, int r, const char *name)
{
    for (int i = 0; i < r; i++)
        if (column_named(&all->at[i], name) >= 0)
            return true;
    return false;
}

/* Which runs a set is made of, where there are several of them, and one with several runs. */
static void show_sets(const runs *all, tl_page *page)
{
    if (all->sets < 2 || all->sets == all->n)
        return;
    for (int s = 0; s < all->sets; s++) {
        char text[RUNS * 200];
        int  n = snprintf(text, sizeof text, "set %d:", s + 1);
        for (int i = 0; i < all->n; i++)
            if (all->at[i].set == s)
                n += snprintf(text + n, sizeof text - (size_t)n, " %.190s", all->at[i].folder);
        tl_page_text(page, text);
        tl_print_escaped(stdout, text);
        putchar('\n');
    }
}

static void show_metric_of_all(const runs *all, const char *name, tl_page *page)
{
    show_values(all, name, page);
    show_metric(all, name, page);
    for (int a = 0; a < all->sets; a++)
        for (int b = a + 1; b < all->sets; b++)
            show_difference(all, name, a, b, page);
}

static void show_metrics(const runs *all, tl_page *page)
{
    show_sets(all, page);
    for (int r = 0; r < all->n; r++)
        for (int k = 0; k < all->at[r].n_columns; k++) {
            const char *name = all->at[r].column[k];
            if (is_metric(name) && !was_drawn(all, r, name))
                show_metric_of_all(all, name, page);
        }
}

/* ---- Pictures. ---- */

static void show_pictures(const runs *all, tl_page *page)
{
    static const char *const names[] = {"reconstructions.png", "samples.png", "manifold.png", "codes.png"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (int i = 0, shown = 0; i < all->n; i++) {
            char     path[4096];
            size_t   size;
            tl_error none;
            snprintf(path, sizeof path, "%s/%s", all->at[i].folder, names[k]);
            uint8_t *bytes = tl_read_file(path, &size, &none);
            if (bytes) {
                if (!shown++)
                    tl_page_section(page, names[k]);
                tl_page_picture(page, &(tl_png){all->at[i].folder, bytes, size}, 1);
            }
            free(bytes);
        }
}

/* ---- The program. ---- */

static bool write_page(const runs *all, const char *path, tl_error *why)
{
    tl_page page;
    if (!tl_page_open(&page, path, "Runs compared", 0, why))
        return false;
    show_options(all, &page);
    show_metrics(all, &page);
    show_pictures(all, &page);
    return tl_page_close(&page, why);
}

static void print_usage(FILE *to)
{
    fputs(
        "usage: hourglass-compare [--out FILE] RUN RUN ...\n"
        "Compares the runs in some folders: curves on common axes, last values, options, pictures. Runs that differ in nothing but\n"
        "the seed are a set; whether two sets differ by more than noise is said by Welch's test at 5 %.\n\n"
        "options:\n"
        "  --out FILE           the page (default compare.html); a file that is there is refused\n"
        "  -h, --help           print this and exit\n"
        "  --version            print the version and exit\n",
        to);
}

static int compare(runs *all, const char *path)
{
    tl_error    why;
    struct stat there;
    bool        ok = lstat(path, &there) != 0 || tl_fail_at(&why, path, "is there already; --out names another");
    for (int i = 0; ok && i < all->n; i++)
        ok = open_run(&all->at[i], all->at[i].folder, &why);
    if (ok)
        find_sets(all);
    ok = ok && write_page(all, path, &why);
    if (ok) {
        tl_print_escaped(stdout, path);
        putchar('\n');
    } else {
        fprintf(stderr, "hourglass-compare: %s\n", why.text);
    }
    return !ok;
}

int main(int argc, char **argv)
{
    runs        all = {0};
    const char *path = "compare.html";
    tl_keep_standard_streams();
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            print_usage(stdout);
            return tl_exit_status("hourglass-compare", 0);
        }
        if (!strcmp(argv[i], "--version")) {
            puts("hourglass-compare (Hourglass) " AG_VERSION);
            return tl_exit_status("hourglass-compare", 0);
        }
        if (!strcmp(argv[i], "--out") && i + 1 < argc)
            path = argv[++i];
        else if (!strncmp(argv[i], "--out=", 6))
            path = argv[i] + 6;
        else if (argv[i][0] == '-') {
            fprintf(stderr, "hourglass-compare: ");
            tl_print_escaped(stderr, argv[i]);
            fprintf(stderr, strcmp(argv[i], "--out") ? ": unknown option\n" : ": a value is missing\n");
            print_usage(stderr);
            return 2;
        } else if (all.n == RUNS) {
            fprintf(stderr, "hourglass-compare: expected at most %d runs\n", RUNS);
            return 2;
        } else
            all.at[all.n++].folder = argv[i];
    }
    if (all.n < 2) {
        print_usage(stderr);
        return 2;
    }
    const int status = compare(&all, path);
    close_runs(&all);
    return tl_exit_status("hourglass-compare", status);
}
