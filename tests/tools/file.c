/* Files: every call of every writer fails once, planted names, numbers in other locales, text that acts on a terminal.
 */
#define _XOPEN_SOURCE 700
#include "tools/file.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "datasets/npy.h"
#include "models/train/folder.h"
#include "models/train/history.h"
#include "models/train/observers.h"
#include "nn/nn.h"
#include "tests/support/io.h"
#include "tests/test.h"
#include "tools/args.h"
#include "tools/png.h"
#include "tools/text.h"

static tl_error    why;
static const char *scratch;

static const char *path_of(const char *name)
{
    static char path[4][256];
    static int  next;
    char       *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", scratch, name);
    return p;
}

/* The whole of a file, to be freed, with its length; NULL if it is not there. */
static char *contents(const char *path, size_t *size)
{
    *size = 0;
    return access(path, F_OK) == 0 ? tl_read_file(path, size, NULL) : NULL;
}

static bool same_contents(const char *path, const char *bytes, size_t size)
{
    size_t n = 0;
    char  *now = contents(path, &n);
    bool   same = n == size && !now == !bytes && (!now || !memcmp(now, bytes, n));
    free(now);
    return same;
}

static bool file_begins(const char *path, const char *text)
{
    size_t n = 0;
    char  *now = contents(path, &n);
    bool   begins = now && !strncmp(now, text, strlen(text));
    free(now);
    return begins;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* How many names a folder has that end in ".part". */
static int parts(void)
{
    char command[300], output[32];
    snprintf(command, sizeof command, "ls -A %s | grep -c 'part$'", scratch);
    run_command(command, output, sizeof output);
    return atoi(output);
}

/* ---- All writers. Each writes one of two contents, of several blocks where it can be, to a path. ---- */

typedef bool writer(const char *path, int version);

static nn_module *some_model(int version)
{
    nn_module *m = nn_sequential(nn_linear(40, 50), nn_relu(), nn_linear(50, 20));
    nn_reset_parameters(m, (uint64_t)version);
    return m;
}

static bool write_model(const char *path, int version)
{
    nn_module *m = some_model(version);
    bool       ok = nn_save(m, path, &why);
    nn_module_free(m);
    return ok;
}

static bool write_checkpoint(const char *path, int version)
{
    nn_module    *m = some_model(version);
    nn_optimizer *adam = nn_adam(m, nn_adam_defaults(1e-3));
    bool ok = nn_save_checkpoint(m, 1, &(nn_named_optimizer){"adam", adam}, 1, &(nn_stored_text){"step", "3"}, path,
                                 &why);
    nn_optimizer_free(adam);
    nn_module_free(m);
    return ok;
}

static bool write_npy(const char *path, int version)
{
    static ag_real x[3000];
    tl_output      f;
    x[0] = (ag_real)version;
    if (!tl_output_open(&f, path, &why))
        return false;
    ds_npy_write(f.stream, 1, (const int64_t[]){3000}, x);
    return tl_output_close(&f, &why);
}

static bool write_png(const char *path, int version)
{
    static uint8_t pixels[120 * 90];
    tl_output      f;
    pixels[0] = (uint8_t)version;
    if (!tl_output_open(&f, path, &why))
        return false;
    tl_png_write(f.stream, pixels, 120, 90, 1);
    return tl_output_close(&f, &why);
}

static bool write_csv(const char *path, int version)
{
    const train_phase phase = {.name = "train"};
    const train_plan  plan = {.phases = &phase, .n_phases = 1};
    train_run         run = {.plan = &plan};
    train_observer    csv = train_csv_observer(path);
    for (int i = 0; i < 900; i++) {
        train_record r = {.epoch = i + version};
        cr_assert(train_sums_add(&r.train, "loss", 1.0 / 3) && train_history_add(&run.history, r));
    }
    bool ok = csv.epoch(csv.self, &run, NULL);
    why = run.error;
    train_history_free(&run.history);
    return ok;
}

/* .files: its path is the folder's. */
static bool write_files(const char *path, int version)
{
    train_folder f = {.lock = -1, .files = calloc(1, 1)};
    char         name[32], out[300];
    snprintf(f.path, sizeof f.path, "%.*s", (int)(strrchr(path, '/') - path), path);
    snprintf(name, sizeof name, "picture%d.png", version);
    bool ok = train_folder_file(&f, name, out, sizeof out, &why);
    train_folder_close(&f);
    return ok;
}

static const struct {
    const char *name;
    writer     *write;
    long        least; /* calls: open, fdopen, writes, fsync, close, rename, and of the folder open, fsync, close */
} writers[] = {{"model.safetensors", write_model, 10}, {"checkpoint.safetensors", write_checkpoint, 12},
               {"codes.npy", write_npy, 10},           {"samples.png", write_png, 9},
               {"metrics.csv", write_csv, 10},         {".files", write_files, 9}};

/* Call number `at` of a writer fails: it says so, and the file is as before; or, when only the folder could not be
 * synced, it says that, and the file is the new one. The last call, which closes the folder, does not matter. */
static void fail_one(size_t w, long at, long calls, const char *old, size_t old_size, const char *new, size_t new_size)
{
    const char *path = path_of(writers[w].name);
    io_watch(at);
    bool ok = writers[w].write(path, 2);
    io_unwatch();
    bool is_new = same_contents(path, new, new_size);
    cr_assert(is_new || same_contents(path, old, old_size), "%s, call %ld: neither old nor new", writers[w].name, at);
    cr_assert(ok == (at == calls - 1) && (is_new || !ok), "%s, call %ld of %ld failed: %s, %s", writers[w].name, at,
              calls, ok ? "nothing was said" : why.text, is_new ? "the new file" : "the old file");
    cr_assert(ok || strstr(why.text, strerror(EIO)) || strstr(why.text, "write error"), "%s, call %ld: no reason: %s",
              writers[w].name, at, why.text);
    cr_assert(ok || !is_new || strstr(why.text, "folder cannot be synced"), "%s, call %ld: written, but: %s",
              writers[w].name, at, why.text);
    cr_assert(parts() == 0, "%s, call %ld: a temporary file is left", writers[w].name, at);
    if (is_new) {
        FILE *f = fopen(path, "wb");
        cr_assert(f && fwrite(old, 1, old_size, f) == old_size && fclose(f) == 0);
    }
}

Test(file, every_call_of_every_writer_fails_once)
{
    for (size_t w = 0; w < sizeof writers / sizeof *writers; w++) {
        size_t old_size, new_size;
        scratch = scratch_folder();
        const char *path = path_of(writers[w].name);
        cr_assert(writers[w].write(path, 2), "%s", why.text);
        char *new = contents(path, &new_size);
        cr_assert(unlink(path) == 0 && writers[w].write(path, 1), "%s", why.text);
        char *old = contents(path, &old_size);
        io_watch(-1);
        cr_assert(writers[w].write(path, 1));
        const long calls = io_unwatch();
        cr_assert(calls >= writers[w].least, "%s: %ld calls", writers[w].name, calls);
        for (long at = 0; at < calls; at++)
            fail_one(w, at, calls, old, old_size, new, new_size);
        free(old);
        free(new);
    }
}

/* What reads fails once: no file is half read. */
Test(file, a_read_that_fails_gives_nothing)
{
    size_t size;
    scratch = scratch_folder();
    write_text(path_of("x"), "hello");
    io_watch(0);
    cr_assert(!tl_read_file(path_of("x"), &size, &why) && strstr(why.text, "/x: Input/output error"), "%s", why.text);
    io_unwatch();
    cr_assert(mkfifo(path_of("pipe"), 0600) == 0);
    cr_assert(!tl_read_file(path_of("pipe"), &size, &why) && strstr(why.text, "not a regular file"), "%s", why.text);
    cr_assert(!tl_read_file("/dev/zero", &size, &why) && strstr(why.text, "not a regular file"), "%s", why.text);
    cr_assert(!tl_read_file("", &size, &why) && !tl_read_file(NULL, &size, &why) &&
              !tl_read_file(scratch, &size, &why));
}

/* ---- Planted names. ---- */

Test(file, links_and_pipes_in_the_way)
{
    char name[64], path[256];
    scratch = scratch_folder();
    for (size_t w = 0; w < sizeof writers / sizeof *writers; w++) {
        snprintf(path, sizeof path, "%s", path_of(writers[w].name));
        write_text(path_of("target"), "mine");
        cr_assert(symlink(path_of("target"), path) == 0 && writers[w].write(path, 1), "%s", why.text);
        cr_assert(file_begins(path_of("target"), "mine"), "%s: the target of a link was written to", writers[w].name);
        cr_assert(unlink(path) == 0);
        for (int i = 0; i < 3; i++) { /* the names that the temporary file would have */
            snprintf(name, sizeof name, "%s.%ld-%d.part", writers[w].name, (long)getpid(), i);
            const char *at = path_of(name), *to = path_of(i ? "nowhere" : "target");
            cr_assert(i == 2 ? mkfifo(at, 0600) == 0 : symlink(to, at) == 0);
        }
        cr_assert(writers[w].write(path, 1), "%s", why.text);
        cr_assert(file_begins(path_of("target"), "mine") && access(path_of("nowhere"), F_OK) != 0, "%s",
                  writers[w].name);
        cr_assert(unlink(path) == 0 && mkfifo(path, 0600) == 0);
        cr_assert(!writers[w].write(path, 1) && strstr(why.text, "not a regular file"), "%s: %s", writers[w].name,
                  why.text);
    }
}

Test(file, only_temporary_files_are_cleaned)
{
    static const char *const stay[] = {"model.safetensors", "x.part",    "x.1.part",      "x.1-.part",
                                       "x.-1.part",         ".1-2.part", "x.1-2.part.txt"};
    char                     running[32], reused[32]; /* a process that runs; one that had this process's number */
    snprintf(running, sizeof running, "x.%ld-0.part", (long)getppid());
    snprintf(reused, sizeof reused, "x.%ld-0.part", (long)getpid());
    const char *const go[] = {"model.safetensors.999999999-0.part", "x.999999999-99.part", reused};
    scratch = scratch_folder();
    write_text(path_of(running), "mine");
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
        write_text(path_of(stay[i]), "mine");
    for (size_t i = 0; i < sizeof go / sizeof *go; i++)
        write_text(path_of(go[i]), "left");
    cr_assert(mkdir(path_of("d.1-2.part"), 0700) == 0);
    tl_output_clean(scratch);
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
        cr_assert(access(path_of(stay[i]), F_OK) == 0, "%s is gone", stay[i]);
    for (size_t i = 0; i < sizeof go / sizeof *go; i++)
        cr_assert(access(path_of(go[i]), F_OK) != 0, "%s is left", go[i]);
    cr_assert(access(path_of("d.1-2.part"), F_OK) == 0);
    cr_assert(access(path_of(running), F_OK) == 0, "a running process's file is gone");
}

/* ---- Locks. ---- */

Test(file, a_folder_is_locked_for_other_processes)
{
    char expected[64];
    scratch = scratch_folder();
    int lock = tl_folder_lock(scratch, &why), status = -1;
    cr_assert(lock >= 0, "%s", why.text);
    snprintf(expected, sizeof expected, "process %ld is writing", (long)getpid());
    pid_t child = fork();
    if (child == 0)
        _exit(tl_folder_lock(scratch, &why) < 0 && strstr(why.text, expected) ? 0 : 1);
    cr_assert(child > 0 && waitpid(child, &status, 0) == child && status == 0,
              "another process is told whose the folder is");
    tl_folder_unlock(lock);
    child = fork();
    if (child == 0)
        _exit(tl_folder_lock(scratch, &why) >= 0 ? 0 : 1);
    cr_assert(child > 0 && waitpid(child, &status, 0) == child && status == 0, "free again");
    cr_assert(unlink(path_of(".lock")) == 0 && symlink("/dev/null", path_of(".lock")) == 0);
    cr_assert(tl_folder_lock(scratch, &why) < 0, "a link");
    cr_assert(unlink(path_of(".lock")) == 0 && mkfifo(path_of(".lock"), 0600) == 0);
    cr_assert(tl_folder_lock(scratch, &why) < 0 && strstr(why.text, "not a regular file"), "a pipe: %s", why.text);
    io_watch(0);
    cr_assert(tl_folder_lock("/tmp", &why) < 0);
    io_unwatch();
}

/* ---- Numbers. ---- */

/* Sets a locale with a decimal comma, which is made where there is none. */
static bool use_comma(void)
{
    char command[512];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8", scratch);
    run_command(command, NULL, 0);
    setenv("LOCPATH", scratch, 1);
    return setlocale(LC_ALL, "de_DE.UTF-8") && !strcmp(localeconv()->decimal_point, ",");
}

static char *history_of(double x)
{
    train_history h = {0};
    train_record  r = {.epoch = 1, .seconds = x};
    cr_assert(train_sums_add(&r.train, "loss", x) && train_history_add(&h, r));
    char *text = train_history_text(&h);
    train_history_free(&h);
    return text;
}

Test(text, numbers_are_the_same_in_any_locale)
{
    size_t        size[2];
    double        x = 0, lr = 0;
    train_history h = {0};
    scratch = scratch_folder();
    cr_assert(write_checkpoint(path_of("before"), 1) && write_csv(path_of("before.csv"), 1));
    char *before = contents(path_of("before"), &size[0]), *csv = contents(path_of("before.csv"), &size[1]);
    char *text = history_of(0.1);
    if (!use_comma())
        cr_skip_test("no locale with a decimal comma can be made");
    cr_assert(write_checkpoint(path_of("after"), 1) && same_contents(path_of("after"), before, size[0]),
              "checkpoints differ");
    cr_assert(write_csv(path_of("after.csv"), 1) && same_contents(path_of("after.csv"), csv, size[1]),
              "metrics.csv differs");
    char *now = history_of(0.1);
    cr_assert(!strcmp(text, now) && train_history_parse(&h, text) && h.at[0].seconds == 0.1, "%s, %s", text, now);
    cr_assert(!strcmp(TL_NUMBER(-0.015625, 9), "-0.015625") && !strcmp(TL_EXACT(1.5), "0x1.8p+0"));
    cr_assert(tl_parse_number("0x1.8p+0", &x) && x == 1.5 && tl_parse_number("2.5e-1", &x) && x == 0.25);
    cr_assert(!tl_parse_number("2,5", &x));
    tl_option options[] = {{"lr", TL_REAL, &lr, 0, 1, "X", "", false}, TL_OPTIONS_END};
    char     *argv[] = {"program", "--lr", "0.5", NULL}, *comma[] = {"program", "--lr", "0,5", NULL};
    cr_assert(tl_args_parse(3, argv, (tl_option *const[]){options, NULL}, &why) == TL_ARGS_OK && lr == 0.5, "%s",
              why.text);
    cr_assert(tl_args_parse(3, comma, (tl_option *const[]){options, NULL}, &why) == TL_ARGS_ERROR);
    nn_module     *m = some_model(2);
    nn_optimizer  *adam = nn_adam(m, nn_adam_defaults(1));
    nn_safetensors file;
    cr_assert(nn_safetensors_read(path_of("before"), &file, &why), "%s", why.text);
    const nn_named_optimizer named = {"adam", adam};
    cr_assert(nn_load_checkpoint(m, 1, &named, &file, true, &why) && nn_lr(adam) == 1e-3, "%s", why.text);
    nn_safetensors_free(&file);
    nn_optimizer_free(adam);
    nn_module_free(m);
    train_history_free(&h);
    free(before), free(csv), free(text), free(now);
}

Test(text, no_number_has_a_sign_of_nan)
{
    const double nan = (double)NAN;
    cr_assert(!strcmp(TL_NUMBER(nan, 9), "nan") && !strcmp(TL_NUMBER(-nan, 9), "nan") &&
              !strcmp(TL_EXACT(-nan), "nan"));
    cr_assert(!strcmp(TL_NUMBER(-(double)INFINITY, 9), "-inf") && !strcmp(TL_EXACT((double)INFINITY), "inf"));
}

/* ---- Text on a terminal. ---- */

Test(text, what_acts_on_a_terminal_is_escaped)
{
    static const char *const cases[][2] = {{"a\xe2\x80\xae"
                                            "b",
                                            "a\\u202eb"},
                                           {"\xe2\x81\xa6x\xe2\x81\xa9", "\\u2066x\\u2069"},
                                           {"\xd8\x9c", "\\u061c"},
                                           {"\xe2\x80\x8f", "\\u200f"},
                                           {"\x1b[2J", "\\x1b[2J"},
                                           {"\xc2\x9b", "\\x9b"},
                                           {"\xff", "\\xff"},
                                           {"\xc3\xa9\xe6\xbc\xa2", "\xc3\xa9\xe6\xbc\xa2"},
                                           {"\xf3\xa0\x80\x81", "\\U000e0001"}};
    char                     out[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert(!strcmp(tl_escape(cases[i][0], out, sizeof out), cases[i][1]), "%s, expected %s", out, cases[i][1]);
    tl_fail_at(&why, "x\xe2\x80\xaegnp.exe", "is there");
    cr_assert(!strcmp(why.text, "x\\u202egnp.exe: is there"), "%s", why.text);
}

Test(file, beside)
{
    char path[12];
    cr_assert(tl_beside("a/b/c", "d", path, sizeof path, &why) && !strcmp(path, "a/b/d"));
    cr_assert(tl_beside("/c", "d", path, sizeof path, &why) && !strcmp(path, "/d"));
    cr_assert(tl_beside("c", "d", path, sizeof path, &why) && !strcmp(path, "d"));
    cr_assert(tl_beside("a/b", "123456789", path, sizeof path, &why) && !strcmp(path, "a/123456789"));
    cr_assert(!tl_beside("a/b", "1234567890", path, sizeof path, &why) && strstr(why.text, "the path is too long"));
    cr_assert(!tl_beside(NULL, "d", path, sizeof path, &why) && !tl_beside("a", "d", NULL, 0, NULL));
}
