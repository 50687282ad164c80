#include "nn/checkpoint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/module_internal.h"
#include "nn/optimizer_internal.h"
#include "tools/bytes.h"
#include "tools/memory.h"
#include "tools/text.h"

#define OPTIMIZER "optimizer/" /* names of a module may hold a '/', but hardly begin with this */

#ifdef AG_DOUBLE
#define REAL_DTYPE NN_F64
#else
#define REAL_DTYPE NN_F32
#endif

/* ---- The entries of a model and its optimizers: what has a name in the file. ---- */

typedef struct entry {
    char      *name;
    ag_tensor *tensor; /* gives the shape */
    nn_slot *slot; /* of an optimizer, whose state number `state` this is, or, below 0, its count of steps; else NULL */
    int      state;
    bool     is_count; /* a buffer that is a whole number */
    int64_t  count;    /* that, to be written */
} entry;

typedef struct entries {
    entry      *at;
    int64_t     n, capacity;
    const char *failed; /* why */
} entries;

/* Takes the name, which was allocated, NULL if memory ran out. */
static bool add(entries *e, entry new)
{
    if (new.name && e->n == e->capacity) {
        int64_t capacity = 2 * e->capacity + 32;
        entry  *grown = realloc(e->at, (size_t)capacity * sizeof *grown);
        e->at = grown ? grown : e->at;
        e->capacity = grown ? capacity : e->capacity;
    }
    if (!new.name || e->n == e->capacity) {
        free(new.name);
        e->failed = "out of memory";
        return false;
    }
    e->at[e->n++] = new;
    return true;
}

static bool add_parameter(void *context, const char *name, nn_parameter *p)
{
    return add(context, (entry){.name = tl_copy(name),
                                .tensor = p->tensor,
                                .is_count = p->is_count,
                                .count = p->is_count ? (int64_t)p->tensor->data[0] : 0});
}

static char *state_name(const char *optimizer, const char *parameter, const char *state)
{
    size_t size = strlen(OPTIMIZER) + strlen(optimizer) + strlen(parameter) + strlen(state) + 3;
    char  *text = malloc(size);
    if (text)
        snprintf(text, size, OPTIMIZER "%s/%s/%s", optimizer, parameter, state);
    return text;
}

/* `own`: how many entries are the model's. */
static bool add_optimizer(entries *e, const nn_named_optimizer *o, int64_t own)
{
    const nn_rule *rule = o->optimizer->rule;
    for (int i = 0; i < o->optimizer->slots; i++) {
        nn_slot *slot = &o->optimizer->slot[i];
        int64_t  k = 0;
        while (k < own && e->at[k].tensor != slot->p)
            k++;
        if (k == own) {
            e->failed = "an optimizer is of another model";
            return false;
        }
        for (int state = -1; state < rule->states; state++) {
            const char *name = state < 0 ? "step" : rule->state[state];
            if (!add(e, (entry){.name = state_name(o->name, e->at[k].name, name),
                                .tensor = slot->p,
                                .slot = slot,
                                .state = state}))
                return false;
        }
    }
    return true;
}

static void entries_free(entries *e)
{
    for (int64_t i = 0; i < e->n; i++)
        free(e->at[i].name);
    free(e->at);
}

static bool entries_of(nn_module *m, int n, const nn_named_optimizer *o, entries *e, tl_error *why)
{
    *e = (entries){.failed = !m ? "the model is NULL" : nn_error(m)};
    for (int i = 0; i < n && !e->failed; i++)
        e->failed = !o || !o[i].name || strlen(o[i].name) > 60 || strchr(o[i].name, '/')
                        ? "an optimizer's name is missing, has a / or more than 60 characters"
                        : nn_optimizer_error(o[i].optimizer);
    if (!e->failed)
        nn__visit_all(m, add_parameter, e);
    const int64_t own = e->n;
    for (int i = 0; i < n && !e->failed; i++)
        add_optimizer(e, &o[i], own);
    if (!e->failed)
        return true;
    tl_fail(why, "%s", e->failed);
    entries_free(e);
    return false;
}

