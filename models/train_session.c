/* What a demo program does before and after training. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/train_internal.h"

#define DEFAULT_DATA     "data/mnist"
#define SYNTHETIC_TRAIN  60000
#define SYNTHETIC_TEST   10000
#define SYNTHETIC_SEED   1
#define PICTURE_STREAM   0x70696374u /* sets the random numbers of tests and pictures apart from those of training */

int train_fail(const train_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", s->program);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return TRAIN_FAILED;
}

static bool load_mnist(train_session *s, const char *folder)
{
    ds_error error;
    if (ds_mnist_read(folder, true, &s->train, &error) && ds_mnist_read(folder, false, &s->test, &error)) {
        if (s->train.height == s->test.height && s->train.width == s->test.width)
            return true;
        snprintf(error.text, sizeof error.text, "%s: training and test images differ in size", folder);
    }
    train_fail(s, "%s", error.text);
    return false;
}

static bool make_digits(train_session *s)
{
    ds_error error;
    if (ds_digits_make(SYNTHETIC_TRAIN, SYNTHETIC_SEED, &s->train, &error) &&
        ds_digits_make(SYNTHETIC_TEST, SYNTHETIC_SEED + 1, &s->test, &error))
        return true;
    train_fail(s, "%s", error.text);
    return false;
}

static bool load_data(train_session *s)
{
    const char *folder = s->options.data;
    if (!folder && access(DEFAULT_DATA "/train-images-idx3-ubyte", F_OK) == 0)
        folder = DEFAULT_DATA;
    if (!(folder ? load_mnist(s, folder) : make_digits(s)))
        return false;
    if (!s->options.quiet)
        printf("data: %s (%lld training, %lld test images)\n", folder ? folder : "synthetic digits",
               (long long)s->train.count, (long long)s->test.count);
    return true;
}

/* Makes the folder and those above it. */
static bool make_folder(train_session *s)
{
    for (char *p = s->out + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            mkdir(s->out, 0777);
            *p = '/';
        }
    mkdir(s->out, 0777);
    struct stat st;
    if (stat(s->out, &st) != 0) {
        train_fail(s, "%s: %s", s->out, strerror(errno));
        return false;
    }
    if (!S_ISDIR(st.st_mode) || access(s->out, W_OK | X_OK) != 0) {
        train_fail(s, "%s: %s", s->out, S_ISDIR(st.st_mode) ? strerror(errno) : "is no folder");
        return false;
    }
    return true;
}

static bool set_out(train_session *s)
{
    const char *resume = s->options.resume, *slash = resume ? strrchr(resume, '/') : NULL; /* a run goes on where it was */
    int n = s->options.out ? snprintf(s->out, sizeof s->out, "%s", s->options.out)
            : slash        ? snprintf(s->out, sizeof s->out, "%.*s", (int)(slash - resume + (slash == resume)), resume)
            : resume       ? snprintf(s->out, sizeof s->out, ".")
                           : snprintf(s->out, sizeof s->out, "runs/%s", s->program);
    if (n > 0 && (size_t)n < sizeof s->out)
        return make_folder(s);
    train_fail(s, "--out: a path of 1 to %zu characters is expected", sizeof s->out - 1);
    return false;
}

/* ---- Options. ---- */

static void leave_out(args_option *table, const char *name)
{
    while (table->name && strcmp(table->name, name))
        table++;
    for (; table->name; table++)
        table[0] = table[1];
}

