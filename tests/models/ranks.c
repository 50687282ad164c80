/* Shards and ranks: the same weights, to the bit, for any number of ranks; what one rank meets, all are told. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/train/ranks_internal.h"
#include "models/train/reduce_internal.h"
#include "tests/support/ranks.h"
#include "tests/test.h"

/* ---- Blocks: nodes of the tree over all shards, whose sum does not depend on who has which. ---- */

Test(ranks, a_rank_has_the_largest_blocks_of_its_shards)
{
    train_block b[TRAIN_MAX_BLOCKS];
    for (int64_t shards = 1; shards <= 70; shards++)
        for (int64_t begin = 0; begin < shards; begin++)
            for (int64_t end = begin; end <= shards; end++) {
                int64_t   at = begin;
                const int n = train__blocks_of(begin, end, b);
                for (int i = 0; i < n; at += b[i++].size) {
                    cr_assert(b[i].first == at && (b[i].size & (b[i].size - 1)) == 0 && at % b[i].size == 0);
                    cr_assert(i == 0 || b[i - 1].size != b[i].size || b[i - 1].first % (2 * b[i].size),
                              "%d..%d: two blocks could be one", (int)begin, (int)end);
                }
                cr_assert(at == end, "%d..%d: the blocks end at %d", (int)begin, (int)end, (int)at);
            }
}

/* The first part has something to do wherever there is something: its shard keeps batch norm's statistics. */
Test(ranks, parts_share_everything_out)
{
    for (int64_t count = 0; count < 40; count++)
        for (int64_t n = 1; n < 20; n++) {
            cr_assert(train__part(count, n, 0) == 0 && train__part(count, n, n) == count);
            cr_assert(count == 0 || train__part(count, n, 1) > 0);
            for (int64_t i = 0; i < n; i++) {
                const int64_t size = train__part(count, n, i + 1) - train__part(count, n, i);
                cr_assert(size == count / n || size == count / n + 1);
            }
        }
}

/* ---- The same bits. ---- */

static void check_equal(const char *what, int ranks, const run_result *got, const run_result *wanted)
{
    for (int i = 0; i < ranks; i++) {
        cr_assert(got[i].status == wanted->status, "%s, rank %d of %d: %s", what, i, ranks, got[i].why.text);
        cr_assert(got[i].weights == wanted->weights, "%s, rank %d of %d: other weights", what, i, ranks);
        cr_assert(!strcmp(got[i].history, wanted->history), "%s, rank %d of %d: the history is\n%s, expected\n%s", what,
                  i, ranks, got[i].history, wanted->history);
    }
}

static const char *const kinds[RUN_KINDS] = {"plain", "gan", "tokens", "phases"};

/* RUN_TOKENS has dropout, RUN_GAN noise and two optimizers, RUN_PHASES three, batches of 9 and 20. */
Test(ranks, any_number_of_ranks_gives_the_same_bits)
{
    static const train_plan plans[] = {
        {.shards = 8}, {.shards = 7, .clip = 0.5}, {.shards = 3, .accumulate = 4, .warmup = 3}, {.accumulate = 8}};
    run_result wanted, got[MOST_RANKS];
    for (int kind = 0; kind < RUN_KINDS; kind++)
        for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
            small_run_of((run_kind)kind, &plans[i], NULL, NULL, -1, &wanted);
            cr_assert(wanted.status == TRAIN_OK, "%s: %s", kinds[kind], wanted.why.text);
            for (int ranks = 2; ranks <= (i == 0 ? 8 : 5); ranks++) {
                run_on_ranks((run_kind)kind, &plans[i], ranks, NULL, NULL, NULL, -1, got);
                check_equal(kinds[kind], ranks, got, &wanted);
            }
        }
}

/* Without random numbers, a batch in shards is the batch but for rounding: of sums, and of means of shards that have
 * not all the same size. */
