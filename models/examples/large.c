/* Data larger than memory, and larger than one machine: an autoencoder learns images in several IDX files, MNIST's
 * format, which are read batch by batch. With a library that was built with MPI=1, `mpirun -n 4 ./large ...` shares the
 * work, and prints the same.
 *
 *     cc large.c $(pkg-config --cflags --libs hourglass) -lm -o large
 *     ./large make images 3 500 && ./large train images-*
 *
 * It prints:
 *
 *     images-0 images-1 images-2
 *     1500 images of 784 pixels in 3 files
 *     epoch 1  squared error 0.1520
 *     epoch 2  squared error 0.0524
 *     epoch 3  squared error 0.0506
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <models/train/run.h>

enum { PIXELS = 28 * 28, CODE = 16, BATCH = 60, SHARDS = 4 };

/* ---- Files of digits, to have some. ---- */

static bool write_digits(const char *path, const ds_dataset *d)
{
    const unsigned char n[4] = {(unsigned char)(d->count >> 24), (unsigned char)(d->count >> 16),
                                (unsigned char)(d->count >> 8), (unsigned char)d->count};
    const unsigned char header[16] = {0, 0, 8, 3, n[0], n[1], n[2], n[3], 0, 0, 0, 28, 0, 0, 0, 28};
    const size_t        bytes = (size_t)d->count * PIXELS;
    FILE               *f = fopen(path, "wb");
    bool ok = f && fwrite(header, 1, sizeof header, f) == sizeof header && fwrite(d->pixels, 1, bytes, f) == bytes;
    return f && fclose(f) == 0 && ok;
}

static bool make(const char *name, int files, int64_t count, tl_error *why)
{
    for (int i = 0; i < files; i++) {
        ds_dataset d;
        char       path[4096];
        snprintf(path, sizeof path, "%s-%d", name, i);
        if (!ds_digits_make(count, (uint64_t)i, &d, why))
            return false;
        bool ok = write_digits(path, &d);
        ds_dataset_free(&d);
        if (!ok)
            return tl_fail_at(why, path, "cannot be written");
        printf("%s%c", path, i + 1 < files ? ' ' : '\n');
    }
    return true;
}

/* ---- Training. ---- */

typedef struct {
    nn_module      *model;
    train_optimizer adam;
} program;

static bool step(void *context, train_step *s)
{
    program    *p = (program *)context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *loss = ag_mse_loss(nn_forward(p->model, b.x), b.x, AG_MEAN);
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    return train_minimize(s, loss, &p->adam);
}

static bool print(void *self, train_run *run, const train_record *record)
{
    (void)self, (void)run;
    printf("epoch %d  squared error %.4f\n", (int)record->epoch, train_sums_get(&record->train, "loss"));
    return true;
}

static bool train(train_files *files, tl_error *why)
{
    const train_ranks ranks = train_ranks_world();
    program           p;
    p.model = nn_sequential(nn_linear(PIXELS, 128), nn_relu(), nn_linear(128, CODE), nn_linear(CODE, 128), nn_relu(),
                            nn_linear(128, PIXELS), nn_sigmoid());
    nn_reset_parameters(p.model, 1);
    p.adam.name = "adam";
    p.adam.part = p.model;
    p.adam.optimizer = nn_adam(p.model, nn_adam_defaults(1e-3));

    train_source source = train_files_source(files);
    train_phase  phase;
    memset(&phase, 0, sizeof phase);
    phase.name = "train";
    phase.train = &source;
    phase.batch = BATCH;
    phase.epochs = 3;
    phase.step = step;

    train_observer printer;
    memset(&printer, 0, sizeof printer);
    printer.epoch = print;
    train_observer *observers[1] = {&printer};

    train_plan plan;
    memset(&plan, 0, sizeof plan);
    plan.model = p.model;
    plan.optimizers = &p.adam;
    plan.n_optimizers = 1;
    plan.phases = &phase;
    plan.n_phases = 1;
    plan.context = &p;
    plan.seed = 1;
    plan.shards = SHARDS;
    plan.ranks = &ranks;
    plan.observers = observers;
    plan.n_observers = ranks.rank == 0; /* one prints */
    if (ranks.rank == 0)
        printf("%d images of %d pixels in %d files\n", (int)files->images.count, (int)files->images.row,
               files->images.n);
    const bool ok = train_run_plan(&plan, why) == TRAIN_OK;
    nn_optimizer_free(p.adam.optimizer);
    nn_module_free(p.model);
    return ok;
}

int main(int argc, char **argv)
{
    tl_error    why = {""};
    train_files files;
    bool        ok = false;
    memset(&files, 0, sizeof files);
    if (argc == 5 && !strcmp(argv[1], "make"))
        ok = make(argv[2], atoi(argv[3]), atoi(argv[4]), &why);
    else if (argc > 2 && !strcmp(argv[1], "train"))
        ok = ds_idx_files_open(&files.images, argc - 2, (const char *const *)argv + 2, &why) && train(&files, &why);
    else
        fprintf(stderr, "usage: %s make NAME FILES IMAGES | train FILE ...\n", argv[0]);
    if (*why.text)
        fprintf(stderr, "%s: %s\n", argv[0], why.text);
    ds_idx_files_close(&files.images);
    return ok ? 0 : 1;
}