static bool is_whole(const entry *e)
{
    return e->is_count || (e->slot && e->state < 0);
}

static ag_shape shape_of(const entry *e)
{
    return e->slot && e->state < 0 ? AG_SCALAR : e->tensor->shape;
}

/* ---- Saving. ---- */

/* `shape` receives the dimensions, and must outlive the result. */
static nn_stored_tensor stored(const entry *e, ag_shape *shape)
{
    const void *data = e->is_count    ? &e->count
                       : !e->slot     ? (const void *)e->tensor->data
                       : e->state < 0 ? (const void *)&e->slot->steps
                                      : e->slot->state[e->state];
    *shape = shape_of(e);
    return (nn_stored_tensor){e->name, is_whole(e) ? NN_I64 : REAL_DTYPE, shape->rank, shape->dim, ag_numel(shape),
                              data};
}

/* The texts about optimizers. */
typedef struct optimizer_texts {
    char key[2][100], lr[48];
} optimizer_texts;

static void describe(const nn_named_optimizer *o, optimizer_texts *names, nn_stored_text *text)
{
    snprintf(names->key[0], sizeof names->key[0], "optimizer.%.70s", o->name);
    snprintf(names->key[1], sizeof names->key[1], "optimizer.%.70s.lr", o->name);
    snprintf(names->lr, sizeof names->lr, "%s", TL_EXACT(o->optimizer->lr));
    text[0] = (nn_stored_text){names->key[0], o->optimizer->rule->name};
    text[1] = (nn_stored_text){names->key[1], names->lr};
}

static bool write_entries(const entries *e, int n, const nn_named_optimizer *o, int64_t n_texts,
                          const nn_stored_text *text, const char *path, tl_error *why)
{
    nn_stored_tensor *tensors = tl_array(e->n + 1, 1, sizeof *tensors);
    ag_shape         *shapes = tl_array(e->n + 1, 1, sizeof *shapes);
    nn_stored_text   *texts = tl_array(1 + 2 * (int64_t)n + n_texts, 1, sizeof *texts);
    optimizer_texts  *names = tl_array((int64_t)n + 1, 1, sizeof *names);
    bool              ok = (tensors && shapes && texts && names) || tl_fail_at(why, path, "out of memory");
    if (ok) {
        for (int64_t i = 0; i < e->n; i++)
            tensors[i] = stored(&e->at[i], &shapes[i]);
        texts[0] = (nn_stored_text){"format", "pt"};
        for (int i = 0; i < n; i++)
            describe(&o[i], &names[i], &texts[1 + 2 * i]);
        if (n_texts > 0)
            memcpy(texts + 1 + 2 * n, text, (size_t)n_texts * sizeof *texts);
        ok = nn_safetensors_write(path, e->n, tensors, 1 + 2 * n + n_texts, texts, why);
    }
    free(tensors);
    free(shapes);
    free(texts);
    free(names);
    return ok;
}

bool nn_save_checkpoint(nn_module *m, int n, const nn_named_optimizer *o, int64_t n_texts, const nn_stored_text *text,
                        const char *path, tl_error *why)
{
    entries e;
    if (n < 0 || n_texts < 0 || (n_texts > 0 && !text))
        return tl_fail(why, "checkpoint: a count is negative, or the texts are NULL");
    if (!entries_of(m, n, o, &e, why))
        return false;
    bool ok = true;
    for (int i = 0; i < n && ok; i++)
        ok = nn__optimizer_allocate(o[i].optimizer) || tl_fail(why, "optimizer %s: out of memory", o[i].name);
    ok = ok && write_entries(&e, n, o, n_texts, text, path, why);
    entries_free(&e);
    return ok;
}

bool nn_save(nn_module *m, const char *path, tl_error *why)
{
    return nn_save_checkpoint(m, 0, NULL, 0, NULL, path, why);
}