Test(ranks, shards_add_up_to_the_batch)
{
    for (int mean = 0; mean < 2; mean++) {
        ag_real weights[2][7 * RUN_FEATURES];
        double  wanted[7 * RUN_FEATURES];
        for (int shards = 1; shards <= 4; shards += 3) {
            small_run  r;
            run_result result;
            small_run_open(&r, RUN_PLAIN);
            small_run_optimize(&r, nn_sgd(r.model, nn_sgd_defaults(mean ? 0.1 : 0.005)));
            r.reduction = mean ? AG_MEAN : AG_SUM;
            r.phase[0].sum_loss = !mean;
            r.plan.shards = shards;
            small_run_go(&r, NULL, NULL, -1, &result);
            cr_assert(result.status == TRAIN_OK, "%s", result.why.text);
            memcpy(weights[shards > 1], nn_parameter_named(r.model, "0.weight")->data, sizeof *weights);
            small_run_close(&r);
        }
        for (int i = 0; i < 7 * RUN_FEATURES; i++)
            wanted[i] = (double)weights[0][i];
        cr_assert(memcmp(weights[0], weights[1], sizeof *weights), "the shards were not computed apart");
        check_close(mean ? "mean" : "sum", 7 * RUN_FEATURES, weights[1], wanted, sizeof(ag_real) == 4 ? 1e-5 : 1e-13);
    }
}

/* Stopped on three ranks after each step and resumed on two, or alone. */
Test(ranks, resumes_on_another_number_of_ranks)
{
    const train_plan like = {.shards = 4};
    run_result       wanted, part[MOST_RANKS], whole[MOST_RANKS];
    char             path[256];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", scratch_folder());
    for (int kind = 0; kind < RUN_KINDS; kind++) {
        small_run_of((run_kind)kind, &like, NULL, NULL, -1, &wanted);
        for (int64_t k = 1; k < 8; k += 2) {
            run_on_ranks((run_kind)kind, &like, 3, NULL, path, NULL, k, part);
            cr_assert(part[0].status == TRAIN_STOPPED && part[2].status == TRAIN_STOPPED, "%s", part[0].why.text);
            run_on_ranks((run_kind)kind, &like, 2, NULL, NULL, path, -1, whole);
            check_equal(kinds[kind], 2, whole, &wanted);
            small_run_of((run_kind)kind, &like, NULL, path, -1, whole);
            check_equal(kinds[kind], 1, whole, &wanted);
        }
    }
}

/* ---- Batch norm: statistics of the shard; the buffers are those of the first. ---- */

static bool norm_step(void *context, train_step *s)
{
    small_run  *r = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *loss = ag_mse_loss(nn_forward(r->model, b.x), b.y, AG_MEAN);
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    return train_minimize(s, loss, &r->optimizer[0]);
}

static void use_batch_norm(small_run *r, int rank)
{
    (void)rank;
    nn_optimizer_free(r->optimizer[0].optimizer);
    nn_module_free(r->model);
    r->model = nn_sequential(nn_linear(RUN_FEATURES, 7), nn_batch_norm1d(7), nn_tanh(), nn_linear(7, RUN_TARGETS));
    nn_reset_parameters(r->model, 2);
    r->plan.model = r->model;
    r->optimizer[0] = (train_optimizer){"adam", r->model, nn_adam(r->model, nn_adam_defaults(0.01))};
    r->phase[0].step = norm_step;
    r->phase[0].sum_loss = false;
    r->phase[0].batch = 12;
}

Test(ranks, batch_norm_keeps_the_statistics_of_the_first_shard)
{
    const train_plan like = {.shards = 4};
    run_result       wanted, got[MOST_RANKS];
    small_run        r;
    small_run_open(&r, RUN_PLAIN);
    small_run_like(&r, &like);
    use_batch_norm(&r, 0);
    small_run_go(&r, NULL, NULL, -1, &wanted);
    cr_assert(wanted.status == TRAIN_OK, "%s", wanted.why.text);
    const ag_real seen = nn_parameter_named(r.model, "1.num_batches_tracked")->data[0];
    cr_assert((double)seen == 8, "%g batches, expected a step's worth: 8", (double)seen);
    small_run_close(&r);
    for (int ranks = 2; ranks <= 4; ranks++) {
        run_on_ranks(RUN_PLAIN, &like, ranks, use_batch_norm, NULL, NULL, -1, got);
        check_equal("batch norm", ranks, got, &wanted);
    }
}

