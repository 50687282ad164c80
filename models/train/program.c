#define _POSIX_C_SOURCE 200809L
#include "models/train/program.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/file.h"
#include "tools/text.h"

/* ---- Signals: noted by the handler, looked at between steps. The one global of the folder, as handlers have no
 * argument. ---- */

static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

static bool must_stop(void)
{
    return stop_asked != 0;
}

/* A second signal ends the program at once. What the parent has ignored, as nohup does, stays ignored. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = ask_stop, .sa_flags = (int)SA_RESETHAND}, before;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

/* ---- Messages. ---- */

static int fail(const train_job *job, int status, const char *text)
{
    fprintf(stderr, "%s: ", job->program->name);
    tl_print_escaped(stderr, text);
    fputc('\n', stderr);
    return status;
}

/* A word as a shell reads it back. */
static void print_word(FILE *f, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
    char              shown[4200];
    tl_escape(word, shown, sizeof shown);
    if (*shown && strspn(shown, plain) == strlen(shown)) {
        fputs(shown, f);
        return;
    }
    fputc('\'', f);
    for (const char *c = shown; *c; c++)
        fprintf(f, *c == '\'' ? "'\\''" : "%c", *c);
    fputc('\'', f);
}

/* The command that resumes the run; what the checkpoint does not keep is repeated. */
static void print_resume(const train_job *job)
{
    fputs("resume with: ", stderr);
    print_word(stderr, job->argv[0]);
    fputs(" --resume ", stderr);
    print_word(stderr, job->checkpoint_path);
    for (const tl_option *o = job->around; o->name; o++) {
        char text[64];
        if (!o->given || !strcmp(o->name, "out") || !strcmp(o->name, "resume") || !strcmp(o->name, "overwrite"))
            continue;
        fprintf(stderr, " --%s", o->name);
        if (o->kind != TL_FLAG) {
            fputc(' ', stderr);
            print_word(stderr, tl_option_text(o, text, sizeof text));
        }
    }
    fputc('\n', stderr);
}

/* ---- Options. ---- */

