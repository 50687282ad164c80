/* What the demo programs share: their options, the data, the training loop, metrics.csv, the fingerprint.
 *
 *     train_session s;
 *     train_begin(&s, argc, argv, "vae_mnist");
 *     int status = train_open(&s, "Trains ...", own_options, defaults);
 *     if (status == TRAIN_GO)
 *         status = train_model(&s, &(train_task){.model = ..., .optimizer = ..., .loss = ..., .draw = ...});
 *     return train_close(&s, status); */
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
    int64_t     steps;      /* if above 0, in place of epochs */
    double      lr;
    uint64_t    seed;
    bool        quiet;
    int64_t     save_every;     /* steps between checkpoints, if above 0; else one each epoch */
    const char *resume, *load;  /* files; NULL for none */
    int64_t     generate;       /* what is asked of a model that is loaded */
    const char *encode, *decode, *output;
    bool        reconstruct;
    bool        encodes_only;   /* not for the user to choose: the model has no way from codes to images */
} train_options;

/* What a program does with the images; not for the user to choose. */
typedef struct train_data {
    enum { TRAIN_UNIT, TRAIN_SIGNED, TRAIN_STANDARD } pixels;    /* 0..1, -1..1, or mean 0 and deviation 1 per pixel */
    enum { TRAIN_SHUFFLED, TRAIN_RANDOM, TRAIN_BLOCKS } batches; /* see datasets/batches.h */
    int64_t last;                                                /* if above 0, only so many training images, the last */
} train_data;

typedef struct train_session {
    train_options options;
    train_data    use;
    const char   *program;
    int           argc;
    char        **argv;
    args_option   recipe[8], run[16]; /* shared options: what makes a result, and what does not */
    const args_option *own;           /* the program's, which make a result too */
    const char    *file_path;         /* --resume or --load; NULL for none */
    nn_safetensors file;
    bool           failed;            /* train_begin has said why */
    bool           data_lost;         /* the model's training images are not where they were */
    char          out[4096];        /* the folder of all output, there and writable */
    ds_dataset    train, test;
    uint64_t      data_hash;        /* of the training images; 0 until a checkpoint asks */
    float        *pixels;           /* room for one batch */
    float        *mean, *deviation; /* per pixel; x = (byte / 255 - mean) / deviation */
    ag_tape      *tape;
} train_session;

typedef struct train_batch {
    ag_tensor *x;      /* (N, pixels) */
    ag_tensor *labels; /* (N), whole numbers 0..9 */
    int64_t    n;
} train_batch;

/* What is trained, and how. */
typedef struct train_task {
    nn_module    *model;
    nn_optimizer *optimizer;
    /* The loss of a batch, to be minimised. Fills parts[0 .. n_parts-1] with what metrics.csv reports: the sum over the
     * batch's images of the loss, then of its parts. */
    ag_tensor *(*loss)(void *context, const train_batch *batch, ag_tensor **parts);
    void       *context;
    int         n_parts;
    const char *part[TRAIN_MAX_PARTS]; /* "loss", "bce", ...: in metrics.csv train_loss, test_loss, test_bce, ... */
    bool        totals;                /* report sums over all images in place of means */
    bool (*draw)(void *context);       /* pictures and the like, after training; NULL for none. False: it has failed */
    /* For --encode and the like: images (N, pixels) to (N, anything), and (N, code) to images in the program's range. */
    ag_tensor *(*encode)(void *context, ag_tensor *x);
    ag_tensor *(*decode)(void *context, ag_tensor *code); /* NULL for options.encodes_only */
    int64_t     code;                                     /* numbers of an image's code */
} train_task;

/* Starts a session: remembers the command line, and reads the file of --resume or --load. What goes wrong is told by train_open. */
void train_begin(train_session *s, int argc, char **argv, const char *program);

/* The value of one option before all are read, for options that set the defaults of others: from the command line, else from the
 * file, else `fallback`. Flags have "true" and "false". */
const char *train_peek(const train_session *s, const char *option, const char *fallback);

/* Reads the command line, checks the environment, loads or makes the data, makes the output folder. The values that the tables
 * point to, and `defaults`, are what holds where neither the command line nor the file says otherwise. Returns TRAIN_GO, or the
 * exit status after --help or an error. */
int train_open(train_session *s, const char *about, const args_option *own, train_options defaults);

/* Says how the images are used; the default is 0..1, shuffled, all. To be called between train_open and train_run. Returns
 * TRAIN_GO or TRAIN_FAILED. */
int train_use(train_session *s, train_data use);

/* The whole run: the summary, training, pictures, the fingerprint; or what is asked of a model that is loaded. Frees the model and
 * the optimiser. Returns the exit status. */
int train_model(train_session *s, const train_task *task);

/* Of that, the training, for the epochs asked for, with a line and a row of metrics.csv for each. Ctrl-C ends it after the step
 * at hand. TRAIN_OK, TRAIN_STOPPED or TRAIN_FAILED. */
int train_run(train_session *s, const train_task *task);

/* Images index[0 .. n-1] of a data set of the session as (n, pixels), in the program's pixel range, on its tape. */
ag_tensor *train_images(train_session *s, const ds_dataset *d, const int64_t *index, int64_t n);

/* Test images first .. first+n-1 on the session's tape, which is reset and set to evaluate. */
ag_tensor *train_test_images(train_session *s, int64_t first, int64_t n);

/* Turns an image from the program's pixel range to 0..1, in place. */
void train_to_unit(const train_session *s, float *image);

/* The session's tape, reset and set to evaluate, with the random state that the seed gives to pictures. */
ag_tape *train_evaluating(train_session *s);

/* Prints the error to stderr, after the program's name. Returns TRAIN_FAILED. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int train_fail(const train_session *s, const char *format, ...);

/* Frees the session. Returns `status`. */
int train_close(train_session *s, int status);

#endif