/* Losses that depend on a buffer see it as the step began, whoever computed what before. */
static bool buffer_step(void *context, train_step *s)
{
    small_run  *r = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    const double seen = (double)nn_parameter_named(r->model, "1.running_mean")->data[0];
    ag_tensor   *loss = ag_scale(ag_mse_loss(nn_forward(r->model, b.x), b.y, AG_MEAN), 1 + seen * seen);
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    return train_minimize(s, loss, &r->optimizer[0]);
}

static void use_buffer(small_run *r, int rank)
{
    use_batch_norm(r, rank);
    r->phase[0].step = buffer_step;
}

/* The last layer is not reached in every sixth step, whose batch of 3 leaves most of 8 shards empty: a rank without a
 * shard must not go on with the gradient of the step before. */
static bool short_step(void *context, train_step *s)
{
    small_run  *r = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *h = nn_forward(nn_child_at(r->model, 0), b.x);
    ag_tensor *loss = train_step_number(s) % 6 == 5 ? ag_sum(ag_square(h), AG_ALL, false)
                                                    : ag_mse_loss(nn_forward(r->model, b.x), b.y, AG_SUM);
    train_report(s, "loss", loss);
    return train_minimize(s, loss, &r->optimizer[0]);
}

static void reach_less(small_run *r, int rank)
{
    (void)rank;
    r->phase[0].step = short_step;
}

Test(ranks, what_a_step_leaves_behind_does_not_show)
{
    void (*const changes[])(small_run *, int) = {use_buffer, reach_less};
    for (int i = 0; i < 2; i++) {
        const train_plan like = {.shards = i == 0 ? 4 : 8};
        run_result       wanted, got[MOST_RANKS];
        run_on_ranks(RUN_PLAIN, &like, 1, changes[i], NULL, NULL, -1, &wanted);
        cr_assert(wanted.status == TRAIN_OK, "%s", wanted.why.text);
        for (int ranks = 2; ranks <= (int)like.shards; ranks += 2) {
            run_on_ranks(RUN_PLAIN, &like, ranks, changes[i], NULL, NULL, -1, got);
            check_equal(i == 0 ? "buffer" : "less", ranks, got, &wanted);
        }
    }
}

/* ---- What one meets, all are told. ---- */

static bool fails_late(void *context, train_step *s)
{
    if (train_step_number(s) == 3) {
        ag_fail(train_tape(s), "out of luck");
        return false;
    }
    return norm_step(context, s);
}

static void fail_on_2(small_run *r, int rank)
{
    r->phase[0].step = rank == 2 ? fails_late : norm_step;
}

static bool refuses(void *self, train_run *run, const train_record *record)
{
    (void)self, (void)record;
    return tl_fail(&run->error, "the disk is full");
}

static void fail_to_write(small_run *r, int rank)
{
    static train_observer disk = {.epoch = refuses};
    if (rank == 0)
        r->observers[r->plan.n_observers++] = &disk;
}

static bool never_begins(void *context)
{
    (void)context;
    return false;
}

static void fail_to_begin(small_run *r, int rank)
{
    if (rank == 1)
        r->phase[0].begin = never_begins;
}

static void differ(small_run *r, int rank)
{
    if (rank == 3)
        nn_reset_parameters(r->model, 9);
}

