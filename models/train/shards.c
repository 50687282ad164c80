#include "models/train/shards_internal.h"

#include <stdlib.h>
#include <string.h>

#include "autograd/op.h"

/* The gradient of a part: each parameter's numbers, then 1 if backward reached it, else 0. */
typedef struct slot {
    nn_module  *part;
    train_block block[TRAIN_MAX_BLOCKS];
    ag_real    *memory[TRAIN_MAX_BLOCKS]; /* of the blocks, by position */
    int         n;
    int64_t     length, capacity; /* of the vectors, and of their memory */
    int64_t     next;             /* piece */
} slot;

struct train_shards {
    train_ranks     ranks;
    nn_module      *model;
    int             n_parts;
    slot           *slots; /* of the parts */
    train_note     *notes;
    int64_t         capacity;       /* of notes */
    ag_real        *before, *after; /* the model's buffers: as the step began, and after its first piece */
    int64_t         n_buffers;      /* numbers in them */
    train_reduction reduction;
};

/* ---- Notes. ---- */

train_note *train__notes(train_shards *s, int64_t count)
{
    if (s->capacity < count) {
        train_note *grown = realloc(s->notes, (size_t)count * sizeof *grown);
        if (!grown)
            return NULL;
        s->notes = grown;
        s->capacity = count;
    }
    for (int64_t i = 0; i < count; i++) {
        s->notes[i].examples = 0;
        s->notes[i].minimized = 0;
        s->notes[i].n = 0;
    }
    return s->notes;
}

bool train__note_add(train_note *note, const char *metric, double sum)
{
    if (!train_is_metric(metric))
        return false;
    int i = 0;
    while (i < note->n && strcmp(note->at[i].name, metric))
        i++;
    if (i == TRAIN_NOTE_METRICS)
        return false;
    if (i == note->n) {
        memset(&note->at[i], 0, sizeof note->at[i]);
        strcpy(note->at[note->n++].name, metric);
    }
    note->at[i].value += sum;
    return true;
}

bool train__fold(train_sums *sums, const train_note *notes, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        sums->examples += notes[i].examples;
        for (int k = 0; k < notes[i].n; k++)
            if (!train_sums_add(sums, notes[i].at[k].name, notes[i].at[k].value))
                return false;
    }
    return true;
}

/* ---- Gradients and buffers as vectors. ---- */

typedef struct walk {
    ag_real *values;
    int64_t  at;
    bool     adds, gives;
} walk;

static bool is_trained(const nn_parameter *p)
{
    return !p->is_buffer && p->tensor->needs_grad;
}

static bool count_gradient(void *context, const char *name, nn_parameter *p)
{
    (void)name;
    if (is_trained(p))
        ((walk *)context)->at += ag_numel(&p->tensor->shape) + 1;
    return true;
}

static bool take_gradient(void *context, const char *name, nn_parameter *p)
{
    walk *w = context;
    (void)name;
    if (!is_trained(p))
        return true;
    const int64_t  n = ag_numel(&p->tensor->shape);
    const ag_real *g = p->tensor->grad;
    ag_real       *to = w->values + w->at;
    if (g && w->adds)
        for (int64_t i = 0; i < n; i++)
            to[i] += g[i];
    else if (g)
        memcpy(to, g, (size_t)n * sizeof *to);
    else if (!w->adds)
        memset(to, 0, (size_t)n * sizeof *to);
    to[n] = (w->adds ? to[n] : 0) + (g ? 1 : 0);
    w->at += n + 1;
    return true;
}

/* A parameter that no piece reached keeps none, as without pieces. */
static bool give_gradient(void *context, const char *name, nn_parameter *p)
{
    walk *w = context;
    (void)name;
    if (!is_trained(p))
        return true;
    const int64_t n = ag_numel(&p->tensor->shape);
    ag_real      *g = w->values[w->at + n] > 0 ? ag_grad_open(p->tensor).data : NULL;
    if (g)
        memcpy(g, w->values + w->at, (size_t)n * sizeof *g);
    w->at += n + 1;
    return true;
}

static bool count_buffer(void *context, const char *name, nn_parameter *p)
{
    (void)name;
    if (p->is_buffer)
        *(int64_t *)context += ag_numel(&p->tensor->shape);
    return true;
}

/* Out of the buffers, or with `gives` back into them. */
static bool copy_buffer(void *context, const char *name, nn_parameter *p)
{
    walk *w = context;
    (void)name;
    if (!p->is_buffer)
        return true;
    const int64_t n = ag_numel(&p->tensor->shape);
    ag_real      *kept = w->values + w->at, *data = p->tensor->data;
    memcpy(w->gives ? data : kept, w->gives ? kept : data, (size_t)n * sizeof *data);
    w->at += n;
    return true;
}

/* ---- Slots. ---- */

static void free_slot(slot *s)
{
    for (int i = 0; i < TRAIN_MAX_BLOCKS; i++)
        free(s->memory[i]);
    memset(s->memory, 0, sizeof s->memory);
}