static void shared_options(train_session *s)
{
    train_options *o = &s->options;
    const args_option recipe[] = {
        {"data", ARGS_TEXT, &o->data, 0, 0, "DIR", "folder of MNIST's four files; else data/mnist/, else synthetic digits"},
        {"epochs", ARGS_INT, &o->epochs, 0, 1e6, "N", "passes over the training images"},
        {"steps", ARGS_INT, &o->steps, 0, 1e12, "N", "training steps, in place of epochs, if above 0"},
        {"batch", ARGS_INT, &o->batch, 1, 1e6, "N", "images per step"},
        {"lr", ARGS_REAL, &o->lr, 0, 1e30, "X", "learning rate"},
        {"seed", ARGS_SEED, &o->seed, 0, 0, "N", "of weights, order and noise: one seed, one result"},
        {NULL, ARGS_FLAG, NULL, 0, 0, NULL, NULL},
    };
    const args_option run[] = {
        {"threads", ARGS_INT, &o->threads, 1, AG_MAX_THREADS, "N", "threads to compute with; does not change the result"},
        {"out", ARGS_TEXT, &o->out, 0, 0, "DIR", "folder to write to; else that of --resume, else runs/NAME"},
        {"quiet", ARGS_FLAG, &o->quiet, 0, 0, NULL, "print nothing but errors and the fingerprint"},
        {"save-every", ARGS_INT, &o->save_every, 0, 1e12, "N", "steps from checkpoint to checkpoint; 0: each epoch"},
        {"resume", ARGS_TEXT, &o->resume, 0, 0, "FILE", "go on from a checkpoint, with its options"},
        {"load", ARGS_TEXT, &o->load, 0, 0, "FILE", "do not train: use a model, with one of"},
        {"generate", ARGS_INT, &o->generate, 0, 1e6, "N", "  images of codes drawn from N(0, 1)"},
        {"encode", ARGS_TEXT, &o->encode, 0, 0, "FILE", "  codes of the images in a .npy (0..1) or IDX file"},
        {"decode", ARGS_TEXT, &o->decode, 0, 0, "FILE", "  images of the codes in a .npy file"},
        {"reconstruct", ARGS_FLAG, &o->reconstruct, 0, 0, NULL, "  the test images and what the model makes of them"},
        {"output", ARGS_TEXT, &o->output, 0, 0, "FILE", "where that goes: .npy, or .png for images"},
        {NULL, ARGS_FLAG, NULL, 0, 0, NULL, NULL},
    };
    memcpy(s->recipe, recipe, sizeof recipe);
    memcpy(s->run, run, sizeof run);
    static const char *const from_codes[] = {"generate", "decode", "reconstruct"};
    for (int i = 0; i < 3 && o->encodes_only; i++)
        leave_out(s->run, from_codes[i]);
}

void train_begin(train_session *s, int argc, char **argv, const char *program)
{
    nn_message why;
    const char *resume = args_peek(argc, argv, "resume"), *load = args_peek(argc, argv, "load");
    *s = (train_session){.program = program, .argc = argc, .argv = argv, .file_path = resume ? resume : load};
    if (!s->file_path || !*s->file_path || args_peek(argc, argv, "help"))
        return;
    s->failed = !nn_safetensors_read(s->file_path, &s->file, &why);
    const char *of = s->failed ? NULL : nn_safetensors_text(&s->file, "program");
    if (s->failed)
        train_fail(s, "%s", why.text);
    else if (of && strcmp(of, program)) {
        train_fail(s, "%s: is of %.60s", s->file_path, of);
        s->failed = true;
    }
}

static const char *text_of_option(const train_session *s, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "option.%s", name);
    return nn_safetensors_text(&s->file, key);
}

const char *train_peek(const train_session *s, const char *option, const char *fallback)
{
    const char *given = args_peek(s->argc, s->argv, option), *stored = text_of_option(s, option);
    return given ? given : stored ? stored : fallback;
}

/* What the file says of the options in a table becomes their default. */
static bool take_options(train_session *s, const args_option *table)
{
    for (const args_option *o = table; o && o->name; o++) {
        const char *text = text_of_option(s, o->name);
        if (text && !args_set(o, text)) {
            train_fail(s, "%s: its option %s has no such value", s->file_path, o->name);
            return false;
        }
    }
    return true;
}

