#define _POSIX_C_SOURCE 200809L
#include "models/train/program_internal.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/train/ranks_internal.h"
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
static void handle_signals(void (*handler)(int))
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND}, before;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

/* Of several ranks, the first one reads and writes files and prints; the others only compute. */
static bool leads(const train_job *job)
{
    return job->ranks.rank == 0;
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

/* The options of a table that were given, but for those that say where a run goes on. */
static void print_given(const tl_option *table)
{
    for (const tl_option *o = table; o && o->name; o++) {
        char text[64];
        if (!o->given || !strcmp(o->name, "out") || !strcmp(o->name, "resume") || !strcmp(o->name, "overwrite"))
            continue;
        fprintf(stderr, " --%s", o->name);
        if (o->kind != TL_FLAG) {
            fputc(' ', stderr);
            print_word(stderr, tl_option_text(o, text, sizeof text));
        }
    }
}

/* The command that resumes the run; what the checkpoint does not keep is repeated. */
static void print_resume(const train_job *job)
{
    fputs("resume with: ", stderr);
    print_word(stderr, job->argv[0]);
    fputs(" --resume ", stderr);
    print_word(stderr, job->checkpoint_path);
    print_given(job->around);
    print_given(job->program->extras);
    fputc('\n', stderr);
}

void train_set_model(train_job *job, nn_module *model, train_optimizer *o, const char *name, nn_optimizer *optimizer)
{
    if (!job || !o)
        return;
    *o = (train_optimizer){name, model, optimizer};
    job->plan.model = model;
    job->plan.optimizers = o;
    job->plan.n_optimizers = 1;
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

/* The best epoch's file; a run that is resumed in another folder has that of its epochs so far. */
static bool set_best(train_job *job, tl_error *why)
{
    const char *resume = job->options.resume;
    job->best = (train_best){.path = job->best_path, .n_texts = job->n_texts, .texts = job->texts};
    if (!train_folder_file(&job->folder, "best.safetensors", job->best_path, sizeof job->best_path, why))
        return false;
    if (!resume || job->folder.home)
        return true;
    job->best.before = job->best_before;
    return tl_beside(resume, "best.safetensors", job->best_before, sizeof job->best_before, why);
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
    if (job->options.keep_best && !set_best(job, why))
        return false;
    if (job->options.keep_best)
        job->observer[n++] = train_best_observer(&job->best);
    job->observer[n++] = train_checkpoint_observer(&job->checkpoint);
    job->observer[n++] = (train_observer){.epoch = settle, .end = settle_at_end, .self = job};
    job->observer[n++] = train_csv_observer(job->csv);
    if (job->program->draw)
        job->observer[n++] = (train_observer){.epoch = draw_after_epoch, .self = job};
    if (!train__open_report(job, &job->observer[n++], why))
        return false;
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

/* Prints those files of the folder's list, which a resumed run has read, that exist: a run of no epochs has no chart.
 */
static void print_names(const train_folder *f)
{
    char name[4200], path[sizeof f->path + 4200];
    for (const char *at = f->files; at && *at; at += strcspn(at, "\n"), at += *at == '\n') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\n"), at);
        snprintf(path, sizeof path, "%s/%s", f->path, name);
        if (access(path, F_OK) != 0)
            continue;
        putchar(' ');
        tl_print_escaped(stdout, name);
    }
    putchar('\n');
}

/* The last lines of every run: where its results are, and the fingerprint of the weights. */
static void print_results(const train_job *job)
{
    const bool several = job->plan.n_phases > 1;
    if (!job->options.quiet) {
        tl_print_escaped(stdout, job->folder.path);
        fputc(':', stdout);
        print_names(&job->folder);
    }
    if (!job->options.quiet && job->best.epoch > 0)
        printf("the best epoch, whose weights these are: %" PRId64 "%s%s\n", job->best.epoch, several ? " of " : "",
               several ? job->plan.phases[job->best.phase].name : "");
    printf("weights %016" PRIx64 "\n", nn_fingerprint(job->plan.model));
}

/* Makes the run ready and makes it. */
static int run_plan(train_job *job, tl_error *why)
{
    if (leads(job) && (!train_folder_open(&job->folder, job->options.overwrite, why) || !train__keep_options(job, why)))
        return TRAIN_FAILED;
    if (!train_run_init(&job->run, &job->plan, why) || (leads(job) && !set_observers(job, why)) ||
        !give_values(job, why))
        return TRAIN_FAILED;
    if (!job->options.quiet && job->input.rank >= 0)
        nn_summary(stdout, job->plan.model, job->input);
    handle_signals(ask_stop);
    signal(SIGPIPE, SIG_IGN); /* a reader of standard output that goes away, such as head, does not end the run */
    const int status = (int)train_run_go(&job->run);
    if (status == TRAIN_FAILED)
        *why = job->run.error;
    return status;
}

static void print_stopped(const train_job *job)
{
    const train_run *run = &job->run;
    fprintf(stderr, "%s: stopped in epoch %lld", job->program->name, (long long)run->epoch);
    if (run->plan->n_phases > 1)
        fprintf(stderr, " of %s", run->plan->phases[run->phase].name);
    fprintf(stderr, " after step %lld of %lld\n", (long long)run->step, (long long)run->steps);
}

static int train(train_job *job, tl_error *why)
{
    const train_program *p = job->program;
    const int            status = run_plan(job, why);
    if (status == TRAIN_FAILED || !leads(job))
        return status;
    if (status == TRAIN_STOPPED) {
        print_stopped(job);
        print_resume(job);
    }
    const bool kept = job->options.resume && !job->run.made && job->folder.home; /* nothing was left to do */
    const bool saved = kept || save_model(job, why);
    handle_signals(SIG_DFL); /* what was trained can no longer be lost */
    if (!saved || (p->draw && !p->draw(p->context, job, why)) ||
        (status == TRAIN_OK && p->finish && !p->finish(p->context, job, why))) {
        train__finish_report(job, "trained, but its results could not be written", NULL);
        return TRAIN_FAILED;
    }
    if (!train__finish_report(job, status == TRAIN_OK ? "finished" : "stopped; it can be resumed", why))
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
                             .shards = o->shards,
                             .ranks = &job->ranks,
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
    if (!leads(job) && job->options.load)
        return TRAIN_OK;
    if (leads(job) && !job->options.load &&
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
    train__close_report(job);
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
    train_job job = {.program = program,
                     .argc = argc,
                     .argv = argv,
                     .folder.lock = -1,
                     .input = {-1, {0}},
                     .ranks = train_ranks_world()};
    if (!program || !program->name || !argv)
        return TRAIN_USAGE;
    tl_keep_standard_streams();
    train__shared_options(&job);
    int status = train__read_command(&job, &why);
    if (status < 0)
        status = train__check_options(&job, &why) ? run_job(&job, &why) : TRAIN_USAGE;
    if (status != TRAIN_OK && status != TRAIN_STOPPED && !job.run.parted && !job.options.load)
        train__agree(&job.ranks, false, &(bool){false}, &why); /* the others wait for this rank */
    if (*why.text && status != TRAIN_OK && status != TRAIN_STOPPED && leads(&job))
        fail(&job, status, why.text);
    close_job(&job);
    if ((fflush(stdout) != 0 || ferror(stdout)) && (status == TRAIN_OK || status == TRAIN_STOPPED))
        status = fail(&job, TRAIN_FAILED, "standard output cannot be written");
    return status;
}
