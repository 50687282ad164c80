/* Flows: what depends on what, their determinants, and the bound. */
#include "models/flow_vae.h"

#include <math.h>

#include "tests/test.h"

enum { SIZE = 5, HIDDEN = 12, CONTEXT = 3, N = 2 };

static ag_tensor *of_output(masked_ar_output o, bool gate)
{
    return gate ? o.gate : o.mean;
}

/* d output i / d input k is zero unless k comes before i, and some of the others are not. */
static void check_order(bool reversed, bool gate)
{
    masked_ar *m = masked_ar_new(SIZE, HIDDEN, CONTEXT, reversed);
    ag_tape   *tape = ag_tape_new(1);
    cr_assert(m && !nn_error(&m->base));
    nn_reset_parameters(&m->base, 3);
    for (int i = 0; i < SIZE; i++) {
        ag_tape_reset(tape);
        ag_tensor *x = ag_requires_grad(random_input(tape, AG_SHAPE(1, SIZE), 4));
        ag_tensor *y = of_output(masked_ar_forward(m, x, random_input(tape, AG_SHAPE(1, CONTEXT), 5)), gate);
        cr_assert(ag_backward(ag_sum(ag_slice(y, 1, i, i + 1), AG_ALL, false)), "%s", ag_error(tape));
        const int before = reversed ? SIZE - 1 - i : i;
        int       seen = 0;
        for (int k = 0; k < SIZE; k++) {
            const bool allowed = reversed ? k > i : k < i, flows = x->grad && fabs((double)x->grad[k]) > 0;
            cr_expect(allowed || !flows, "output %d depends on input %d", i, k);
            seen += flows;
        }
        cr_expect(before == 0 || seen > 0, "output %d depends on nothing", i);
    }
    nn_module_free(&m->base);
    ag_tape_free(tape);
}

Test(masked_ar, an_output_depends_on_what_comes_before)
{
    for (int i = 0; i < 4; i++)
        check_order(i / 2, i % 2);
}

static flow_vae *model_with(int64_t flows, bool planar)
{
    flow_vae *m = flow_vae_new((flow_vae_config){8, HIDDEN, 2, SIZE, flows, planar});
    cr_assert(m && !nn_error(&m->base), "%s", nn_error(&m->base));
    nn_reset_parameters(&m->base, 6);
    return m;
}

static flow_vae *model(int64_t flows)
{
    return model_with(flows, false);
}

/* The determinant of a matrix, by elimination. */
static double determinant(double a[SIZE][SIZE])
{
    double d = 1;
    for (int i = 0; i < SIZE; i++) {
        int most = i;
        for (int r = i; r < SIZE; r++)
            most = fabs(a[r][i]) > fabs(a[most][i]) ? r : most;
        for (int k = 0; k < SIZE && most != i; k++) {
            const double t = a[i][k];
            a[i][k] = a[most][k];
            a[most][k] = t;
        }
        d *= most == i ? a[i][i] : -a[i][i];
        for (int r = i + 1; r < SIZE; r++)
            for (int k = SIZE - 1; k >= i; k--)
                a[r][k] -= a[r][i] / a[i][i] * a[i][k];
    }
    return d;
}

/* The Jacobian row by row, by backward. */
static void check_log_det(bool planar)
{
    flow_vae *m = model_with(3, planar);
    ag_tape  *tape = ag_tape_new(1);
    double    jacobian[SIZE][SIZE], log_det = 0;
    for (int i = 0; i < SIZE; i++) {
        ag_tensor *total, *z0, *z;
        ag_tape_reset(tape);
        z0 = ag_requires_grad(random_input(tape, AG_SHAPE(1, SIZE), 7));
        z = flow_vae_carry(m, z0, random_input(tape, AG_SHAPE(1, HIDDEN), 8), &total);
        log_det = ag_item(total);
        cr_assert(ag_backward(ag_sum(ag_slice(z, 1, i, i + 1), AG_ALL, false)), "%s", ag_error(tape));
        for (int k = 0; k < SIZE; k++)
            jacobian[i][k] = (double)z0->grad[k];
    }
    cr_expect(fabs(log(fabs(determinant(jacobian))) - log_det) < 1e-5, "%g, expected %g", log_det,
              log(fabs(determinant(jacobian))));
    nn_module_free(&m->base);
    ag_tape_free(tape);
}

