#include "models/train/ranks_internal.h"

int64_t train__part(int64_t count, int64_t n, int64_t i)
{
    return count / n * i + (count % n * i + n - 1) / n;
}

bool train__is_power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

void train__own_part(const train_ranks *ranks, int64_t count, int64_t *begin, int64_t *end)
{
    *begin = train__part(count, ranks->size, ranks->rank);
    *end = train__part(count, ranks->size, ranks->rank + 1);
}

/* In turn d, a rank sends its part to the one d after it and receives that of the one d before it. */
static bool gather_in_circle(const train_ranks *ranks, char *bytes, const int64_t *at)
{
    const int me = ranks->rank, size = ranks->size;
    for (int d = 1; d < size; d++) {
        const int to = (me + d) % size, from = (me + size - d) % size;
        if (!ranks->exchange(ranks->self, to, bytes + at[me], at[me + 1] - at[me], from, bytes + at[from],
                             at[from + 1] - at[from]))
            return false;
    }
    return true;
}

/* Groups of 1, 2, 4, ... ranks exchange what they have; for a number of ranks that is a power of two. */
static bool gather_by_doubling(const train_ranks *ranks, char *bytes, const int64_t *at)
{
    for (int group = 1; group < ranks->size; group *= 2) {
        const int other = ranks->rank ^ group, mine = ranks->rank & -group, theirs = other & -group;
        if (!ranks->exchange(ranks->self, other, bytes + at[mine], at[mine + group] - at[mine], other,
                             bytes + at[theirs], at[theirs + group] - at[theirs]))
            return false;
    }
    return true;
}

bool train__gather(const train_ranks *ranks, void *data, const int64_t *at)
{
    return (train__is_power_of_two(ranks->size) ? gather_by_doubling : gather_in_circle)(ranks, data, at);
}

bool train__gather_parts(const train_ranks *ranks, void *data, int64_t count, size_t size)
{
    int64_t at[TRAIN_MAX_RANKS + 1];
    for (int i = 0; i <= ranks->size; i++)
        at[i] = train__part(count, ranks->size, i) * (int64_t)size;
    return train__gather(ranks, data, at);
}

bool train__gather_from(const train_ranks *ranks, int rank, void *data, int64_t size)
{
    int64_t at[TRAIN_MAX_RANKS + 1];
    for (int i = 0; i <= ranks->size; i++)
        at[i] = i > rank ? size : 0;
    return train__gather(ranks, data, at);
}

bool train__unreachable(tl_error *why)
{
    return tl_fail(why, "another rank cannot be reached any more");
}

/* ---- Agreement. ---- */

typedef struct word {
    int32_t failed, stop;
} word;

/* The reason of the first rank that failed, for all that did not. */
static bool share_reason(const train_ranks *ranks, const word *words, tl_error *why)
{
    tl_error reason = {""};
    int      rank = 0;
    while (!words[rank].failed)
        rank++;
    if (rank == ranks->rank && why)
        reason = *why;
    if (!train__gather_from(ranks, rank, &reason, sizeof reason))
        return train__unreachable(why);
    reason.text[sizeof reason.text - 1] = '\0';
    return words[ranks->rank].failed ? false : tl_fail(why, "rank %d: %s", rank, reason.text);
}

bool train__agree(const train_ranks *ranks, bool ok, bool *stop, tl_error *why)
{
    word words[TRAIN_MAX_RANKS];
    if (ranks->size == 1)
        return ok;
    words[ranks->rank] = (word){!ok, *stop};
    if (!train__gather_parts(ranks, words, ranks->size, sizeof *words))
        return train__unreachable(why);
    for (int i = 0; i < ranks->size; i++) {
        *stop = *stop || words[i].stop;
        ok = ok && !words[i].failed;
    }
    return ok || share_reason(ranks, words, why);
}