/* Makes a slot ready for the pieces begin .. end-1, with all the memory that it can need. */
static bool open_slot(slot *s, int64_t begin, int64_t end)
{
    walk w = {.at = 0};
    int  deepest = 2;
    nn_visit(s->part, count_gradient, &w);
    if (w.at > s->capacity) {
        free_slot(s);
        s->capacity = w.at;
    }
    s->length = w.at;
    s->n = 0;
    s->next = begin;
    for (int64_t n = end - begin; n > 1; n /= 2)
        deepest += 2;
    for (int i = 0; i < deepest && i < TRAIN_MAX_BLOCKS; i++)
        if (!s->memory[i] && !(s->memory[i] = malloc((size_t)(s->capacity + 1) * sizeof **s->memory)))
            return false;
    return true;
}

/* Adds the next piece's gradient, which is in the part's parameters, or is 0. */
static void push(slot *s, bool is_zero)
{
    const bool joins = s->n > 0 && s->block[s->n - 1].size == 1 && s->next % 2 == 1; /* straight into its sibling */
    if (!joins) {
        s->block[s->n] = (train_block){s->next, 1, s->memory[s->n]};
        s->n++;
    }
    train_block *top = &s->block[s->n - 1];
    if (!is_zero)
        nn_visit(s->part, take_gradient, &(walk){.values = top->values, .adds = joins});
    else if (!joins)
        memset(top->values, 0, (size_t)s->length * sizeof *top->values);
    if (joins)
        top->size = 2;
    s->n = train__merge(s->block, s->n, s->length);
    s->next++;
}

static void pad(slot *s, int64_t until)
{
    while (s->next < until)
        push(s, true);
}

/* ---- Steps. ---- */

static bool keep_buffers(train_shards *s)
{
    if (s->n_buffers == 0)
        return true;
    if (!s->before)
        s->before = malloc((size_t)s->n_buffers * sizeof *s->before);
    if (!s->after)
        s->after = malloc((size_t)s->n_buffers * sizeof *s->after);
    if (!s->before || !s->after)
        return false;
    nn_visit(s->model, copy_buffer, &(walk){.values = s->before});
    return true;
}

bool train__begin_pieces(train_shards *s, int64_t count, tl_error *why)
{
    int64_t begin, end;
    bool    ok = true;
    train__own_part(&s->ranks, count, &begin, &end);
    for (int i = 0; ok && i < s->n_parts; i++)
        ok = open_slot(&s->slots[i], begin, end) &&
             train__reduce_prepare(&s->reduction, &s->ranks, count, s->slots[i].length);
    return (ok && keep_buffers(s)) || tl_fail(why, "out of memory");
}

void train__begin_piece(train_shards *s, int64_t piece)
{
    if (s->n_buffers > 0 && piece > 0)
        nn_visit(s->model, copy_buffer, &(walk){.values = s->before, .gives = true});
}

void train__end_piece(train_shards *s, int64_t piece)
{
    if (s->n_buffers > 0 && piece == 0)
        nn_visit(s->model, copy_buffer, &(walk){.values = s->after});
}

bool train__keep_gradient(train_shards *s, train_note *note, int64_t piece, int part)
{
    slot *of = &s->slots[part];
    if (of->next > piece)
        return false;
    pad(of, piece);
    push(of, false);
    note->minimized |= (uint64_t)1 << part;
    return true;
}

bool train__share_pieces(train_shards *s, train_note *notes, int64_t count, tl_error *why)
{
    if (!train__gather_parts(&s->ranks, notes, count, sizeof *notes))
        return train__unreachable(why);
    if (s->n_buffers == 0)
        return true;
    if (!train__gather_from(&s->ranks, 0, s->after, s->n_buffers * (int64_t)sizeof *s->after))
        return train__unreachable(why);
    nn_visit(s->model, copy_buffer, &(walk){.values = s->after, .gives = true});
    return true;
}

bool train__sum_gradient(train_shards *s, int64_t count, int part, tl_error *why)
{
    slot   *of = &s->slots[part];
    int64_t begin, end;
    train__own_part(&s->ranks, count, &begin, &end);
    pad(of, end);
    ag_real *sum = train__reduce(&s->reduction, &s->ranks, count, of->block, of->length);
    if (!sum)
        return train__unreachable(why);
    nn_zero_grad(of->part);
    nn_visit(of->part, give_gradient, &(walk){.values = sum});
    return true;
}

/* ---- */

train_shards *train__shards_new(const train_ranks *ranks, nn_module *model, int n_parts, nn_module *const *parts)
{
    train_shards *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (train_shards){.ranks = *ranks, .model = model, .n_parts = n_parts};
    s->slots = calloc((size_t)n_parts + 1, sizeof *s->slots);
    if (!s->slots) {
        train__shards_free(s);
        return NULL;
    }
    for (int i = 0; i < n_parts; i++)
        s->slots[i].part = parts[i];
    nn_visit(model, count_buffer, &s->n_buffers);
    return s;
}

void train__shards_free(train_shards *s)
{
    if (!s)
        return;
    for (int i = 0; s->slots && i < s->n_parts; i++)
        free_slot(&s->slots[i]);
    train__reduction_free(&s->reduction);
    free(s->slots);
    free(s->notes);
    free(s->before);
    free(s->after);
    free(s);
}
