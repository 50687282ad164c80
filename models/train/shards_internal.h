/* A step that is made of several pieces: batches whose gradients are averaged, shards of a batch, or both. Each piece
 * is computed with the weights with which the step began, by one of the ranks; what the pieces give is added up in the
 * order of their numbers. */
#ifndef TRAIN_SHARDS_INTERNAL_H
#define TRAIN_SHARDS_INTERNAL_H

#include "models/train/history.h"
#include "models/train/reduce_internal.h"
#include "nn/module.h"

enum { TRAIN_MAX_SHARDS = 1024, TRAIN_MAX_PARTS = 64, TRAIN_NOTE_METRICS = 32 };

typedef struct train_shards train_shards;

/* What a piece, or a batch of a test, has reported. */
typedef struct train_note {
    int64_t   examples;
    uint64_t  minimized; /* a bit for each part that got a gradient */
    int       n;
    train_sum at[TRAIN_NOTE_METRICS];
} train_note;

/* For a model and the parts of it that get gradients, which may overlap. NULL when memory runs out. */
train_shards *train__shards_new(const train_ranks *ranks, nn_module *model, int n_parts, nn_module *const *parts);
void          train__shards_free(train_shards *s);

/* So many empty notes; NULL when memory runs out. */
train_note *train__notes(train_shards *s, int64_t count);
bool train__note_add(train_note *note, const char *metric, double sum); /* false: no metric's name, or one too many */
bool train__fold(train_sums *sums, const train_note *notes, int64_t count);

/* A step of `count` pieces begins; and one of its pieces, and ends. The model's buffers, as those of batch norm, end
 * the step as piece 0 leaves them. */
bool train__begin_pieces(train_shards *s, int64_t count, tl_error *why);
void train__begin_piece(train_shards *s, int64_t piece);
void train__end_piece(train_shards *s, int64_t piece);

/* Keeps the gradient that a piece has given to a part. False if it has given that part one before. */
bool train__keep_gradient(train_shards *s, train_note *note, int64_t piece, int part);

/* After the last piece: everybody gets all notes; then the sum of all gradients of a part of which a note says that
 * there are some. All ranks call them, or none. */
bool train__share_pieces(train_shards *s, train_note *notes, int64_t count, tl_error *why);
bool train__sum_gradient(train_shards *s, int64_t count, int part, tl_error *why);

#endif
