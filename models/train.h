/* What the demo programs share: their options, the data, the training loop, metrics.csv, the fingerprint.
 *
 *     train_session s;
 *     int status = train_open(&s, argc, argv, "vae_mnist", "Trains ...", own_options, defaults);
 *     if (status != TRAIN_GO)
 *         return train_close(&s, status);
 *     ... make the model and a train_task ...
 *     status = train_run(&s, &task);
 *     ... pictures ...
 *     return train_close(&s, train_report(&s, model, status)); */
#ifndef MODELS_TRAIN_H
#define MODELS_TRAIN_H

#include "datasets/batches.h"
#include "datasets/dataset.h"
#include "nn/nn.h"
#include "tools/args.h"

/* Exit statuses. TRAIN_GO is none: it says that the program goes on. */
enum { TRAIN_GO = -1, TRAIN_OK = 0, TRAIN_FAILED = 1, TRAIN_USAGE = 2, TRAIN_STOPPED = 130 };

#define TRAIN_MAX_PARTS 4

typedef struct train_options {
    const char *data, *out; /* folders; NULL for the defaults */
    int64_t     epochs, batch, threads;
    double      lr;
    uint64_t    seed;
    bool        quiet;
} train_options;

typedef struct train_session {
    train_options options;
    const char   *program;
    char          out[4096];      /* the folder of all output, there and writable */
    ds_dataset    train, test;
    float        *pixels;         /* room for one batch */
    ag_tape      *tape;
} train_session;

/* What is trained, and how. */
typedef struct train_task {
    nn_module    *model;
    nn_optimizer *optimizer;
    /* The loss of a batch x (N, pixels), to be minimised. Fills parts[0 .. n_parts-1] with what metrics.csv reports: the sum
     * over the batch's images of the loss, then of its parts. */
    ag_tensor *(*loss)(void *context, ag_tensor *x, ag_tensor **parts);
    void       *context;
    int         n_parts;
    const char *part[TRAIN_MAX_PARTS]; /* "loss", "bce", ...: in metrics.csv train_loss, test_loss, test_bce, ... */
} train_task;

/* Reads the command line, checks the environment, loads or makes the data, makes the output folder. `options` of the session
 * are the defaults on entry. Returns TRAIN_GO, or the exit status after --help or an error. */
int train_open(train_session *s, int argc, char **argv, const char *program, const char *about,
               const args_option *own, train_options defaults);

/* Trains for the epochs asked for, with a line and a row of metrics.csv for each. Ctrl-C ends it after the step at
 * hand. TRAIN_OK, TRAIN_STOPPED or TRAIN_FAILED. */
int train_run(train_session *s, const train_task *task);

/* Images first .. first+n-1 of the test set as (n, pixels) on the session's tape, which is reset and set to evaluate. */
ag_tensor *train_test_images(train_session *s, int64_t first, int64_t n);

/* The session's tape, reset and set to evaluate, with the random state that the seed gives to pictures. */
ag_tape *train_evaluating(train_session *s);

/* Prints the error to stderr, after the program's name. Returns TRAIN_FAILED. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int train_fail(const train_session *s, const char *format, ...);

/* Prints the last line, the fingerprint of the parameters. Returns `status`, or TRAIN_FAILED when it cannot. */
int train_report(const train_session *s, nn_module *model, int status);

/* Frees the session. Returns `status`. */
int train_close(train_session *s, int status);

#endif
