/* The options of a training program: the command line over those of the file that is resumed or loaded over the
 * defaults; and the texts that keep them in checkpoints. */
#include "models/train/program_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/shards_internal.h"
#include "tools/text.h"

void train__shared_options(train_job *job)
{
    train_options  *o = &job->options;
    const tl_option recipe[] = {
        {"epochs", TL_INT, &o->epochs, 0, 1e6, "N", "passes over the training data", false},
        {"steps", TL_INT, &o->steps, 0, 1e12, "N", "training steps, in place of epochs, if above 0", false},
        {"batch", TL_INT, &o->batch, 1, 1e6, "N", "examples per batch", false},
        {"accumulate", TL_INT, &o->accumulate, 1, 1e4, "N", "batches per step, whose gradients are averaged", false},
        {"shards", TL_INT, &o->shards, 1, TRAIN_MAX_SHARDS, "N",
         "parts of a batch, computed by several processes or one: no fewer than processes", false},
        {"lr", TL_REAL, &o->lr, 0, 1e30, "X", "learning rate", false},
        {"schedule", TL_TEXT, &o->schedule, 0, 0, "constant|cosine|linear|step", "the learning rate over the run",
         false},
        {"warmup", TL_INT, &o->warmup, 0, 1e9, "N", "steps over which the learning rate rises to its value", false},
        {"clip", TL_REAL, &o->clip, 0, 1e30, "X", "largest norm of the gradients, if above 0", false},
        {"keep-best", TL_FLAG, &o->keep_best, 0, 0, NULL,
         "end with the weights of the best epoch, judged by examples that are held out from training", false},
        {"seed", TL_SEED, &o->seed, 0, 0, "N", "of weights, order and noise: one seed, one result", false},
        TL_OPTIONS_END,
    };
    const tl_option around[] = {
        {"threads", TL_INT, &o->threads, 1, AG_MAX_THREADS, "N", "threads to compute with; does not change the result",
         false},
        {"out", TL_TEXT, &o->out, 0, 0, "DIR",
         "folder to write to; else that of --resume, else a new one: runs/NAME, runs/NAME-2, ...", false},
        {"overwrite", TL_FLAG, &o->overwrite, 0, 0, NULL, "replace the run that the folder holds", false},
        {"quiet", TL_FLAG, &o->quiet, 0, 0, NULL, "print nothing but errors and the fingerprint", false},
        {"draw-every", TL_INT, &o->draw_every, 0, 1e6, "N", "epochs from pictures to pictures; 0: only after the last",
         false},
        {"save-every", TL_INT, &o->save_every, 0, 1e12, "N", "steps from checkpoint to checkpoint; 0: each epoch",
         false},
        {"resume", TL_TEXT, &o->resume, 0, 0, "FILE", "go on from a checkpoint, with its options", false},
        {"load", TL_TEXT, &o->load, 0, 0, "FILE", "do not train: use a model, with one of the options below", false},
        TL_OPTIONS_END,
    };
    memcpy(job->recipe, recipe, sizeof recipe);
    memcpy(job->around, around, sizeof around);
    if (!job->program->use) /* the last is --load */
        job->around[sizeof around / sizeof *around - 2] = (tl_option)TL_OPTIONS_END;
    tl_option *const tables[TRAIN_TABLES] = {
        job->program->more_options, job->recipe,        job->program->options,  job->around,
        job->program->extras,       job->program->uses, job->program->more_uses};
    int n = 0;
    for (int i = 0; i < TRAIN_TABLES; i++)
        if (tables[i])
            job->tables[n++] = tables[i];
}

bool train_given(const train_job *job, const char *option)
{
    const tl_option *o = job ? tl_option_named(job->tables, option) : NULL;
    return o && o->given;
}

/* The tables that make a result. */
static bool is_recipe(const train_job *job, const tl_option *table)
{
    return table && (table == job->recipe || table == job->program->options || table == job->program->more_options);
}

static void set_defaults(train_job *job)
{
    train_options *o = &job->options;
    *o = (train_options){.epochs = 10,
                         .batch = 128,
                         .accumulate = 1,
                         .shards = 1,
                         .lr = 1e-3,
                         .schedule = "constant",
                         .seed = 1,
                         .threads = ag_threads(),
                         .out = o->out,
                         .resume = o->resume,
                         .load = o->load};
    if (job->program->defaults)
        job->program->defaults(job->program->context, o);
}

/* What the file says of the options becomes their default. */
static bool take_stored(train_job *job, tl_error *why)
{
    for (tl_option *const *table = job->tables; *table; table++)
        for (const tl_option *o = *table; o->name && is_recipe(job, *table); o++) {
            char     key[80];
            tl_error reason;
            snprintf(key, sizeof key, "option.%.60s", o->name);
            const char *text = nn_safetensors_text(&job->file, key);
            if (text && !tl_option_set(o, text, &reason))
                return tl_fail(why, "the file's option %s", reason.text);
        }
    return true;
}

