/* Runs in files: the model, and with it all that a run needs to go on as if it had never stopped. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train_internal.h"

enum { MOST_TEXTS = 48, KEY = 48, VALUE = 400 };

/* The texts of a file, and room for those that are made. */
typedef struct texts {
    nn_stored_text at[MOST_TEXTS];
    char           key[MOST_TEXTS][KEY], value[MOST_TEXTS][VALUE];
    int            n;
} texts;

static void add_text(texts *t, const char *prefix, const char *key, const char *value)
{
    if (t->n == MOST_TEXTS || !value || !nn_is_utf8(value)) /* a path may be anything; such a one is not kept */
        return;
    snprintf(t->key[t->n], KEY, "%s%s", prefix, key);
    t->at[t->n] = (nn_stored_text){t->key[t->n], value};
    t->n++;
}

static void add_number(texts *t, const char *key, uint64_t value)
{
    if (t->n == MOST_TEXTS)
        return;
    snprintf(t->value[t->n], VALUE, "%" PRIu64, value);
    add_text(t, "", key, t->value[t->n]);
}

static void add_options(texts *t, const args_option *table)
{
    for (const args_option *o = table; o && o->name && t->n < MOST_TEXTS; o++)
        add_text(t, "option.", o->name, args_text(o, t->value[t->n], VALUE));
}

/* A hash of the training images and labels (FNV-1a, eight bytes at a time): a run goes on only with those that it began with. */
static uint64_t data_hash(train_session *s)
{
    const ds_dataset *d = &s->train;
    if (s->data_hash)
        return s->data_hash;
    uint64_t hash = 0xcbf29ce484222325u;
    const struct {
        const uint8_t *at;
        int64_t        n;
    } part[] = {{d->pixels, d->count * d->height * d->width}, {d->labels, d->count}};
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < part[k].n; i += 8) {
            uint64_t eight = 0;
            memcpy(&eight, part[k].at + i, (size_t)(part[k].n - i < 8 ? part[k].n - i : 8));
            hash = (hash ^ eight) * 0x100000001b3u;
            hash ^= hash >> 32;
        }
    return s->data_hash = hash;
}

/* The program and its options: what it takes to make the model anew. */
static texts *texts_of(const train_session *s)
{
    texts *t = calloc(1, sizeof *t);
    if (!t) {
        train_fail(s, "out of memory");
        return NULL;
    }
    add_text(t, "", "program", s->program);
    add_options(t, s->recipe);
    add_options(t, s->own);
    return t;
}

static bool write_texts(train_session *s, const train_task *task, const nn_optimizer *o, const texts *t, const char *name)
{
    char path[4200];
    nn_message why;
    snprintf(path, sizeof path, "%s/%s", s->out, name);
    bool ok = nn_save_checkpoint(task->model, o, t->n, t->at, path, &why);
    if (!ok)
        train_fail(s, "%s", why.text);
    return ok;
}

bool train_write_model(train_session *s, const train_task *task)
{
    texts *t = texts_of(s);
    bool ok = t && write_texts(s, task, NULL, t, "model.safetensors");
    free(t);
    return ok;
}

bool train_write_checkpoint(train_session *s, const train_task *task, const train_state *state)
{
    texts *t = texts_of(s);
    if (!t)
        return false;
    char sums[TRAIN_MAX_PARTS * 32] = "";
    for (int i = 0; i < task->n_parts; i++)
        snprintf(sums + strlen(sums), sizeof sums - strlen(sums), "%a ", state->totals.part[i]);
    add_number(t, "data", data_hash(s));
    add_number(t, "step", (uint64_t)state->step);
    add_number(t, "random.seed", ag_tape_rng(s->tape)->seed);
    add_number(t, "random.draw", ag_tape_rng(s->tape)->draw);
    add_number(t, "epoch.images", (uint64_t)state->totals.images);
    add_text(t, "epoch.", "sums", sums);
    add_text(t, "", "metrics", state->rows ? state->rows : "");
    bool ok = write_texts(s, task, task->optimizer, t, "checkpoint.safetensors");
    free(t);
    return ok;
}

bool train_add_row(train_state *state, const char *row)
{
    size_t length = state->rows ? strlen(state->rows) : 0, more = strlen(row) + 1;
    char *grown = realloc(state->rows, length + more);
    if (!grown)
        return false;
    memcpy(grown + length, row, more);
    state->rows = grown;
    return true;
}

/* ---- Reading. ---- */

static bool refuse(const train_session *s, const char *why)
{
    train_fail(s, "%s: %s", s->file_path, why);
    return false;
}

static bool read_number(const train_session *s, const char *key, uint64_t *value)
{
    const char *text = nn_safetensors_text(&s->file, key);
    char *end = NULL;
    *value = text ? strtoull(text, &end, 10) : 0;
    return text && end != text && !*end;
}

bool train_read_model(train_session *s, const train_task *task)
{
    nn_message why;
    return nn_load_checkpoint(task->model, NULL, &s->file, true, &why) || refuse(s, why.text);
}

/* The sums of the epoch that was under way. */
static bool read_sums(const train_session *s, const train_task *task, train_totals *totals)
{
    const char *at = nn_safetensors_text(&s->file, "epoch.sums");
    uint64_t images;
    if (!at || !read_number(s, "epoch.images", &images))
        return false;
    if (images > INT64_MAX / 2)
        return false;
    totals->images = (int64_t)images;
    for (int i = 0; i < task->n_parts; i++) {
        char *end;
        totals->part[i] = strtod(at, &end);
        if (end == at)
            return false;
        at = end;
    }
    return true;
}

bool train_read_checkpoint(train_session *s, const train_task *task, train_state *state)
{
    nn_message why;
    uint64_t step, seed, draw, data;
    const char *rows = nn_safetensors_text(&s->file, "metrics");
    if (!rows || !read_number(s, "step", &step) || step > INT64_MAX / 2 || !read_number(s, "random.seed", &seed) ||
        !read_number(s, "random.draw", &draw) || !read_sums(s, task, &state->totals))
        return refuse(s, "holds no state of a run to go on with; --load reads its weights");
    if (!read_number(s, "data", &data) || data != data_hash(s))
        return refuse(s, "was made with other training images; --data names their folder");
    if (!nn_load_checkpoint(task->model, task->optimizer, &s->file, true, &why))
        return refuse(s, why.text);
    nn_set_lr(task->optimizer, s->options.lr);
    *ag_tape_rng(s->tape) = (ag_rng){seed, draw};
    state->step = (int64_t)step;
    return train_add_row(state, rows) || refuse(s, "out of memory");
}
