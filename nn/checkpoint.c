#include "nn/checkpoint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "nn/optimizer_internal.h"

#define OPTIMIZER "optimizer/" /* names of a module may hold a '/', but hardly begin with this */

#ifdef AG_DOUBLE
#define REAL_DTYPE NN_F64
#else
#define REAL_DTYPE NN_F32
#endif

/* ---- The entries of a model and an optimiser: what has a name in the file. ---- */

typedef struct entry {
    char    *name;
    ag_shape shape;
    ag_real *real;      /* its numbers, or */
    int64_t *whole;     /* its whole number, or */
    bool     is_count;  /* one that is kept in real[0] */
    int64_t  count;     /* that, to be written */
} entry;

typedef struct entries {
    entry              *at;
    int64_t             n, room;
    const nn_optimizer *o;
    int                 slot; /* the next parameter's */
    const char         *failed; /* why */
} entries;

static char *joined(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

static bool add(entries *e, char *name, ag_shape shape, ag_real *real, int64_t *whole, bool is_count)
{
    if (name && e->n == e->room) {
        int64_t room = 2 * e->room + 32;
        entry *grown = realloc(e->at, (size_t)room * sizeof *grown);
        e->at = grown ? grown : e->at;
        e->room = grown ? room : e->room;
    }
    if (!name || e->n == e->room) {
        free(name);
        e->failed = "out of memory";
        return false;
    }
    e->at[e->n++] = (entry){name, shape, real, whole, is_count, is_count ? (int64_t)real[0] : 0};
    return true;
}

static bool add_parameter(void *context, const char *name, nn_parameter *p)
{
    entries *e = context;
    if (!add(e, joined(name, "", ""), p->tensor->shape, p->tensor->data, NULL, p->is_count))
        return false;
    if (!e->o || p->is_buffer)
        return true;
    nn_slot *s = e->slot < e->o->slots ? &e->o->slot[e->slot++] : NULL;
    if (!s || s->p != p->tensor) {
        e->failed = "the optimizer is of another model";
        return false;
    }
    char *prefix = joined(OPTIMIZER, name, "/");
    bool ok = prefix && add(e, joined(prefix, "step", ""), AG_SCALAR, NULL, &s->steps, false);
    for (int i = 0; ok && i < e->o->rule->states; i++)
        ok = add(e, joined(prefix, e->o->rule->state[i], ""), s->p->shape, s->state[i], NULL, false);
    free(prefix);
    e->failed = ok ? NULL : "out of memory";
    return ok;
}

static void entries_free(entries *e)
{
    for (int64_t i = 0; i < e->n; i++)
        free(e->at[i].name);
    free(e->at);
}

static bool entries_of(nn_module *m, const nn_optimizer *o, entries *e, nn_message *why)
{
    const char *wrong = !m ? "the model is NULL" : nn_error(m) ? nn_error(m) : o ? nn_optimizer_error(o) : NULL;
    *e = (entries){.o = o};
    if (!wrong) {
        nn_visit(m, add_parameter, e);
        wrong = e->failed;
    }
    if (wrong) {
        nn_explain(why, "%s", wrong);
        entries_free(e);
    }
    return !wrong;
}

/* ---- Saving. ---- */

static nn_stored_tensor stored(const entry *e)
{
    const void *data = e->is_count ? &e->count : e->whole ? (const void *)e->whole : e->real;
    return (nn_stored_tensor){e->name, e->is_count || e->whole ? NN_I64 : REAL_DTYPE, e->shape.rank, e->shape.dim,
                              ag_numel(&e->shape), data};
}

bool nn_save_checkpoint(nn_module *m, const nn_optimizer *o, int64_t n_texts, const nn_stored_text *text, const char *path,
                        nn_message *why)
{
    entries e;
    if (!entries_of(m, o, &e, why))
        return false;
    char lr[40];
    snprintf(lr, sizeof lr, "%a", o ? o->lr : 0.0);
    const nn_stored_text own[] = {{"format", "pt"}, {"optimizer", o ? o->rule->name : ""}, {"optimizer.lr", lr}};
    const int64_t n_own = o ? 3 : 1;
    nn_stored_tensor *tensors = malloc((size_t)(e.n + 1) * sizeof *tensors);
    nn_stored_text *texts = malloc((size_t)(n_own + n_texts) * sizeof *texts);
    bool ok = tensors && texts;
    if (ok) {
        for (int64_t i = 0; i < e.n; i++)
            tensors[i] = stored(&e.at[i]);
        memcpy(texts, own, (size_t)n_own * sizeof *texts);
        if (n_texts > 0)
            memcpy(texts + n_own, text, (size_t)n_texts * sizeof *texts);
        ok = nn_safetensors_write(path, e.n, tensors, n_own + n_texts, texts, why);
    } else {
        nn_explain(why, "%.3900s: out of memory", path ? path : "NULL");
    }
    free(tensors);
    free(texts);
    entries_free(&e);
    return ok;
}

bool nn_save(nn_module *m, const char *path, nn_message *why)
{
    return nn_save_checkpoint(m, NULL, 0, NULL, path, why);
}

/* ---- Loading: first all is compared, then all is copied. ---- */

/* A list of complaints under one heading, as far as there is room. */
typedef struct complaints {
    nn_message *why;
    int64_t     n, told;
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
    length += (size_t)snprintf(c->why->text + length, 100, "%s%s", c->told ? ", " : length ? "; " : "", c->told ? "" : heading);
    vsnprintf(c->why->text + length, 300, format, args);
    va_end(args);
    c->told++;
}

/* The end of a list; the next begins anew. Returns whether it was empty. */
static bool finish(complaints *c)
{
    size_t length = strlen(c->why->text);
    bool none = c->n == 0;
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
    return e->shape.rank == t->rank && !memcmp(e->shape.dim, t->dim, (size_t)t->rank * sizeof *t->dim);
}

/* "(400, 784)" */
static const char *shape_text(const nn_stored_tensor *t, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < t->rank && at + 24 < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, i ? ", " : "", t->dim[i]);
    snprintf(text + at, size - at, ")");
    return text;
}