Test(ranks, all_end_when_one_fails)
{
    static const struct {
        void (*change)(small_run *, int);
        int         rank;
        const char *own, *others;
    } cases[] = {{fail_on_2, 2, "step 4: out of luck", "rank 2: step 4: out of luck"},
                 {fail_to_write, 0, "the disk is full", "rank 0: the disk is full"},
                 {fail_to_begin, 1, "could not begin", "rank 1: train: could not begin"},
                 {differ, 3, "rank 3 has other weights", "rank 3 has other weights"}};
    const train_plan like = {.shards = 4};
    run_result       got[MOST_RANKS];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_on_ranks(RUN_PLAIN, &like, 4, cases[i].change, NULL, NULL, -1, got);
        for (int rank = 0; rank < 4; rank++) {
            const char *part = rank == cases[i].rank ? cases[i].own : cases[i].others;
            cr_assert(got[rank].status == TRAIN_FAILED && strstr(got[rank].why.text, part),
                      "case %d, rank %d: \"%s\", expected \"%s\"", (int)i, rank, got[rank].why.text, part);
        }
    }
}

/* The last rank is asked, and all stop after the same step. */
Test(ranks, all_stop_together)
{
    const train_plan like = {.shards = 4};
    run_result       got[MOST_RANKS];
    run_on_ranks(RUN_TOKENS, &like, 4, NULL, NULL, NULL, 5, got);
    for (int rank = 0; rank < 4; rank++)
        cr_assert(got[rank].status == TRAIN_STOPPED && got[rank].weights == got[0].weights, "rank %d", rank);
}

/* An exchange that cannot reach anybody ends the run. */
static bool reaches_nobody(void *self, int to, const void *sent, int64_t n_sent, int from, void *received,
                           int64_t n_received)
{
    (void)to, (void)sent, (void)n_sent, (void)from;
    memset(received, 0, (size_t)n_received);
    return ++*(int *)self < 4;
}

Test(ranks, a_lost_rank_ends_the_run)
{
    int         calls = 0;
    small_run   r;
    run_result  result;
    train_ranks ranks = {0, 2, reaches_nobody, &calls};
    small_run_open(&r, RUN_PLAIN);
    r.plan.shards = 2;
    r.plan.ranks = &ranks;
    small_run_go(&r, NULL, NULL, -1, &result);
    cr_assert(result.status == TRAIN_FAILED && *result.why.text, "a run without its other rank");
    small_run_close(&r);
}

/* ---- Plans that do not fit. ---- */

static void refuse(train_ranks ranks, int64_t shards, const char *part)
{
    small_run  r;
    run_result result;
    small_run_open(&r, RUN_PLAIN);
    r.plan.shards = shards;
    r.plan.ranks = &ranks;
    small_run_go(&r, NULL, NULL, -1, &result);
    cr_assert(result.status == TRAIN_FAILED && strstr(result.why.text, part), "\"%s\", expected \"%s\"",
              result.why.text, part);
    small_run_close(&r);
}

Test(ranks, wrong_plans_are_refused)
{
    int calls = 0;
    refuse((train_ranks){0, 4, reaches_nobody, &calls}, 3, "more ranks than shards");
    refuse((train_ranks){0, 2, NULL, NULL}, 4, "need an exchange");
    refuse((train_ranks){2, 2, reaches_nobody, &calls}, 4, "each with its number");
    refuse((train_ranks){0, 0, NULL, NULL}, 4, "1 to 1024");
    refuse((train_ranks){0, 1, NULL, NULL}, -1, "shards are 0 to 1024");
    refuse((train_ranks){0, 1, NULL, NULL}, 5000, "shards are 0 to 1024");
}

static bool minimizes_twice(void *context, train_step *s)
{
    return norm_step(context, s) && norm_step(context, s);
}

Test(ranks, an_optimizer_is_used_once_in_a_step_of_shards)
{
    small_run  r;
    run_result result;
    for (int shards = 1; shards <= 2; shards++) {
        small_run_open(&r, RUN_PLAIN);
        r.phase[0].step = minimizes_twice;
        r.plan.shards = shards;
        small_run_go(&r, NULL, NULL, -1, &result);
        cr_assert((result.status == TRAIN_OK) == (shards == 1) && (shards == 1 || strstr(result.why.text, "once")),
                  "%s", result.why.text);
        small_run_close(&r);
    }
}