/* ---- Loading: first all is compared, then all is copied. ---- */

/* A list of complaints under one heading, as far as there is room. */
typedef struct complaints {
    tl_error *why;
    int64_t   n, told;
} complaints;

static void complain(complaints *c, const char *heading, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

static void complain(complaints *c, const char *heading, const char *format, ...)
{
    size_t length = strlen(c->why->text);
    c->n++;
    if (length + 1600 > sizeof c->why->text) /* leaves room for a path before it */
        return;
    va_list args;
    va_start(args, format);
    length += (size_t)snprintf(c->why->text + length, 100, "%s%s",
                               c->told  ? ", "
                               : length ? "; "
                                        : "",
                               c->told ? "" : heading);
    vsnprintf(c->why->text + length, 300, format, args);
    va_end(args);
    c->told++;
}

/* The end of a list; the next begins anew. Returns whether it was empty. */
static bool finish(complaints *c)
{
    size_t length = strlen(c->why->text);
    bool   none = c->n == 0;
    if (c->n > c->told)
        snprintf(c->why->text + length, sizeof c->why->text - length, " and %" PRId64 " more", c->n - c->told);
    c->n = c->told = 0;
    return none;
}

static bool is_float(nn_dtype t)
{
    return t == NN_F64 || t == NN_F32 || t == NN_F16 || t == NN_BF16;
}

static bool same_shape(const entry *e, const nn_stored_tensor *t)
{
    ag_shape shape = shape_of(e);
    return shape.rank == t->rank && !memcmp(shape.dim, t->dim, (size_t)t->rank * sizeof *t->dim);
}

/* Without optimizers, what the file has of them is passed over. *whole: whether the file has all that the model has. */
static bool names_agree(const entries *e, bool optimizers, const nn_safetensors *file, complaints *c, bool *whole)
{
    for (int64_t i = 0; i < e->n; i++)
        if (!nn_safetensors_tensor(file, e->at[i].name))
            complain(c, "missing in the file: ", "%.200s", e->at[i].name);
    *whole = finish(c);
    for (int64_t k = 0; k < file->n_tensors; k++) {
        const char *name = file->tensor[k].name;
        bool        known = !optimizers && !strncmp(name, OPTIMIZER, strlen(OPTIMIZER));
        for (int64_t i = 0; i < e->n && !known; i++)
            known = !strcmp(name, e->at[i].name);
        if (!known)
            complain(c, "not in the model: ", "%.200s", name);
    }
    return finish(c) && *whole;
}

static void check_entry(const entry *e, const nn_stored_tensor *t, complaints *shapes, complaints *dtypes)
{
    char           text[160];
    const ag_shape shape = shape_of(e);
    if (!same_shape(e, t))
        complain(shapes, "other shapes: ", "%.120s is %s in the file, %s in the model", t->name,
                 nn_stored_shape(t, text, sizeof text), AG_STR(&shape));
    else if (!(is_whole(e) ? t->dtype == NN_I64 : is_float(t->dtype)))
        complain(dtypes, "dtypes: ", "%.200s is %s, expected %s", t->name, nn_dtype_name(t->dtype),
                 is_whole(e) ? "I64" : "F32, F64, F16 or BF16");
    else if (is_whole(e) && !(nn_stored_value(t, 0) >= 0 && nn_stored_value(t, 0) < 0x1p53))
        complain(dtypes, e->slot ? "steps: " : "counts: ", "%.200s is %s", t->name,
                 TL_NUMBER(nn_stored_value(t, 0), 6));
}

static bool shapes_agree(const entries *e, const nn_safetensors *file, complaints *c)
{
    tl_error   other = {""};
    complaints dtypes = {.why = &other};
    for (int64_t i = 0; i < e->n; i++) {
        const nn_stored_tensor *t = nn_safetensors_tensor(file, e->at[i].name);
        if (t)
            check_entry(&e->at[i], t, c, &dtypes);
    }
    const bool shapes_fit = finish(c), dtypes_fit = finish(&dtypes);
    if (*other.text)
        complain(c, "", "%.1000s", other.text);
    finish(c);
    return shapes_fit && dtypes_fit;
}

static bool optimizer_agrees(const nn_named_optimizer *o, const nn_safetensors *file, double *lr, complaints *c)
{
    char key[100];
    snprintf(key, sizeof key, "optimizer.%.70s", o->name);
    const char *kind = nn_safetensors_text(file, key);
    if (!kind || strcmp(kind, o->optimizer->rule->name))
        complain(c, "", "the file's optimizer %.60s is %.60s, expected %s", o->name, kind ? kind : "missing",
                 o->optimizer->rule->name);
    snprintf(key, sizeof key, "optimizer.%.70s.lr", o->name);
    if (!tl_parse_number(nn_safetensors_text(file, key), lr) || !(*lr >= 0 && *lr < 1e300))
        complain(c, "", "the file has no learning rate of optimizer %.60s", o->name);
    return finish(c);
}

static void copy(const entry *e, const nn_stored_tensor *t)
{
    ag_real *to = e->slot && e->state >= 0 ? e->slot->state[e->state] : e->tensor->data;
    if (e->slot && e->state < 0)
        e->slot->steps = (int64_t)nn_stored_value(t, 0);
    else if (t->dtype == REAL_DTYPE)
        tl_file_order(to, t->data, t->count, sizeof *to);
    else
        for (int64_t i = 0; i < t->count; i++)
            to[i] = (ag_real)nn_stored_value(t, i);
}

/* All has been compared: takes memory for the optimizers' state, and copies. */
static bool copy_all(const entries *e, int n, const nn_named_optimizer *o, const nn_safetensors *file, tl_error *why)
{
    for (int i = 0; i < n; i++)
        if (!nn__optimizer_allocate(o[i].optimizer))
            return tl_fail(why, "optimizer %s: out of memory", o[i].name);
    for (int i = 0; i < n; i++) {
        double lr;
        if (optimizer_agrees(&o[i], file, &lr, &(complaints){.why = &(tl_error){""}}))
            o[i].optimizer->lr = lr;
    }
    for (int64_t i = 0; i < e->n; i++)
        if (nn_safetensors_tensor(file, e->at[i].name)) {
            copy(&e->at[i], nn_safetensors_tensor(file, e->at[i].name));
            ag_written(e->at[i].tensor);
        }
    return true;
}

bool nn_load_checkpoint(nn_module *m, int n, const nn_named_optimizer *o, const nn_safetensors *file, bool strict,
                        tl_error *why)
{
    entries e;
    double  lr;
    if (!file || n < 0)
        return tl_fail(why, "no file, or a negative number of optimizers");
    if (!entries_of(m, n, o, &e, why))
        return false;
    tl_error   found = {""};
    complaints c = {.why = &found};
    bool       ok = true, whole = false;
    for (int i = 0; i < n; i++)
        ok = optimizer_agrees(&o[i], file, &lr, &c) & ok;
    if (ok) { /* of another optimizer every name would differ */
        ok = names_agree(&e, n > 0, file, &c, &whole) || !strict;
        if (ok)
            found.text[0] = '\0';
        ok = shapes_agree(&e, file, &c) & ok;
    }
    ok = ok ? copy_all(&e, n, o, file, why) : tl_fail(why, "%s", found.text);
    if (ok && whole)
        nn_set_ready(m);
    entries_free(&e);
    return ok;
}

bool nn_load(nn_module *m, const char *path, bool strict, tl_error *why)
{
    nn_safetensors file;
    if (!nn_safetensors_read(path, &file, why))
        return false;
    tl_error reason;
    bool ok = nn_load_checkpoint(m, 0, NULL, &file, strict, &reason) || tl_fail_at(why, path, "%.3000s", reason.text);
    nn_safetensors_free(&file);
    return ok;
}
