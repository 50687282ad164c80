#include "models/train/reduce_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- Blocks. ---- */

static void add(ag_real *to, const ag_real *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += from[i];
}

int train__merge(train_block *b, int n, int64_t n_values)
{
    for (; n > 1; n--) {
        train_block *left = &b[n - 2], *right = &b[n - 1];
        if (left->size != right->size || left->first % (2 * left->size) != 0)
            break;
        if (left->values)
            add(left->values, right->values, n_values);
        left->size *= 2;
    }
    return n;
}

int train__blocks_of(int64_t begin, int64_t end, train_block *b)
{
    int n = 0;
    for (int64_t shard = begin; shard < end; shard++) {
        b[n++] = (train_block){shard, 1, NULL};
        n = train__merge(b, n, 0);
    }
    return n;
}

/* The sum of a node of the tree, in the memory of its first block; NULL for one beyond the last shard. */
static ag_real *sum_of(const train_block *b, int n_blocks, int64_t first, int64_t size, int64_t n)
{
    for (int i = 0; i < n_blocks; i++)
        if (b[i].first == first && b[i].size == size)
            return b[i].values;
    if (size == 1)
        return NULL;
    ag_real *left = sum_of(b, n_blocks, first, size / 2, n);
    ag_real *right = sum_of(b, n_blocks, first + size / 2, size / 2, n);
    if (left && right)
        add(left, right, n);
    return left ? left : right;
}

static ag_real *sum_of_all(const train_block *b, int n_blocks, int64_t shards, int64_t n)
{
    int64_t size = 1;
    while (size < shards)
        size *= 2;
    return sum_of(b, n_blocks, 0, size, n);
}

/* ---- Between any number of ranks: by chunks. ---- */

static bool reserve(ag_real **at, int64_t *capacity, int64_t n)
{
    if (*capacity >= n && *at)
        return true;
    ag_real *grown = realloc(*at, (size_t)(n + 1) * sizeof *grown);
    if (!grown)
        return false;
    *at = grown;
    *capacity = n;
    return true;
}

/* Elements of chunk c: those that rank c adds up. */
static int64_t chunk_size(int64_t n, int ranks, int c)
{
    return train__part(n, ranks, c + 1) - train__part(n, ranks, c);
}

static void pack_chunk(const train_block *b, int n_blocks, int64_t begin, int64_t size, ag_real *to)
{
    for (int i = 0; i < n_blocks; i++)
        memcpy(to + i * size, b[i].values + begin, (size_t)size * sizeof *to);
}

/* This rank's chunk of the other ranks' blocks, to r->received, where they lie in the ranks' order. */
static bool collect_chunk(train_reduction *r, const train_ranks *ranks, const train_block *own, int64_t n,
                          const int *first_block)
{
    const int     me = ranks->rank, size = ranks->size, n_own = first_block[me + 1] - first_block[me];
    const int64_t mine = chunk_size(n, size, me);
    for (int d = 1; d < size; d++) {
        const int     to = (me + d) % size, from = (me + size - d) % size;
        const int64_t theirs = chunk_size(n, size, to), begin = train__part(n, size, to),
                      n_from = first_block[from + 1] - first_block[from];
        const ag_real *sent = n_own == 1 ? own[0].values + begin : r->sent;
        if (n_own > 1)
            pack_chunk(own, n_own, begin, theirs, r->sent);
        if (!ranks->exchange(ranks->self, to, sent, n_own * theirs * (int64_t)sizeof *sent, from,
                             r->received + first_block[from] * mine, n_from * mine * (int64_t)sizeof *sent))
            return false;
    }
    return true;
}

/* Lists this rank's chunk of the blocks of all ranks, in order: its own where they are, the others' one after another
 * in r->received. */
static void place_blocks(train_reduction *r, const train_ranks *ranks, int64_t shards, const train_block *own,
                         int64_t n_values)
{
    const int     me = ranks->rank, size = ranks->size;
    const int64_t mine = chunk_size(n_values, size, me);
    int           n = 0;
    for (int rank = 0; rank < size; rank++) {
        r->first_block[rank] = n;
        n += train__blocks_of(train__part(shards, size, rank), train__part(shards, size, rank + 1), r->all + n);
    }
    r->first_block[size] = n;
    for (int i = 0; i < n; i++)
        r->all[i].values = r->received + i * mine;
    for (int i = r->first_block[me]; i < r->first_block[me + 1]; i++)
        r->all[i].values = own[i - r->first_block[me]].values + train__part(n_values, size, me);
}

/* ---- By halves. ---- */

