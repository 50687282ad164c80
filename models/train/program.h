/* What every training program does around its model: options, the folder, resuming, Ctrl-C, the fingerprint. train_main
 * is a whole main function; models/train/image_program.h is it for programs that work on images. */
#ifndef TRAIN_PROGRAM_H
#define TRAIN_PROGRAM_H

#include "models/train/best.h"
#include "models/train/checkpoint.h"
#include "models/train/folder.h"
#include "models/train/observers.h"
#include "models/train/run.h"
#include "tools/args.h"
#include "tools/page.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The options that all programs share. */
typedef struct train_options {
    /* What makes a result; kept in checkpoints. */
    int64_t     epochs, steps, batch, accumulate, shards, warmup;
    double      lr, clip;
    const char *schedule;
    uint64_t    seed;
    bool        keep_best;
    /* What does not. */
    int64_t     threads, save_every, draw_every;
    const char *out, *resume, *load;
    bool        quiet, overwrite;
} train_options;

enum { TRAIN_TABLES = 7 };

typedef struct train_program train_program;

/* A program under way: what its functions see of it. */
typedef struct train_job {
    const train_program *program;
    train_options        options;
    train_plan           plan;  /* filled by build; seed and what the shared options say are set */
    train_ranks          ranks; /* the first one writes, prints and draws */
    ag_shape             input; /* set by build: of a batch, for the summary; rank -1 for none */
    train_run            run;
    train_folder         folder;
    nn_safetensors       file; /* of --resume or --load */

    /* ---- Private. ---- */
    int        argc;
    char     **argv;
    tl_option  recipe[12], around[12];
    tl_option *tables[TRAIN_TABLES + 1];
    char (*text)[2][512]; /* keys and values for the checkpoint */
    nn_stored_text          *texts;
    int                      n_texts;
    train_checkpoint         checkpoint;
    train_best               best;
    train_terminal           terminal;
    train_observer           observer[7];
    train_observer          *observers[7];
    struct train_job_report *report;
    char                     csv[4200], checkpoint_path[4200], best_path[4200], best_before[4200];
} train_job;

struct train_program {
    const char *name, *about;
    tl_option  *options, *more_options; /* its own, which make a result; tables, or NULL */
    tl_option  *extras;                 /* its own, which make none, in training and with --load; a table, or NULL */
    tl_option  *uses, *more_uses;       /* what it does with a model that is loaded; tables, or NULL */
    /* The variant's name, to be part of the default folder's; NULL, also as a result, for none. */
    const char *(*variant)(void *context);
    /* Sets shared options, and own ones that depend on others, to their defaults; called again when those others are
     * known. */
    void (*defaults)(void *context, train_options *o);
    /* Whether the options make sense together; before anything is loaded. NULL: always. */
    bool (*check)(void *context, const train_job *job, tl_error *why);
    /* Opens the data and makes the model (without values), its optimizers and phases, in job->plan. Model and
     * optimizers are freed by train_main. */
    bool (*build)(void *context, train_job *job, tl_error *why);
    /* Pictures and the like, after training, and every --draw-every epochs. NULL for none. */
    bool (*draw)(void *context, train_job *job, tl_error *why);
    /* For report.html: what to keep of an epoch, and what to add to the page. NULL for nothing. */
    bool (*collect)(void *context, train_job *job, const train_record *record, tl_error *why);
    bool (*show)(void *context, train_job *job, tl_page *page, tl_error *why);
    /* After the last pictures of a run that was not stopped. NULL for nothing. */
    bool (*finish)(void *context, train_job *job, tl_error *why);
    /* What is asked of a model that was loaded. NULL: the program has no --load. */
    bool (*use)(void *context, train_job *job, tl_error *why);
    void (*close)(void *context);
    void *context;
};

/* The whole program. Returns the exit status: 0, 1 after a failure, 2 for wrong usage, 130 after Ctrl-C. */
int train_main(int argc, char **argv, const train_program *program);

/* For build: the job trains one model with one optimizer, which `o` keeps. */
void train_set_model(train_job *job, nn_module *model, train_optimizer *o, const char *name, nn_optimizer *optimizer);

/* Whether an option was given on the command line. */
bool train_given(const train_job *job, const char *option);

/* A text for the checkpoint and the model's file, besides the options. False when memory runs out or it has over 511
 * characters. */
bool train_keep_text(train_job *job, const char *key, const char *value, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