Test(flow_vae, log_det_is_that_of_the_jacobian)
{
    check_log_det(false);
    check_log_det(true);
}

/* Many samples of one example have the mean of single ones; more flows change it. */
Test(flow_vae, weights_of_many_samples)
{
    for (int flows = 0; flows < 5; flows++) {
        flow_vae  *m = flows < 3 ? model(flows) : model_with(flows, true);
        ag_tape   *tape = ag_tape_new(2);
        ag_tensor *x = ag_zeros(tape, AG_SHAPE(N, 8));
        x->data[0] = x->data[9] = 1;
        ag_tensor   *many = flow_vae_log_weights(m, x, 4000);
        const double mean = ag_item(ag_mean(many, AG_ALL, false));
        cr_assert(many->shape.rank == 2 && many->shape.dim[0] == N && many->shape.dim[1] == 4000, "%s", ag_error(tape));
        double sum = 0;
        for (int i = 0; i < 400; i++) {
            ag_tape_reset(tape);
            x = ag_zeros(tape, AG_SHAPE(N, 8));
            x->data[0] = x->data[9] = 1;
            sum -= ag_item(flow_vae_loss(m, x, 1).total) / 400;
        }
        cr_expect(fabs(sum - mean) < 0.3, "%d flows: %g, of many %g", flows, sum, mean);
        cr_expect(mean < 0, "the likelihood of binary images is below 1");
        nn_module_free(&m->base);
        ag_tape_free(tape);
    }
}

/* The loss is a straight line in beta; without the KL term it is the error of the reconstruction. */
Test(flow_vae, beta_weighs_the_divergence)
{
    flow_vae *m = model(2);
    double    loss[3], divergence = 0;
    for (int i = 0; i < 3; i++) {
        ag_tape        *tape = ag_tape_new(2);
        flow_vae_losses l = flow_vae_loss(m, ag_ones(tape, AG_SHAPE(N, 8)), i / 2.0);
        loss[i] = ag_item(l.total);
        divergence = ag_item(ag_mean(l.divergence, AG_ALL, false));
        ag_tape_free(tape);
    }
    cr_expect(fabs(loss[2] - loss[0] - divergence) < 1e-5, "%g, expected %g", loss[2] - loss[0], divergence);
    cr_expect(fabs(loss[0] - 2 * loss[1] + loss[2]) < 1e-5 && fabs(loss[0] - loss[2]) > 1e-3, "%g %g %g", loss[0],
              loss[1], loss[2]);
    ag_tape      *tape = ag_tape_new(2);
    ag_tensor    *x = ag_ones(tape, AG_SHAPE(N, 8));
    flow_vae_code q = flow_vae_encode(m, x);
    ag_tensor    *eps = ag_randn_like(q.mu);
    ag_tensor    *z = flow_vae_carry(m, ag_add(q.mu, ag_mul(q.deviation, eps)), q.context, NULL);
    const double  error = ag_item(ag_bce_with_logits_loss(flow_vae_decode(m, z), x, AG_SUM)) / N;
    cr_expect(fabs(loss[0] - error) < 1e-5, "%g, expected %g", loss[0], error);
    ag_tape_free(tape);
    nn_module_free(&m->base);
}

Test(flow_vae, bad_input)
{
    flow_vae *bad[] = {flow_vae_new((flow_vae_config){8, 4, 0, 3, 0, false}),
                       flow_vae_new((flow_vae_config){8, 4, 1, 3, FLOW_VAE_MOST_FLOWS + 1, false}),
                       flow_vae_new((flow_vae_config){8, 4, 1, 1, 1, false}),
                       flow_vae_new((flow_vae_config){0, 4, 1, 3, 0, false})};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect(nn_error(&bad[i]->base), "model %d", (int)i);
        nn_module_free(&bad[i]->base);
    }
    flow_vae *m = model(2);
    ag_tape  *tape = ag_tape_new(1);
    REFUSED("linear: input (2, 7) has 7 features", flow_vae_loss(m, ag_zeros(tape, AG_SHAPE(2, 7)), 1).total);
    REFUSED("flow_vae: 0 samples", flow_vae_log_weights(m, ag_zeros(tape, AG_SHAPE(2, 8)), 0));
    nn_module_free(&m->base);
    ag_tape_free(tape);
}