/* Reads the command line over the file's options over the defaults; twice, as the defaults of some depend on others. */
int train__read_command(train_job *job, tl_error *why)
{
    set_defaults(job);
    tl_args_result       result = tl_args_parse(job->argc, job->argv, job->tables, why);
    const train_options *o = &job->options;
    const char          *path = o->resume ? o->resume : o->load;
    if (result == TL_ARGS_OK && path && !(o->resume && o->load) && !nn_safetensors_read(path, &job->file, why))
        return TRAIN_FAILED;
    if (result != TL_ARGS_ERROR) {
        const char *of = nn_safetensors_text(&job->file, "program");
        if (of && strcmp(of, job->program->name)) {
            tl_fail_at(why, path, "is of %.60s", of);
            return TRAIN_FAILED;
        }
        if (!take_stored(job, why))
            return TRAIN_FAILED;
        tl_args_parse(job->argc, job->argv, job->tables, why);
        set_defaults(job);
        if (!take_stored(job, why))
            return TRAIN_FAILED;
        tl_args_parse(job->argc, job->argv, job->tables, why);
    }
    const bool leads = job->ranks.rank == 0;
    if (!leads)
        job->options.quiet = true;
    if (leads && result == TL_ARGS_VERSION)
        printf("%s (Hourglass) " AG_VERSION "\n", job->program->name);
    if (leads && result == TL_ARGS_HELP)
        tl_args_help(job->argv[0], job->program->about, (const tl_option *const *)job->tables);
    return result == TL_ARGS_OK ? -1 : result == TL_ARGS_ERROR ? TRAIN_USAGE : TRAIN_OK;
}

/* Whether an option of a resumed run differs from the file's; the seed, the batches and what is held out cannot, others
 * are told. */
static bool compare_stored(const train_job *job, tl_error *why)
{
    for (tl_option *const *table = job->tables; *table; table++)
        for (const tl_option *o = *table; o->name && is_recipe(job, *table); o++) {
            char key[80], buffer[64];
            snprintf(key, sizeof key, "option.%.60s", o->name);
            const char *stored = nn_safetensors_text(&job->file, key), *now = tl_option_text(o, buffer, sizeof buffer);
            bool        length = !strcmp(o->name, "epochs") || !strcmp(o->name, "steps") || !strcmp(o->name, "data");
            if (!o->given || length || !stored || (now && !strcmp(stored, now)))
                continue;
            if (!strcmp(o->name, "seed") || !strcmp(o->name, "batch") || !strcmp(o->name, "accumulate") ||
                !strcmp(o->name, "shards") || !strcmp(o->name, "keep-best"))
                return tl_fail(why, "--%s: a run that is resumed keeps its %s, %.40s", o->name, o->name, stored);
            if (job->ranks.rank > 0)
                continue;
            fprintf(stderr, "%s: note: --%s %s in place of the run's ", job->program->name, o->name, now ? now : "");
            tl_print_escaped(stderr, stored);
            fputc('\n', stderr);
        }
    return true;
}

static const char *quarrel(const train_job *job)
{
    const train_options *o = &job->options;
    if (o->resume && o->load)
        return "--resume and --load: expected one of them";
    const tl_option *const uses[] = {job->program->uses, job->program->more_uses};
    for (int i = 0; i < 2; i++)
        for (const tl_option *use = uses[i]; use && use->name && !o->load; use++)
            if (use->given)
                return "the options that use a trained model need --load FILE";
    return NULL;
}

bool train__check_options(train_job *job, tl_error *why)
{
    const char *wrong = quarrel(job);
    char        environment[256];
    if (wrong)
        return tl_fail(why, "%s", wrong);
    if (train_given(job, "epochs") && !train_given(job, "steps"))
        job->options.steps = 0;
    if (job->options.resume && !compare_stored(job, why))
        return false;
    if (job->program->check && !job->program->check(job->program->context, job, why))
        return false;
    return ag_environment_ok(environment, sizeof environment) || tl_fail(why, "%s", environment);
}

/* ---- Texts for the checkpoint. ---- */

bool train_keep_text(train_job *job, const char *key, const char *value, tl_error *why)
{
    if (!job || !key || !value)
        return tl_fail(why, "train_keep_text: no job, key or value");
    const size_t n = (size_t)job->n_texts + 1;
    char(*text)[2][512] = realloc(job->text, n * sizeof *text);
    job->text = text ? text : job->text;
    nn_stored_text *texts = realloc(job->texts, n * sizeof *texts);
    job->texts = texts ? texts : job->texts;
    if (!text || !texts)
        return tl_fail(why, "out of memory");
    if (strlen(key) > 511 || strlen(value) > 511 || !tl_is_utf8(value))
        return tl_fail(why, "%.60s: \"%.300s\" cannot be kept in a checkpoint: expected at most 511 bytes of UTF-8",
                       key, value);
    strcpy(text[job->n_texts][0], key);
    strcpy(text[job->n_texts][1], value);
    job->n_texts++;
    for (int i = 0; i < job->n_texts; i++)
        texts[i] = (nn_stored_text){text[i][0], text[i][1]};
    return true;
}

bool train__keep_options(train_job *job, tl_error *why)
{
    if (!train_keep_text(job, "program", job->program->name, why))
        return false;
    for (tl_option *const *table = job->tables; *table; table++)
        for (const tl_option *o = *table; o->name && is_recipe(job, *table); o++) {
            char key[80], buffer[64];
            snprintf(key, sizeof key, "option.%.60s", o->name);
            const char *value = tl_option_text(o, buffer, sizeof buffer);
            if (value && !train_keep_text(job, key, value, why))
                return false;
        }
    return true;
}