/* Whether each rank has one block, all of one size, and their number is a power of two. */
static bool is_full_tree(int ranks, int64_t shards)
{
    return train__is_power_of_two(ranks) && shards % ranks == 0 && train__is_power_of_two(shards / ranks);
}

typedef struct range {
    int64_t begin, size;
} range;

/* The lower or the upper half. */
static range half_of(range r, bool upper)
{
    const int64_t lower = r.size / 2;
    return upper ? (range){r.begin + lower, r.size - lower} : (range){r.begin, lower};
}

static bool exchange_ranges(const train_ranks *ranks, int with, const ag_real *sent, range s, ag_real *received,
                            range r)
{
    return ranks->exchange(ranks->self, with, sent + s.begin, s.size * (int64_t)sizeof *sent, with, received + r.begin,
                           r.size * (int64_t)sizeof *received);
}

/* In turn k, two ranks whose numbers differ in bit k alone, and whose blocks are siblings in the tree, each give away
 * one half of what they have added up and add the other's to the half that they keep. Then the sums return in the same
 * turns, last to first: 2 log2(ranks) messages, of 2 n numbers together. */
static bool reduce_by_halves(train_reduction *r, const train_ranks *ranks, ag_real *values, int64_t n)
{
    const int me = ranks->rank;
    range     kept[32] = {{0, n}};
    int       k = 0;
    for (; 1 << k < ranks->size; k++) {
        const int   sibling = me ^ 1 << k;
        const range given = half_of(kept[k], sibling > me);
        kept[k + 1] = half_of(kept[k], me > sibling);
        if (!exchange_ranges(ranks, sibling, values, given, r->received, (range){0, kept[k + 1].size}))
            return false;
        add(values + kept[k + 1].begin, r->received, kept[k + 1].size);
    }
    while (k-- > 0) {
        const int sibling = me ^ 1 << k;
        if (!exchange_ranges(ranks, sibling, values, kept[k + 1], values, half_of(kept[k], sibling > me)))
            return false;
    }
    return true;
}

/* ---- */

static int count_blocks(int ranks, int64_t shards, int rank)
{
    train_block b[TRAIN_MAX_BLOCKS];
    return train__blocks_of(train__part(shards, ranks, rank), train__part(shards, ranks, rank + 1), b);
}

static bool make_tables(train_reduction *r, int ranks)
{
    if (r->ranks == ranks)
        return true;
    train__reduction_free(r);
    r->all = malloc((size_t)ranks * TRAIN_MAX_BLOCKS * sizeof *r->all);
    r->first_block = malloc((size_t)(ranks + 1) * sizeof *r->first_block);
    r->ranks = r->all && r->first_block ? ranks : 0;
    return r->ranks > 0;
}

bool train__reduce_prepare(train_reduction *r, const train_ranks *ranks, int64_t shards, int64_t n)
{
    const int     size = ranks->size, me = ranks->rank;
    const int64_t longest = n / size + 1;
    int64_t       blocks = 0;
    if (size == 1)
        return true;
    if (is_full_tree(size, shards))
        return reserve(&r->received, &r->capacity_received, n / 2 + 1);
    for (int rank = 0; rank < size; rank++)
        blocks += count_blocks(size, shards, rank);
    return make_tables(r, size) && reserve(&r->sent, &r->capacity_sent, count_blocks(size, shards, me) * longest) &&
           reserve(&r->received, &r->capacity_received, blocks * longest) &&
           (count_blocks(size, shards, me) > 0 || reserve(&r->total, &r->capacity_total, n));
}

ag_real *train__reduce(train_reduction *r, const train_ranks *ranks, int64_t shards, const train_block *own, int64_t n)
{
    const int size = ranks->size, me = ranks->rank;
    if (size == 1)
        return sum_of_all(own, count_blocks(1, shards, 0), shards, n);
    if (is_full_tree(size, shards))
        return reduce_by_halves(r, ranks, own[0].values, n) ? own[0].values : NULL;
    place_blocks(r, ranks, shards, own, n);
    if (!collect_chunk(r, ranks, own, n, r->first_block))
        return NULL;
    const int64_t  mine = chunk_size(n, size, me);
    const ag_real *sum = sum_of_all(r->all, r->first_block[size], shards, mine);
    ag_real       *total = r->first_block[me + 1] > r->first_block[me] ? own[0].values : r->total;
    memmove(total + train__part(n, size, me), sum, (size_t)mine * sizeof *sum);
    return train__gather_parts(ranks, total, n, sizeof *total) ? total : NULL;
}

void train__reduction_free(train_reduction *r)
{
    free(r->all);
    free(r->first_block);
    free(r->sent);
    free(r->received);
    free(r->total);
    *r = (train_reduction){.ranks = 0};
}
