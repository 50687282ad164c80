#define _POSIX_C_SOURCE 200809L
#include "models/train/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/file.h"
#include "tools/text.h"

#define FILES ".files"

enum { MOST_NUMBERS = 10000 };

static bool has(const char *folder, const char *name)
{
    char        path[4200];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return lstat(path, &st) == 0;
}

/* Something trained is there. */
static bool holds_run(const char *folder)
{
    return has(folder, "checkpoint.safetensors") || has(folder, "model.safetensors");
}

static bool set_path(train_folder *f, const char *path, int length, tl_error *why)
{
    if (length > 0 && (size_t)length < sizeof f->path) {
        snprintf(f->path, sizeof f->path, "%.*s", length, path);
        return true;
    }
    return tl_fail(why, "--out: expected a path of 1 to %zu characters", sizeof f->path - 1);
}

/* The next of base, base-2, base-3, ... from `number` on that holds no run. */
static bool next_free(train_folder *f, int number, tl_error *why)
{
    for (; number < MOST_NUMBERS; number++) {
        snprintf(f->path, sizeof f->path, number > 1 ? "%s-%d" : "%s", f->base, number);
        if (!holds_run(f->path))
            return true;
    }
    return tl_fail_at(why, f->base, "and %d others like it hold runs; --out names another folder", MOST_NUMBERS);
}

bool train_folder_choose(train_folder *f, const char *out, const char *base, const char *resume, bool overwrite,
                         tl_error *why)
{
    if (!f || (!out && !base))
        return tl_fail(why, "no folder to choose");
    *f = (train_folder){.lock = -1};
    const char *slash = resume ? strrchr(resume, '/') : NULL;
    const int home = slash ? (int)(slash - resume + (slash == resume)) : 1; /* the length of the checkpoint's folder */
    if (!out && !resume) {
        f->numbered = true;
        snprintf(f->base, sizeof f->base, "%s", base);
        if (!overwrite)
            return next_free(f, 1, why);
        return set_path(f, base, (int)strlen(base), why);
    }
    f->home = !out;
    if (!out)
        return set_path(f, slash ? resume : ".", home, why);
    size_t length = strlen(out);
    while (length > 1 && out[length - 1] == '/')
        length--;
    if (!set_path(f, out, length > 4096 ? -1 : (int)length, why))
        return false;
    struct stat a, b;
    char        of_resume[4000];
    snprintf(of_resume, sizeof of_resume, "%.*s", home, slash ? resume : ".");
    f->home = resume && stat(f->path, &a) == 0 && stat(of_resume, &b) == 0 && a.st_dev == b.st_dev &&
              a.st_ino == b.st_ino;
    if (!f->home && holds_run(f->path) && !overwrite)
        return tl_fail_at(why, f->path, "holds a run already; choose another --out, or replace it with --overwrite");
    return true;
}

/* ---- The list of what runs have written, in a file of a name that no user is likely to choose. ---- */

/* Only names, of files in the folder itself. */
static bool is_plain_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/');
}

static void remove_file(const train_folder *f, const char *name)
{
    char        path[4200];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    if (is_plain_name(name) && lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        unlink(path);
}

/* Whether `list` has the line `name`. */
static bool is_noted(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (!strncmp(at, name, n) && (at[n] == '\n' || !at[n]))
            return true;
    return false;
}

/* The list as it is; or nothing. */
static bool read_files(train_folder *f, tl_error *why)
{
    char   path[4200];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/" FILES, f->path);
    const bool there = has(f->path, FILES);
    f->files = there ? tl_read_file(path, &size, why) : calloc(1, 1);
    f->own = calloc(1, 1);
    if (there && !f->files)
        return false;
    return (f->files && f->own) || tl_fail(why, "out of memory");
}

static bool write_files(const train_folder *f, tl_error *why)
{
    tl_output out;
    char      path[4200];
    snprintf(path, sizeof path, "%s/" FILES, f->path);
    if (!tl_output_open(&out, path, why))
        return false;
    fputs(f->files, out.stream);
    return tl_output_close(&out, why);
}

/* Appends a line. */
static bool note(char **list, const char *name)
{
    const size_t length = *list ? strlen(*list) : 0, more = strlen(name) + 2;
    char        *grown = realloc(*list, length + more);
    if (!grown)
        return false;
    snprintf(grown + length, more, "%s\n", name);
    *list = grown;
    return true;
}

bool train_folder_settle(train_folder *f, tl_error *why)
{
    if (!f)
        return tl_fail(why, "no folder");
    if (!f->replaces)
        return true;
    f->replaces = false;
    if (!is_noted(f->own, "checkpoint.safetensors"))
        remove_file(f, "checkpoint.safetensors");
    if (!is_noted(f->own, "model.safetensors"))
        remove_file(f, "model.safetensors");
    for (char *name = f->files, *end; *name; name = end) {
        end = name + strcspn(name, "\n");
        end += *end ? (*end = '\0', 1) : 0;
        if (!is_noted(f->own, name))
            remove_file(f, name);
    }
    f->files[0] = '\0';
    for (const char *at = f->own; *at; at += strcspn(at, "\n") + 1) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\n"), at);
        if (!note(&f->files, name))
            return tl_fail(why, "out of memory");
    }
    return write_files(f, why);
}

bool train_folder_file(train_folder *f, const char *name, char *path, size_t size, tl_error *why)
{
    if (!f || !name || !path)
        return tl_fail(why, "no folder, no name, or no place for the path");
    int n = snprintf(path, size, "%s/%s", f->path, name);
    if (n < 0 || (size_t)n >= size)
        return tl_fail(why, "%.80s...: the path is too long", f->path);
    if (!f->files || is_noted(f->own, name))
        return true;
    const bool listed = is_noted(f->files, name);
    if (!listed && !f->replaces_any && has(f->path, name))
        return tl_fail_at(why, path, "is there already, and not by a run; choose another --out, or --overwrite it");
    if (!note(&f->own, name) || (!listed && !note(&f->files, name)))
        return tl_fail(why, "out of memory");
    return listed || write_files(f, why);
}

/* ---- Opening. ---- */

bool train_folder_open(train_folder *f, bool overwrite, tl_error *why)
{
    if (!f)
        return tl_fail(why, "no folder to open");
    for (int number = 2;; number++) {
        if (!tl_make_folder(f->path, why))
            return false;
        f->lock = tl_folder_lock(f->path, why);
        bool free_now = f->lock >= 0 && (!f->numbered || overwrite || !holds_run(f->path));
        if (free_now)
            break;
        tl_folder_unlock(f->lock);
        f->lock = -1;
        if (!f->numbered || overwrite || !next_free(f, number, why)) /* another run was quicker: the next number */
            return false;
    }
    tl_output_clean(f->path);
    f->replaces = overwrite && !f->home;
    f->replaces_any = overwrite || f->home;
    return read_files(f, why);
}

void train_folder_close(train_folder *f)
{
    if (!f)
        return;
    tl_folder_unlock(f->lock);
    free(f->files);
    free(f->own);
    f->files = f->own = NULL;
    f->lock = -1;
}
