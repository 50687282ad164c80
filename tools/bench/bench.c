/* Measures this machine, then what the workloads and their kernels make of it. */
#include <stdio.h>
#include <string.h>

#include "autograd/runtime.h"
#include "tools/args.h"
#include "tools/bench/growth.h"
#include "tools/bench/kernels.h"
#include "tools/bench/machine.h"
#include "tools/bench/measure.h"
#include "tools/bench/ops.h"
#include "tools/bench/workloads.h"
#include "tools/file.h"

typedef struct bench_options {
    const char *filter, *csv, *cases;
    int64_t     threads; /* 0: one, then all */
    double      seconds;
    bool        workloads, kernels, growth, ops; /* the tables asked for */
} bench_options;

static bool print_workload(const workload *w, const yardstick *y, const ds_dataset *data, FILE *csv)
{
    workload_run r;
    machine_forget_memory();
    if (!workload_open(&r, w, data, recipe_of(w->name[0])->batch)) {
        fprintf(stderr, "bench: out of memory\n");
        return false;
    }
    for (int i = 0; i < 5; i++)
        workload_step(&r);
    timing t = measure(workload_step, &r, y->seconds);
    bool   ok = !ag_error(r.tape);
    if (!ok)
        fprintf(stderr, "bench: %s: %s\n", w->name, ag_error(r.tape));
    workload_close(&r);
    double images = 1e6 * (double)recipe_of(w->name[0])->batch / t.median,
           share = w->mega_flop / t.median * 1e3 / y->peak;
    double memory = machine_peak_memory();
    printf("%-18s %10.1f %8.1f %12.0f %8.0f%% %9.1f\n", w->name, t.median, t.spread, images, 100 * share, memory);
    fflush(stdout);
    if (csv)
        fprintf(csv, "%c,%d,%.1f,%.0f,%.4f,%.1f\n", w->name[0], y->threads, t.median, images, share, memory);
    return ok;
}

/* Like the functions of kernels.h. */
static int print_workloads(const yardstick *y, const char *filter, const ds_dataset *data, FILE *csv)
{
    int lines = 0;
    for (const workload *w = workloads; w->name; w++) {
        if (!strstr(w->name, filter))
            continue;
        if (lines++ == 0)
            printf("\n%-18s %10s %8s %12s %9s %9s\n", "workload", "us/step", "spread", "images/s", "of peak",
                   "peak MB");
        if (!print_workload(w, y, data, csv))
            return -1;
    }
    return lines;
}

static int print_kernels(yardstick y, const char *filter)
{
    y.seconds /= 4;
    int (*const tables[])(const yardstick *, const char *) = {bench_products, bench_convolutions, bench_passes};
    int sum = 0;
    for (int i = 0; i < 3; i++) {
        int lines = tables[i](&y, filter);
        if (lines < 0)
            return -1;
        sum += lines;
    }
    return sum;
}

/* All tables, on so many threads. */
static bool bench_on(int threads, const bench_options *o, const ds_dataset *data, FILE *csv)
{
    ag_set_threads(threads);
    yardstick y = {threads, machine_peak(threads, 0.3), machine_bandwidth(threads, 0.5), o->seconds};
    printf("\n%d thread%s, %s: %.0f GFLOP/s of fused multiply-adds, %.1f GB/s\n", threads, threads > 1 ? "s" : "",
           ag_isa(), y.peak, y.bandwidth);
    if (threads > 1)
        printf("waking the threads: %.1f us right after other work, %.1f us after a rest of 1 ms\n",
               machine_wake(threads, 10, 0.2), machine_wake(threads, 1000, 0.2));
    int lines = o->workloads ? print_workloads(&y, o->filter, data, csv) : 0;
    int more = lines >= 0 && o->kernels ? print_kernels(y, o->filter) : 0;
    int cases = more < 0 || !o->ops ? 0
                : o->cases          ? bench_ops_in(o->cases, &y, o->filter, data, csv)
                                    : bench_ops(&y, o->filter, data, csv);
    if (lines < 0 || more < 0 || cases < 0 || (o->growth && !bench_growth(y.seconds / 4)))
        return false;
    if (lines + more + cases == 0 && !o->growth && *o->filter)
        fprintf(stderr, "bench: nothing has '%s' in its name\n", o->filter);
    else if (lines + more + cases == 0 && !o->growth)
        fprintf(stderr, "bench: none of the cases could be measured\n");
    return lines + more + cases > 0 || o->growth;
}

