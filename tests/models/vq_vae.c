/* Codebooks, the codes made of them, and the distribution over grids of symbols. */
#include "models/vq_vae.h"

#include <math.h>
#include <string.h>

#include "models/pixel_cnn.h"
#include "tests/test.h"

enum { VECTORS = 3, SIZE = 2 };

static codebook *book_of(bool averages)
{
    static const ag_real vectors[] = {0, 0, 4, 0, 0, 2};
    codebook            *m = (codebook *)codebook_new(VECTORS, SIZE, averages);
    cr_assert(!nn_error(&m->base), "%s", nn_error(&m->base));
    nn_reset_parameters(&m->base, 1);
    memcpy((averages ? m->sum : m->weight)->data, vectors, sizeof vectors);
    return m;
}

Test(codebook, the_nearest_and_of_equals_the_first)
{
    static const ag_real z[] = {3, 1, -1, -9, 2, 0, 0, 1, -5, 3}, wanted[] = {1, 0, 0, 0, 2};
    for (int averages = 0; averages < 2; averages++) {
        codebook  *m = book_of(averages);
        ag_tape   *tape = ag_tape_new(1);
        ag_tensor *x = ag_input(tape, AG_SHAPE(5, SIZE), z), *index = codebook_nearest(m, x);
        cr_assert(!ag_error(tape), "%s", ag_error(tape));
        for (int i = 0; i < 5; i++)
            cr_expect((int)index->data[i] == (int)wanted[i], "row %d: %g", i, (double)index->data[i]);
        ag_tensor *y = nn_forward(&m->base, x);
        cr_expect(fabs((double)y->data[0] - 4) < 1e-4 && fabs((double)y->data[9] - 2) < 1e-4);
        nn_module_free(&m->base);
        ag_tape_free(tape);
    }
}

/* m becomes decay m + (1 - decay) tally, and a vector its sum over its count. */
Test(codebook, averages_move)
{
    static const ag_real z[] = {3, 1, 5, 1, -1, -1};
    codebook            *m = book_of(true);
    ag_tape             *tape = ag_tape_new(1);
    nn_optimizer        *sgd = nn_sgd(&m->base, (nn_sgd_options){.lr = 0.25, .weight_decay = 1});
    ag_tensor           *x = ag_input(tape, AG_SHAPE(3, SIZE), z);
    ag_tensor           *tally = codebook_tally(x, codebook_nearest(m, x), VECTORS);
    nn_zero_grad(&m->base);
    cr_assert(ag_backward(codebook_loss(m, tally)) && nn_step(sgd, tape), "%s", ag_error(tape));
    const double counts[] = {0.75 + 0.25, 0.75 + 0.5, 0.75}, sums[] = {-0.25, -0.25, 3 + 2, 0.5, 0, 1.5};
    for (int i = 0; i < VECTORS; i++)
        cr_expect(fabs((double)m->count->data[i] - counts[i]) < 1e-6, "count %d: %g", i, (double)m->count->data[i]);
    for (int i = 0; i < VECTORS * SIZE; i++)
        cr_expect(fabs((double)m->sum->data[i] - sums[i]) < 1e-6, "sum %d: %g", i, (double)m->sum->data[i]);
    ag_tape_reset(tape);
    ag_tensor *e = codebook_vectors(m, tape);
    cr_expect(fabs((double)e->data[2] - 4) < 1e-3 && fabs((double)e->data[5] - 2) < 1e-3);
    nn_optimizer_free(sgd);
    nn_module_free(&m->base);
    ag_tape_free(tape);
}

Test(codebook, bad_input)
{
    ag_tape   *tape = ag_tape_new(1);
    nn_module *none = codebook_new(0, 4, true);
    cr_expect(strstr(nn_error(none), "0 vectors of 4 numbers"), "%s", nn_error(none));
    cr_expect(ag_tensor_error(codebook_nearest((codebook *)none, ag_zeros(tape, AG_SHAPE(3, 4)))));
    nn_module_free(none);
    ag_tape_reset(tape);
    codebook *m = book_of(false);
    cr_expect(ag_tensor_error(codebook_nearest(m, ag_zeros(tape, AG_SHAPE(3, 5)))));
    ag_tape_reset(tape);
    codebook_loss(m, ag_zeros(tape, AG_SHAPE(VECTORS, 1 + SIZE)));
    cr_expect(ag_error(tape) && strstr(ag_error(tape), "no averages"), "%s", ag_error(tape));
    ag_tape_reset(tape);
    cr_expect(ag_tensor_error(codebook_lookup(m, ag_fail(tape, "before"))));
    nn_module_free(&m->base);
    ag_tape_free(tape);
}