/* Options that are no use without each other, or only without. */
static const char *quarrel(const train_session *s)
{
    const train_options *o = &s->options;
    const char *batch = o->resume ? text_of_option(s, "batch") : NULL;
    int asked = (o->generate > 0) + !!o->encode + !!o->decode + o->reconstruct;
    if (batch && strtoll(batch, NULL, 10) != o->batch)
        return "--batch: a run that goes on keeps its batches";
    if (o->resume && o->load)
        return "--resume and --load: one of them";
    if (o->load && asked != 1)
        return o->encodes_only ? "--load: expected --encode with it"
                               : "--load: expected one of --generate, --encode, --decode and --reconstruct with it";
    if (!o->load && (asked || o->output))
        return o->encodes_only ? "--encode and --output need --load"
                               : "--generate, --encode, --decode, --reconstruct and --output need --load";
    return NULL;
}

/* TRAIN_GO when all options are read and make sense together. */
static int read_options(train_session *s, const char *about)
{
    char message[256];
    const args_option *const tables[] = {s->recipe, s->run, s->own, NULL};
    if (!take_options(s, s->recipe) || !take_options(s, s->own))
        return TRAIN_FAILED;
    if (args_peek(s->argc, s->argv, "load") && s->options.data && access(s->options.data, R_OK) != 0) {
        s->options.data = NULL; /* a model goes where its training images do not */
        s->data_lost = true;
    }
    args_result result = args_parse(s->argc, s->argv, about, tables);
    if (result != ARGS_OK)
        return result == ARGS_HELP ? TRAIN_OK : TRAIN_USAGE;
    if (args_peek(s->argc, s->argv, "epochs") && !args_peek(s->argc, s->argv, "steps"))
        s->options.steps = 0;
    const char *wrong = quarrel(s);
    if (!wrong && ag_environment_ok(message, sizeof message))
        return TRAIN_GO;
    train_fail(s, "%s", wrong ? wrong : message);
    return TRAIN_USAGE;
}

int train_open(train_session *s, const char *about, const args_option *own, train_options defaults)
{
    if (s->failed)
        return TRAIN_FAILED;
    s->options = defaults;
    s->options.threads = ag_threads();
    s->own = own;
    shared_options(s);
    int status = read_options(s, about);
    if (status != TRAIN_GO)
        return status;
    ag_set_threads((int)s->options.threads);
    if ((!s->options.output && !set_out(s)) || !load_data(s))
        return TRAIN_FAILED;
    int64_t largest = s->train.count > s->test.count ? s->train.count : s->test.count;
    if (s->options.batch > largest)
        s->options.batch = largest;
    int64_t image = s->train.height * s->train.width;
    s->pixels = malloc((size_t)(s->options.batch * image) * sizeof *s->pixels);
    s->mean = calloc((size_t)image, sizeof *s->mean);
    s->deviation = calloc((size_t)image, sizeof *s->deviation);
    s->tape = ag_tape_new(s->options.seed);
    bool ok = s->pixels && s->mean && s->deviation && s->tape;
    return ok ? train_use(s, (train_data){.pixels = TRAIN_UNIT}) : train_fail(s, "out of memory");
}

/* ---- How the images are used. ---- */

static void keep_last(ds_dataset *d, int64_t last)
{
    int64_t image = d->height * d->width, dropped = d->count - last;
    if (last < 1 || dropped < 1)
        return;
    memmove(d->pixels, d->pixels + dropped * image, (size_t)(last * image));
    memmove(d->labels, d->labels + dropped, (size_t)last);
    d->count = last;
}

/* Mean and deviation of each pixel of the training images; a pixel that never changes keeps a deviation of 1. */
static void measure_pixels(train_session *s)
{
    int64_t image = s->train.height * s->train.width;
    for (int64_t k = 0; k < image; k++) {
        double sum = 0, squares = 0, n = (double)s->train.count;
        for (int64_t i = 0; i < s->train.count; i++) {
            double x = s->train.pixels[i * image + k] / 255.0;
            sum += x;
            squares += x * x;
        }
        double variance = squares / n - sum / n * (sum / n);
        s->mean[k] = (float)(sum / n);
        s->deviation[k] = variance > 1e-12 ? (float)sqrt(variance) : 1;
    }
}