static bool bench(const bench_options *o, FILE *csv)
{
    enum { IMAGES = 20000 };
    ds_dataset data;
    tl_error   error;
    if (!ds_digits_make(IMAGES, 1, &data, &error)) {
        fprintf(stderr, "bench: %s\n", error.text);
        return false;
    }
    int all = ag_threads();
    if (csv)
        fputs(o->ops ? "case,threads,us\n" : "workload,threads,us_per_step,images_per_s,share_of_peak,peak_mb\n", csv);
    bool ok = bench_on(o->threads > 0 ? (int)o->threads : 1, o, &data, csv);
    if (ok && o->threads == 0 && all > 1)
        ok = bench_on(all, o, &data, csv);
    ds_dataset_free(&data);
    return ok;
}

/* The file of --csv is there when all has been measured. */
static bool bench_and_write(const bench_options *o)
{
    tl_output csv;
    tl_error  why;
    bool      open = o->csv && tl_output_open(&csv, o->csv, &why),
         ok = (open || !o->csv) && bench(o, open ? csv.stream : NULL);
    if (o->csv && (!open || (ok && !tl_output_close(&csv, &why)))) {
        fprintf(stderr, "bench: %s\n", why.text);
        return false;
    }
    if (open && !ok)
        tl_output_abandon(&csv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "bench: standard output cannot be written\n");
        return false;
    }
    return ok;
}

int main(int argc, char **argv)
{
    tl_keep_standard_streams();
    bench_options o = {.filter = "", .seconds = 1};
    tl_option     options[] = {
            {"filter", TL_TEXT, &o.filter, 0, 0, "TEXT", "only lines whose name contains it", false},
            {"threads", TL_INT, &o.threads, 0, AG_MAX_THREADS, "N", "threads; 0: one, then all", false},
            {"seconds", TL_REAL, &o.seconds, 0, 3600, "S", "time for each workload or op; a kernel gets a quarter", false},
            {"csv", TL_TEXT, &o.csv, 0, 0, "FILE", "write the figures of the workloads, or of the ops, there too", false},
            {"workloads", TL_FLAG, &o.workloads, 0, 0, NULL, "the workloads", false},
            {"kernels", TL_FLAG, &o.kernels, 0, 0, NULL, "their kernels alone; both if no table is asked for", false},
            {"growth", TL_FLAG, &o.growth, 0, 0, NULL, "how cost grows with batch, width, side of images and depth", false},
            {"ops", TL_FLAG, &o.ops, 0, 0, NULL, "every op, optimizer and model at several shapes (ops.def)", false},
            {"cases", TL_TEXT, &o.cases, 0, 0, "FILE", "with --ops: those in FILE, one a line, as the table names them",
             false},
            TL_OPTIONS_END,
    };
    tl_error       why;
    tl_args_result result = tl_args_parse(argc, argv, (tl_option *const[]){options, NULL}, &why);
    if (result == TL_ARGS_VERSION)
        puts("bench (Hourglass) " AG_VERSION);
    if (result == TL_ARGS_HELP)
        tl_args_help("bench", "Measures the machine, the workloads and their kernels.",
                     (const tl_option *const[]){options, NULL});
    if (result == TL_ARGS_ERROR)
        fprintf(stderr, "bench: %s\n", why.text);
    if (result != TL_ARGS_OK)
        return result == TL_ARGS_ERROR ? 2 : 0;
    if (!o.workloads && !o.kernels && !o.growth && !o.ops)
        o.workloads = o.kernels = true;
    if (o.csv && o.workloads == o.ops) {
        fprintf(stderr, "bench: --csv is for the figures of one table: --workloads or --ops\n");
        return 2;
    }
    if (o.cases && !o.ops) {
        fprintf(stderr, "bench: --cases goes with --ops\n");
        return 2;
    }
    char message[256];
    if (!ag_environment_ok(message, sizeof message)) {
        fprintf(stderr, "bench: %s\n", message);
        return 2;
    }
    return bench_and_write(&o) ? 0 : 1;
}
