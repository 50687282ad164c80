/* The report of a program's run: what was run, and the pictures and texts that it left in its folder. */
#define _POSIX_C_SOURCE 200809L
#include "generated/commit.h"
#include "models/train/program_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "models/train/report.h"
#include "tools/memory.h"
#include "tools/text.h"

enum { FACTS = 80, NAMES = 48, TEXT = 512 };

struct train_job_report {
    train_report_page page;
    tl_fact           facts[FACTS];
    char              name[FACTS][NAMES], text[FACTS][TEXT];
    char              path[4200], chart[4200], command[4096];
};

/* ---- What was run. ---- */

/* A fact with room for its text. The last one stays where it is when there are too many. */
static char *add_fact(struct train_job_report *r, const char *name)
{
    const int i = r->page.n_facts < FACTS ? r->page.n_facts++ : FACTS - 1;
    snprintf(r->name[i], sizeof r->name[i], "%s", name);
    r->facts[i] = (tl_fact){r->name[i], r->text[i]};
    return r->text[i];
}

static void put_command(struct train_job_report *r, const train_job *job)
{
    size_t n = 0;
    for (int i = 0; i < job->argc && n < sizeof r->command; i++)
        n += (size_t)snprintf(r->command + n, sizeof r->command - n, "%s%s", i ? " " : "", job->argv[i]);
    add_fact(r, "Command");
    r->facts[r->page.n_facts - 1].value = r->command;
}

/* The line of Linux's /proc/cpuinfo that names the processor; elsewhere the kind of machine. */
static void put_machine(char *text)
{
    FILE          *f = fopen("/proc/cpuinfo", "r");
    char           line[256];
    struct utsname machine;
    bool           known = false;
    while (f && !known && fgets(line, sizeof line, f))
        if ((known = !strncmp(line, "model name", 10) && strchr(line, ':')))
            snprintf(text, TEXT, "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"), strchr(line, ':') + 2);
    if (f)
        fclose(f);
    if (!known)
        snprintf(text, TEXT, "%s", uname(&machine) == 0 ? machine.machine : "unknown");
}

static void put_machine_facts(struct train_job_report *r, const train_job *job)
{
    const time_t now = time(NULL);
    struct tm    utc;
    snprintf(add_fact(r, "Program"), TEXT, "%s, Hourglass " AG_VERSION "%s%s", job->program->name,
             *HOURGLASS_COMMIT ? ", commit " : "", HOURGLASS_COMMIT);
    strftime(add_fact(r, "Begun"), TEXT, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&now, &utc));
    put_machine(add_fact(r, "Machine"));
    snprintf(add_fact(r, "Instruction set"), TEXT, "%s", ag_isa());
    snprintf(add_fact(r, "Threads"), TEXT, "%d", ag_threads());
    snprintf(add_fact(r, "Numbers"), TEXT, "%d-bit floating point", (int)(8 * sizeof(ag_real)));
}

static void put_data(struct train_job_report *r, train_job *job)
{
    char *text = add_fact(r, "Training data");
    snprintf(text, TEXT, "%" PRId64 " examples, hash %016" PRIx64, job->plan.phases[0].train->count,
             train_data_hash(&job->run));
}

static void put_options(struct train_job_report *r, const train_job *job)
{
    const tl_option *const tables[] = {job->program->more_options, job->recipe, job->program->options};
    for (int i = 0; i < 3; i++)
        for (const tl_option *o = tables[i]; o && o->name; o++) {
            char        name[NAMES], buffer[64];
            const char *value = tl_option_text(o, buffer, sizeof buffer);
            snprintf(name, sizeof name, "--%.40s", o->name);
            if (value)
                snprintf(add_fact(r, name), TEXT, "%s", value);
        }
}

/* ---- The files of the folder. ---- */

static bool show_picture(tl_page *page, const char *path, const char *name, tl_error *why)
{
    size_t   n;
    uint8_t *bytes = tl_read_file(path, &n, why);
    if (!bytes)
        return false;
    tl_page_picture(page, &(tl_png){name, bytes, n}, 1);
    free(bytes);
    return true;
}

static bool show_text(tl_page *page, const char *path, tl_error *why)
{
    size_t n;
    char  *text = tl_read_file(path, &n, why);
    if (text)
        tl_page_verbatim(page, text);
    free(text);
    return text != NULL;
}

/* The page has its own ways for these. */
static bool is_shown_otherwise(const char *name)
{
    return !strcmp(name, "sprite.png") || !strcmp(name, "codes.png") || !strcmp(name, "births.png");
}

/* What was drawn so far, of this run. */
static bool show_files(train_job *job, tl_page *page, tl_error *why)
{
    bool any = false, ok = true;
    for (const char *at = job->folder.own; ok && at && *at; at += strcspn(at, "\n") + 1) {
        char name[256], path[4300];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\n"), at);
        snprintf(path, sizeof path, "%s/%s", job->folder.path, name);
        const bool picture = tl_ends_with(name, ".png") && !is_shown_otherwise(name), text = tl_ends_with(name, ".txt");
        if (!picture && !text)
            continue;
        if (!any)
            tl_page_section(page, "What the program drew");
        any = true;
        ok = picture ? show_picture(page, path, name, why) : show_text(page, path, why);
    }
    return ok;
}

static bool collect(void *context, train_run *run, const train_record *record)
{
    train_job *job = context;
    return !job->program->collect || job->program->collect(job->program->context, job, record, &run->error);
}

static bool show(void *context, train_run *run, tl_page *page)
{
    train_job *job = context;
    return (!job->program->show || job->program->show(job->program->context, job, page, &run->error)) &&
           show_files(job, page, &run->error);
}

/* ---- The observer. ---- */

bool train__open_report(train_job *job, train_observer *observer, tl_error *why)
{
    struct train_job_report *r = job->report = calloc(1, sizeof *r);
    if (!r)
        return tl_fail(why, "out of memory");
    if (!train_folder_file(&job->folder, "report.html", r->path, sizeof r->path, why) ||
        !train_folder_file(&job->folder, "loss.svg", r->chart, sizeof r->chart, why))
        return false;
    put_command(r, job);
    put_machine_facts(r, job);
    put_data(r, job);
    put_options(r, job);
    r->page.path = r->path;
    r->page.chart_path = r->chart;
    r->page.title = job->program->name;
    r->page.facts = r->facts;
    r->page.input = job->input;
    r->page.collect = collect;
    r->page.show = show;
    r->page.context = job;
    r->page.goes_on = true;
    *observer = train_report_observer(&r->page);
    return true;
}

bool train__finish_report(train_job *job, const char *state, tl_error *why)
{
    struct train_job_report *r = job->report;
    snprintf(add_fact(r, "Fingerprint of the weights"), TEXT, "%016" PRIx64, nn_fingerprint(job->plan.model));
    if (train_report_write(&r->page, &job->run, state))
        return true;
    return tl_fail(why, "%s", job->run.error.text);
}

void train__close_report(train_job *job)
{
    if (job->report)
        train_report_free(&job->report->page);
    free(job->report);
}