Test(vq_vae, codes_give_the_reconstruction)
{
    vq_vae *m = vq_vae_new((vq_vae_config){8, 12, 4, 5, 6, 3, false});
    cr_assert(m && !nn_error(&m->base), "%s", nn_error(&m->base));
    nn_reset_parameters(&m->base, 2);
    ag_tape      *tape = ag_tape_new(1);
    ag_tensor    *x = random_input(tape, AG_SHAPE(4, 96), 3);
    vq_vae_output o = vq_vae_forward(m, x);
    ag_tensor    *index = vq_vae_encode(m, x), *y = vq_vae_decode(m, index);
    cr_assert(!ag_error(tape), "%s", ag_error(tape));
    cr_assert(vq_vae_places(m) == 6 && index->shape.dim[1] == 6 && y->shape.dim[1] == 96);
    for (int i = 0; i < 4 * 96; i++)
        cr_assert(fabs((double)y->data[i] - (double)o.reconstruction->data[i]) < 1e-5);
    const ag_tensor *even = ag_input(tape, AG_SHAPE(4), (const ag_real[]){0, 5, 3, 4});
    cr_expect(fabs(vq_vae_perplexity(even, 6) - 4) < 1e-9 &&
              fabs(vq_vae_perplexity(ag_zeros(tape, AG_SHAPE(9)), 6) - 1) < 1e-9);
    nn_module_free(&m->base);
    ag_tape_free(tape);
    m = vq_vae_new((vq_vae_config){28, 30, 4, 5, 6, 3, false});
    cr_expect(m && strstr(nn_error(&m->base), "28 x 30, expected multiples of 4"), "%s", nn_error(&m->base));
    nn_module_free(&m->base);
}

/* ---- The prior. ---- */

static pixel_cnn *prior_of(int64_t height, int64_t width, int64_t symbols)
{
    pixel_cnn *m = pixel_cnn_new((pixel_cnn_config){height, width, symbols, 6, 2});
    cr_assert(m && !nn_error(&m->base), "%s", nn_error(&m->base));
    nn_reset_parameters(&m->base, 4);
    return m;
}

/* Another symbol at one place changes the logits of later places alone, those beside and below it among them. */
Test(pixel_cnn, a_place_depends_on_what_comes_before)
{
    enum { SIDE = 4, PLACES = SIDE * SIDE, SYMBOLS = 5 };
    pixel_cnn *m = prior_of(SIDE, SIDE, SYMBOLS);
    ag_tape   *tape = ag_tape_new(1);
    for (int at = 0; at < PLACES; at++) {
        ag_tape_reset(tape);
        ag_tensor *a = ag_zeros(tape, AG_SHAPE(1, SIDE, SIDE)), *b = ag_zeros(tape, AG_SHAPE(1, SIDE, SIDE));
        b->data[at] = 3;
        ag_tensor *x = pixel_cnn_forward(m, a), *y = pixel_cnn_forward(m, b);
        cr_assert(!ag_error(tape), "%s", ag_error(tape));
        for (int i = 0; i < PLACES; i++) {
            bool same = true;
            for (int s = 0; s < SYMBOLS; s++)
                same = same && memcmp(&x->data[s * PLACES + i], &y->data[s * PLACES + i], sizeof(ag_real)) == 0;
            cr_expect(i > at || same, "place %d depends on %d", i, at);
            const bool beside = i % SIDE && i == at + 1, below = i == at + SIDE;
            cr_expect(!(beside || below) || !same, "place %d does not depend on %d", i, at);
        }
    }
    nn_module_free(&m->base);
    ag_tape_free(tape);
}

/* The first place's symbols are as frequent as its logits say, and so are the second's after each of these; one seed,
 * one sample. */
Test(pixel_cnn, samples_are_of_its_distribution)
{
    enum { N = 6000, SYMBOLS = 3 };
    pixel_cnn *m = prior_of(1, 2, SYMBOLS);
    ag_tensor *weight = nn_parameter_named(&m->base, "output.3.weight");
    ag_tape   *tape = ag_tape_new(1), *again = ag_tape_new(1);
    int        first[SYMBOLS] = {0}, both[SYMBOLS][SYMBOLS] = {{0}};
    for (int i = 0; i < ag_numel(&weight->shape); i++)
        weight->data[i] *= 10; /* far from even */
    ag_tensor *x = pixel_cnn_sample(m, tape, N), *y = pixel_cnn_sample(m, again, N);
    cr_assert(!ag_error(tape) && !ag_error(again), "%s", ag_error(tape));
    for (int i = 0; i < N; i++) {
        const int a = (int)x->data[2 * i], b = (int)x->data[2 * i + 1];
        cr_assert(a == (int)y->data[2 * i] && b == (int)y->data[2 * i + 1]);
        first[a]++;
        both[a][b]++;
    }
    const ag_real    each[] = {0, 0, 1, 0, 2, 0};
    const ag_tensor *p = ag_softmax(pixel_cnn_forward(m, ag_input(tape, AG_SHAPE(SYMBOLS, 1, 2), each)), 1);
    for (int a = 0; a < SYMBOLS; a++) {
        const ag_real *of = p->data + 2 * SYMBOLS * a; /* (symbol, place) after symbol a */
        cr_expect(fabs((double)first[a] / N - (double)of[2 * a]) < 0.03, "%d: %d of %d, expected %g", a, first[a], N,
                  (double)of[2 * a]);
        for (int b = 0; b < SYMBOLS && first[a] > 300; b++)
            cr_expect(fabs((double)both[a][b] / first[a] - (double)of[2 * b + 1]) < 0.06,
                      "%d after %d: %d, expected %g", b, a, both[a][b], (double)of[2 * b + 1]);
    }
    cr_expect(ag_tensor_error(pixel_cnn_sample(m, tape, -1)));
    nn_module_free(&m->base);
    ag_tape_free(tape);
    ag_tape_free(again);
}