static bool names_agree(const entries *e, const nn_safetensors *file, complaints *c)
{
    for (int64_t i = 0; i < e->n; i++)
        if (!nn_safetensors_tensor(file, e->at[i].name))
            complain(c, "missing in the file: ", "%.200s", e->at[i].name);
    bool ok = finish(c);
    for (int64_t k = 0; k < file->n_tensors; k++) {
        const char *name = file->tensor[k].name;
        bool known = !e->o && !strncmp(name, OPTIMIZER, strlen(OPTIMIZER));
        for (int64_t i = 0; i < e->n && !known; i++)
            known = !strcmp(name, e->at[i].name);
        if (!known)
            complain(c, "not in the model: ", "%.200s", name);
    }
    return finish(c) && ok;
}

static bool shapes_agree(const entries *e, const nn_safetensors *file, complaints *c)
{
    char text[120];
    for (int64_t i = 0; i < e->n; i++) {
        const nn_stored_tensor *t = nn_safetensors_tensor(file, e->at[i].name);
        if (t && !same_shape(&e->at[i], t))
            complain(c, "other shapes: ", "%.120s is %s in the file, %s in the model", t->name, shape_text(t, text, sizeof text),
                     AG_STR(&e->at[i].shape));
    }
    bool ok = finish(c);
    for (int64_t i = 0; i < e->n; i++) {
        const nn_stored_tensor *t = nn_safetensors_tensor(file, e->at[i].name);
        bool whole = e->at[i].whole || e->at[i].is_count;
        if (t && e->at[i].whole && t->dtype == NN_I64 && !(nn_stored_value(t, 0) >= 0 && nn_stored_value(t, 0) < 0x1p53))
            complain(c, "steps: ", "%.200s is %g", t->name, nn_stored_value(t, 0));
        if (t && !(whole ? t->dtype == NN_I64 : is_float(t->dtype)))
            complain(c, "dtypes: ", "%.200s is %s, expected %s", t->name, nn_dtype_name(t->dtype),
                     whole ? "I64" : "F32, F64, F16 or BF16");
    }
    return finish(c) && ok;
}

static bool optimizers_agree(const nn_optimizer *o, const nn_safetensors *file, double *lr, complaints *c)
{
    const char *name = nn_safetensors_text(file, "optimizer"), *rate = nn_safetensors_text(file, "optimizer.lr");
    char *end = NULL;
    if (!name || strcmp(name, o->rule->name))
        complain(c, "", "the file's optimizer is %.60s, expected %s", name ? name : "missing", o->rule->name);
    *lr = rate ? strtod(rate, &end) : -1;
    if (!rate || end == rate || *end || !(*lr >= 0 && *lr < 1e300))
        complain(c, "", "the file has no learning rate");
    return finish(c);
}

static void copy(entry *e, const nn_stored_tensor *t)
{
    if (e->whole)
        memcpy(e->whole, t->data, sizeof *e->whole);
    else if (t->dtype == REAL_DTYPE)
        memcpy(e->real, t->data, (size_t)t->count * sizeof *e->real);
    else
        for (int64_t i = 0; i < t->count; i++)
            e->real[i] = (ag_real)nn_stored_value(t, i);
}

bool nn_load_checkpoint(nn_module *m, nn_optimizer *o, const nn_safetensors *file, bool strict, nn_message *why)
{
    entries e;
    double lr = 0;
    if (!file)
        return nn_explain(why, "no file");
    if (!entries_of(m, o, &e, why))
        return false;
    nn_message found = {""};
    complaints c = {.why = &found};
    bool names = names_agree(&e, file, &c);
    bool complete = names || !strict;
    if (complete)
        found.text[0] = '\0';
    bool ok = shapes_agree(&e, file, &c) & complete;
    if (o)
        ok = optimizers_agree(o, file, &lr, &c) & ok;
    for (int64_t i = 0; ok && i < e.n; i++)
        if (nn_safetensors_tensor(file, e.at[i].name))
            copy(&e.at[i], nn_safetensors_tensor(file, e.at[i].name));
    if (ok && o)
        o->lr = lr;
    if (ok && names)
        nn_set_ready(m);
    if (!ok)
        nn_explain(why, "%s", found.text);
    entries_free(&e);
    return ok;
}

bool nn_load(nn_module *m, const char *path, bool strict, nn_message *why)
{
    nn_safetensors file;
    if (!nn_safetensors_read(path, &file, why))
        return false;
    nn_message reason;
    bool ok = nn_load_checkpoint(m, NULL, &file, strict, &reason);
    if (!ok)
        nn_explain(why, "%.1000s: %.3000s", path, reason.text);
    nn_safetensors_free(&file);
    return ok;
}
