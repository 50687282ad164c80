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

/* ---- Between ranks. ---- */

static bool make_room(ag_real **at, int64_t *room, int64_t n)
{
    if (*room >= n && *at)
        return true;
    ag_real *grown = realloc(*at, (size_t)(n + 1) * sizeof *grown);
    if (!grown)
        return false;
    *at = grown;
    *room = n;
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

/* This rank's chunk of all blocks of all ranks. The blocks at r->received belong to the ranks in their order. */
static bool collect_chunk(train_reduction *r, const train_ranks *ranks, const train_block *own, int64_t n,
                          const int *first_block)
{
    const int     me = ranks->rank, size = ranks->size, n_own = first_block[me + 1] - first_block[me];
    const int64_t mine = chunk_size(n, size, me);
    pack_chunk(own, n_own, train__part(n, size, me), mine, r->received + first_block[me] * mine);
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

/* Lists the blocks of all ranks, in order; their values lie one after another in r->received. */
static void place_blocks(train_reduction *r, int ranks, int64_t shards, int64_t mine)
{
    int n = 0;
    for (int rank = 0; rank < ranks; rank++) {
        r->first_block[rank] = n;
        n += train__blocks_of(train__part(shards, ranks, rank), train__part(shards, ranks, rank + 1), r->all + n);
    }
    r->first_block[ranks] = n;
    for (int i = 0; i < n; i++)
        r->all[i].values = r->received + i * mine;
}

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
    for (int rank = 0; rank < size; rank++)
        blocks += count_blocks(size, shards, rank);
    return make_tables(r, size) && make_room(&r->sent, &r->room_sent, count_blocks(size, shards, me) * longest) &&
           make_room(&r->received, &r->room_received, blocks * longest) && make_room(&r->total, &r->room_total, n);
}

ag_real *train__reduce(train_reduction *r, const train_ranks *ranks, int64_t shards, const train_block *own, int64_t n)
{
    const int size = ranks->size, me = ranks->rank;
    if (size == 1)
        return sum_of_all(own, count_blocks(1, shards, 0), shards, n);
    const int64_t mine = chunk_size(n, size, me);
    place_blocks(r, size, shards, mine);
    if (!collect_chunk(r, ranks, own, n, r->first_block))
        return NULL;
    const ag_real *chunk = sum_of_all(r->all, r->first_block[size], shards, mine);
    memcpy(r->total + train__part(n, size, me), chunk, (size_t)mine * sizeof *chunk);
    return train__gather_parts(ranks, r->total, n, sizeof *chunk) ? r->total : NULL;
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