int train_use(train_session *s, train_data use)
{
    s->use = use;
    if (use.pixels == TRAIN_STANDARD && s->data_lost && !args_peek(s->argc, s->argv, "data"))
        return train_fail(s, "%s: was trained on images of mean 0 and deviation 1; --data names the folder of the same images",
                          s->file_path);
    keep_last(&s->train, use.last);
    for (int64_t k = 0; k < s->train.height * s->train.width; k++) {
        s->mean[k] = use.pixels == TRAIN_SIGNED ? 0.5f : 0;
        s->deviation[k] = use.pixels == TRAIN_SIGNED ? 0.5f : 1;
    }
    if (use.pixels == TRAIN_STANDARD)
        measure_pixels(s);
    return TRAIN_GO;
}

static void to_range(const train_session *s, int64_t n, float *x)
{
    int64_t image = s->train.height * s->train.width;
    if (s->use.pixels == TRAIN_UNIT)
        return;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < image; k++)
            x[i * image + k] = (x[i * image + k] - s->mean[k]) / s->deviation[k];
}

void train_to_unit(const train_session *s, float *image)
{
    for (int64_t k = 0; k < s->train.height * s->train.width; k++)
        image[k] = image[k] * s->deviation[k] + s->mean[k];
}

ag_tensor *train_images(train_session *s, const ds_dataset *d, const int64_t *index, int64_t n)
{
    int64_t image = d->height * d->width;
    bool fits = n <= s->options.batch; /* into the batch's room; else into the tape's memory */
    ag_tensor *x = fits ? ag_wrap(s->tape, AG_SHAPE(n, image), s->pixels) : ag_zeros(s->tape, AG_SHAPE(n, image));
    if (ag_error(s->tape))
        return x;
    ds_images(d, index, n, x->data);
    to_range(s, n, x->data);
    return x;
}

ag_tape *train_evaluating(train_session *s)
{
    ag_tape_reset(s->tape);
    ag_set_training(s->tape, false);
    ag_set_grad_enabled(s->tape, false);
    *ag_tape_rng(s->tape) = (ag_rng){s->options.seed ^ PICTURE_STREAM, 0};
    return s->tape;
}

ag_tensor *train_test_images(train_session *s, int64_t first, int64_t n)
{
    ag_tape *tape = train_evaluating(s);
    int64_t *index = ag_tape_alloc(tape, (size_t)(n > 0 ? n : 1) * sizeof *index);
    if (first < 0 || n > s->test.count - first)
        return ag_fail(tape, "the test set has %lld images", (long long)s->test.count);
    for (int64_t i = 0; index && i < n; i++)
        index[i] = first + i;
    return train_images(s, &s->test, index, n);
}

/* The last line of every run. */
static bool print_fingerprint(const train_session *s, nn_module *model)
{
    printf("weights %016" PRIx64 "\n", nn_fingerprint(model));
    if (fflush(stdout) == 0)
        return true;
    train_fail(s, "standard output: %s", strerror(errno));
    return false;
}

static int train_and_draw(train_session *s, const train_task *task)
{
    if (!s->options.quiet)
        nn_summary(stdout, task->model, AG_SHAPE(s->options.batch, s->train.height * s->train.width));
    int status = train_run(s, task);
    bool kept = status != TRAIN_FAILED && train_write_model(s, task) && (!task->draw || task->draw(task->context));
    if (status != TRAIN_FAILED && (!print_fingerprint(s, task->model) || !kept))
        status = TRAIN_FAILED;
    return status;
}

int train_model(train_session *s, const train_task *task)
{
    int status = task->model ? s->options.load ? train_apply(s, task) : train_and_draw(s, task) : train_fail(s, "out of memory");
    nn_optimizer_free(task->optimizer);
    nn_module_free(task->model);
    return status;
}

int train_close(train_session *s, int status)
{
    if (status == TRAIN_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = train_fail(s, "standard output cannot be written");
    ds_dataset_free(&s->train);
    ds_dataset_free(&s->test);
    free(s->pixels);
    free(s->mean);
    free(s->deviation);
    ag_tape_free(s->tape);
    nn_safetensors_free(&s->file);
    *s = (train_session){.program = s->program};
    return status;
}