static void shared_options(train_job *job)
{
    train_options  *o = &job->options;
    const tl_option recipe[] = {
        {"epochs", TL_INT, &o->epochs, 0, 1e6, "N", "passes over the training data", false},
        {"steps", TL_INT, &o->steps, 0, 1e12, "N", "training steps, in place of epochs, if above 0", false},
        {"batch", TL_INT, &o->batch, 1, 1e6, "N", "examples per batch", false},
        {"accumulate", TL_INT, &o->accumulate, 1, 1e4, "N", "batches per step, whose gradients are averaged", false},
        {"lr", TL_REAL, &o->lr, 0, 1e30, "X", "learning rate", false},
        {"schedule", TL_TEXT, &o->schedule, 0, 0, "constant|cosine|linear|step", "the learning rate over the run",
         false},
        {"warmup", TL_INT, &o->warmup, 0, 1e9, "N", "steps over which the learning rate rises to its value", false},
        {"clip", TL_REAL, &o->clip, 0, 1e30, "X", "largest norm of the gradients, if above 0", false},
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
    tl_option *const tables[TRAIN_TABLES] = {job->program->more_options, job->recipe,
                                             job->program->options,      job->around,
                                             job->program->uses,         job->program->more_uses};
    int              n = 0;
    for (int i = 0; i < TRAIN_TABLES; i++)
        if (tables[i])
            job->tables[n++] = tables[i];
}

bool train_given(const train_job *job, const char *option)
{
    const tl_option *o = tl_option_named(job->tables, option);
    return o && o->given;
}

void train_set_model(train_job *job, nn_module *model, train_optimizer *o, const char *name, nn_optimizer *optimizer)
{
    *o = (train_optimizer){name, model, optimizer};
    job->plan.model = model;
    job->plan.optimizers = o;
    job->plan.n_optimizers = 1;
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
static int read_command(train_job *job, tl_error *why)
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
    if (result == TL_ARGS_HELP) {
        tl_args_help(job->argv[0], job->program->about, (const tl_option *const *)job->tables);
        return TRAIN_OK;
    }
    return result == TL_ARGS_OK ? -1 : TRAIN_USAGE;
}

/* Whether an option of a resumed run differs from the file's; the seed and the batches cannot, others are told. */
static bool compare_stored(const train_job *job, tl_error *why)
{
    for (tl_option *const *table = job->tables; *table; table++)
        for (const tl_option *o = *table; o->name && is_recipe(job, *table); o++) {
            char key[80], room[64];
            snprintf(key, sizeof key, "option.%.60s", o->name);
            const char *stored = nn_safetensors_text(&job->file, key), *now = tl_option_text(o, room, sizeof room);
            bool        length = !strcmp(o->name, "epochs") || !strcmp(o->name, "steps") || !strcmp(o->name, "data");
            if (!o->given || length || !stored || (now && !strcmp(stored, now)))
                continue;
            if (!strcmp(o->name, "seed") || !strcmp(o->name, "batch") || !strcmp(o->name, "accumulate"))
                return tl_fail(why, "--%s: a run that is resumed keeps its %s, %.40s", o->name, o->name, stored);
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

static bool check_options(train_job *job, tl_error *why)
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

static bool keep_options(train_job *job, tl_error *why)
{
    if (!train_keep_text(job, "program", job->program->name, why))
        return false;
    for (tl_option *const *table = job->tables; *table; table++)
        for (const tl_option *o = *table; o->name && is_recipe(job, *table); o++) {
            char key[80], room[64];
            snprintf(key, sizeof key, "option.%.60s", o->name);
            const char *value = tl_option_text(o, room, sizeof room);
            if (value && !train_keep_text(job, key, value, why))
                return false;
        }
    return true;
}

/* ---- A run. ---- */

static bool draw_after_epoch(void *self, train_run *run, const train_record *record)
{
    train_job    *job = self;
    const int64_t every = job->options.draw_every;
    const bool    last = run->step == run->steps && run->phase + 1 == run->plan->n_phases; /* drawn after the run */
    return every < 1 || record->epoch % every || last || job->program->draw(job->program->context, job, &run->error);
}

/* After the first checkpoint. A run that diverges at once leaves the one that it was to replace. */
static bool settle(void *self, train_run *run, const train_record *record)
{
    train_job *job = self;
    const bool finite = train_sums_finite(&record->train) && train_sums_finite(&record->test);
    return !job->folder.replaces || (finite && train_folder_settle(&job->folder, &run->error));
}

static bool settle_at_end(void *self, train_run *run, train_status status)
{
    train_job *job = self;
    return status == TRAIN_FAILED || train_folder_settle(&job->folder, &run->error);
}

static bool set_observers(train_job *job, tl_error *why)
{
    train_folder *f = &job->folder;
    int           n = 0;
    if (!train_folder_file(f, "checkpoint.safetensors", job->checkpoint_path, sizeof job->checkpoint_path, why) ||
        !train_folder_file(f, "metrics.csv", job->csv, sizeof job->csv, why))
        return false;
    job->checkpoint = (train_checkpoint){
        .path = job->checkpoint_path, .every = job->options.save_every, .n_texts = job->n_texts, .texts = job->texts};
    if (!job->options.quiet)
        job->observer[n++] = train_terminal_observer(&job->terminal);
    job->observer[n++] = train_checkpoint_observer(&job->checkpoint);
    job->observer[n++] = (train_observer){.epoch = settle, .end = settle_at_end, .self = job};
    job->observer[n++] = train_csv_observer(job->csv);
    if (job->program->draw)
        job->observer[n++] = (train_observer){.epoch = draw_after_epoch, .self = job};
    for (int i = 0; i < n; i++)
        job->observers[i] = &job->observer[i];
    job->plan.observers = (train_observer *const *)job->observers;
    job->plan.n_observers = n;
    return true;
}

/* First values, or those of the checkpoint. */
static bool give_values(train_job *job, tl_error *why)
{
    train_run *run = &job->run;
    tl_error   reason;
    if (!job->options.resume) {
        nn_reset_parameters(job->plan.model, job->options.seed);
        return !nn_error(job->plan.model) || tl_fail(why, "%s", nn_error(job->plan.model));
    }
    if (!train_resume(run, &job->file, &reason))
        return tl_fail_at(why, job->options.resume, "%s", reason.text);
    const int64_t steps = train_phase_steps(&job->plan, &job->plan.phases[run->phase]);
    if (run->step > steps)
        return tl_fail_at(why, job->options.resume, "is at step %lld already, beyond the %lld asked for",
                          (long long)run->step, (long long)steps);
    if (!job->options.quiet)
        printf("resumed at step %lld of %lld\n", (long long)run->step, (long long)steps);
    return true;
}

static bool save_model(train_job *job, tl_error *why)
{
    char path[4200];
    return train_folder_file(&job->folder, "model.safetensors", path, sizeof path, why) &&
           nn_save_checkpoint(job->plan.model, 0, NULL, job->n_texts, job->texts, path, why);
}

/* The names in a list, which a resumed run has read from a file. */
static void print_names(const char *list)
{
    char name[4200];
    for (const char *at = list; at && *at; at += strcspn(at, "\n"), at += *at == '\n') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\n"), at);
        putchar(' ');
        tl_print_escaped(stdout, name);
    }
    putchar('\n');
}

/* The last lines of every run: where its results are, and the fingerprint of the weights. */
static void print_results(const train_job *job)
{
    if (!job->options.quiet) {
        tl_print_escaped(stdout, job->folder.path);
        fputc(':', stdout);
        print_names(job->folder.files);
    }
    printf("weights %016" PRIx64 "\n", nn_fingerprint(job->plan.model));
}

static int train(train_job *job, tl_error *why)
{
    const train_program *p = job->program;
    if (!train_folder_open(&job->folder, job->options.overwrite, why) || !keep_options(job, why) ||
        !set_observers(job, why) || !train_run_init(&job->run, &job->plan, why) || !give_values(job, why))
        return TRAIN_FAILED;
    if (!job->options.quiet && job->input.rank >= 0)
        nn_summary(stdout, job->plan.model, job->input);
    catch_signals();
    const int status = (int)train_run_go(&job->run);
    if (status == TRAIN_FAILED) {
        *why = job->run.error;
        return status;
    }
    if (status == TRAIN_STOPPED) {
        fprintf(stderr, "%s: stopped in epoch %lld after step %lld of %lld\n", p->name, (long long)job->run.epoch,
                (long long)job->run.step, (long long)job->run.steps);
        print_resume(job);
    }
    const bool kept = job->options.resume && !job->run.made && job->folder.home; /* nothing was left to do */
    if ((!kept && !save_model(job, why)) || (p->draw && !p->draw(p->context, job, why)))
        return TRAIN_FAILED;
    print_results(job);
    return status;
}

static int use(train_job *job, tl_error *why)
{
    tl_error reason;
    if (!nn_load_checkpoint(job->plan.model, 0, NULL, &job->file, true, &reason)) {
        tl_fail_at(why, job->options.load, "%s", reason.text);
        return TRAIN_FAILED;
    }
    if (!train_run_init(&job->run, &job->plan, why))
        return TRAIN_FAILED;
    return job->program->use(job->program->context, job, why) ? TRAIN_OK : TRAIN_FAILED;
}

static void set_plan(train_job *job)
{
    static const char *const names[] = {"constant", "cosine", "linear", "step"};
    const train_options     *o = &job->options;
    job->plan = (train_plan){.seed = o->seed,
                             .clip = o->clip,
                             .warmup = o->warmup,
                             .accumulate = o->accumulate,
                             .context = job->program->context,
                             .stop = must_stop};
    for (int i = 0; i < 4; i++)
        if (!strcmp(o->schedule, names[i]))
            job->plan.schedule = (train_schedule)i;
}

/* After the options are known. */
static int run_job(train_job *job, tl_error *why)
{
    const train_program *p = job->program;
    const char          *variant = p->variant ? p->variant(p->context) : NULL;
    char                 base[200];
    snprintf(base, sizeof base, "runs/%s%s%s", p->name, variant ? "-" : "", variant ? variant : "");
    if (!job->options.load &&
        !train_folder_choose(&job->folder, job->options.out, base, job->options.resume, job->options.overwrite, why))
        return TRAIN_USAGE;
    ag_set_threads((int)job->options.threads);
    set_plan(job);
    if (!p->build(p->context, job, why))
        return TRAIN_FAILED;
    const bool  unset = !job->plan.model && !job->plan.optimizers;
    const char *wrong = unset ? "the program's build has set no model: see train_set_model" : nn_error(job->plan.model);
    if (wrong) {
        tl_fail(why, "%s", wrong);
        return TRAIN_FAILED;
    }
    return job->options.load ? use(job, why) : train(job, why);
}

static void close_job(train_job *job)
{
    train_run_free(&job->run);
    for (int i = 0; i < job->plan.n_optimizers; i++)
        nn_optimizer_free(job->plan.optimizers[i].optimizer);
    nn_module_free(job->plan.model);
    if (job->program->close)
        job->program->close(job->program->context);
    train_folder_close(&job->folder);
    nn_safetensors_free(&job->file);
    free(job->text);
    free(job->texts);
}

int train_main(int argc, char **argv, const train_program *program)
{
    tl_error  why = {""};
    train_job job = {.program = program, .argc = argc, .argv = argv, .folder.lock = -1, .input = {-1, {0}}};
    tl_keep_standard_streams();
    shared_options(&job);
    int status = read_command(&job, &why);
    if (status < 0)
        status = check_options(&job, &why) ? run_job(&job, &why) : TRAIN_USAGE;
    if (*why.text && status != TRAIN_OK && status != TRAIN_STOPPED)
        fail(&job, status, why.text);
    close_job(&job);
    if ((fflush(stdout) != 0 || ferror(stdout)) && (status == TRAIN_OK || status == TRAIN_STOPPED))
        status = fail(&job, TRAIN_FAILED, "standard output cannot be written");
    return status;
}
