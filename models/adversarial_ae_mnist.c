/* Trains an adversarial autoencoder, whose codes come to be distributed as a prior is, and shows how nearly they are.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/adversarial_ae.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "tools/file.h"
#include "tools/text.h"

enum { AUTOENCODER, DISCRIMINATOR, GENERATOR, OPTIMIZERS };

typedef struct aae_program {
    const char     *prior;
    int64_t         hidden, latent;
    bool            plain;
    adversarial_ae *model;
    train_optimizer optimizer[OPTIMIZERS];
} aae_program;

static bool is_gaussian(const aae_program *p)
{
    return !strcmp(p->prior, "gaussian");
}

/* n draws from the prior; y: their classes, where it has them. */
static ag_tensor *draw_prior(const aae_program *p, ag_tape *tape, int64_t n, ag_tensor *y)
{
    return is_gaussian(p) ? ag_randn(tape, AG_SHAPE(n, p->latent)) : adversarial_ae_petals(tape, n, y);
}

/* The share of logits on the right side of 0, of both kinds. */
static double accuracy(const adversarial_ae_verdict *v)
{
    int64_t right = 0, n = ag_numel(&v->on_prior->shape);
    for (int64_t i = 0; i < n; i++)
        right += (v->on_prior->data[i] > 0) + (v->on_codes->data[i] < 0);
    return (double)right / (double)(2 * n);
}

/* Three passes over the same images: reconstruction, discriminator, generator. */
static bool step(void *context, train_step *s)
{
    aae_program *p = context;
    train_batch  b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *reconstruction = adversarial_ae_reconstruction(p->model, b.x);
    train_report(s, "loss", ag_scale(ag_detach(reconstruction), (double)b.n));
    if (!train_minimize(s, reconstruction, &p->optimizer[AUTOENCODER]) || p->plain)
        return !ag_error(train_tape(s));
    if (!train_load(s, &b))
        return false;
    ag_tensor             *y = p->model->config.classes > 0 ? b.y : NULL;
    adversarial_ae_verdict v = adversarial_ae_judge(p->model, b.x, y, draw_prior(p, train_tape(s), b.n, y));
    train_report(s, "discriminator", ag_scale(ag_detach(v.loss), (double)b.n));
    if (ag_error(train_tape(s)))
        return false;
    train_report_number(s, "accuracy", accuracy(&v) * (double)b.n);
    if (!train_minimize(s, v.loss, &p->optimizer[DISCRIMINATOR]) || !train_load(s, &b))
        return false;
    ag_tensor *deceit = adversarial_ae_deceive(p->model, b.x, p->model->config.classes > 0 ? b.y : NULL);
    train_report(s, "generator", ag_scale(ag_detach(deceit), (double)b.n));
    return train_minimize(s, deceit, &p->optimizer[GENERATOR]);
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    return nn_forward(((aae_program *)context)->model->encoder, b->x);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    return ag_sigmoid(nn_forward(((aae_program *)context)->model->decoder, code));
}

static ag_tensor *sample(void *context, ag_tape *tape, int64_t n)
{
    return draw_prior(context, tape, n, NULL);
}

/* ---- How far the codes are from the prior. ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest distance between the distribution functions of two sorted samples: Kolmogorov and Smirnov's. */
static double largest_distance(int64_t n, const double *a, const double *b)
{
    double  most = 0;
    int64_t i = 0, k = 0;
    while (i < n && k < n) {
        const double next = a[i] < b[k] ? a[i] : b[k];
        while (i < n && a[i] <= next)
            i++;
        while (k < n && b[k] <= next)
            k++;
        most = fmax(most, fabs((double)(i - k)) / (double)n);
    }
    return most;
}

static void moments(int64_t n, const double *x, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    *mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (x[i] - *mean) * (x[i] - *mean);
    *deviation = sqrt(squares / (double)n);
}

/* A line for each number of the code: mean and deviation, the prior's, and the distance of the two. a, b (latent, n).
 */
static void write_distances(FILE *f, const aae_program *p, int64_t n, double *a, double *b)
{
    fputs("number,mean,deviation,prior_mean,prior_deviation,ks\n", f);
    for (int64_t k = 0; k < p->latent; k++, a += n, b += n) {
        double mean[2], deviation[2];
        moments(n, a, &mean[0], &deviation[0]);
        moments(n, b, &mean[1], &deviation[1]);
        qsort(a, (size_t)n, sizeof *a, by_value);
        qsort(b, (size_t)n, sizeof *b, by_value);
        fprintf(f, "%lld,%s,%s,", (long long)k + 1, TL_NUMBER(mean[0], 4), TL_NUMBER(deviation[0], 4));
        fprintf(f, "%s,%s,", TL_NUMBER(mean[1], 4), TL_NUMBER(deviation[1], 4));
        fprintf(f, "%s\n", TL_NUMBER(largest_distance(n, a, b), 4));
    }
}

/* prior.csv: of the test images' codes against as many draws of the prior. */
static bool compare_with_prior(const aae_program *p, train_images *m, tl_error *why)
{
    const int64_t n = m->test.count, most = 500;
    double       *codes = malloc((size_t)(2 * n * p->latent) * sizeof *codes), *draws = codes + n * p->latent;
    char          path[4200];
    tl_output     out;
    if (!codes)
        return tl_fail(why, "out of memory");
    bool ok = true;
    for (int64_t first = 0; ok && first < n; first += most) {
        train_batch b = train_test_images(m, first, most);
        ag_tensor  *z = encode((void *)p, &b);
        ok = !ag_error(b.x->tape) || tl_fail(why, "%s", ag_error(b.x->tape));
        for (int64_t i = 0; ok && i < b.n * p->latent; i++)
            codes[i % p->latent * n + first + i / p->latent] = (double)z->data[i];
    }
    ag_tensor *z = draw_prior(p, train_image_tape(m), n, NULL);
    ok = ok && (!ag_error(m->job->run.tape) || tl_fail(why, "%s", ag_error(m->job->run.tape)));
    for (int64_t i = 0; ok && i < n * p->latent; i++)
        draws[i % p->latent * n + i / p->latent] = (double)z->data[i];
    ok = ok && train_folder_file(&m->job->folder, "prior.csv", path, sizeof path, why) &&
         tl_output_open(&out, path, why);
    if (ok) {
        write_distances(out.stream, p, n, codes, draws);
        ok = tl_output_close(&out, why);
    }
    free(codes);
    return ok;
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    aae_program *p = context;
    return train_draw_reconstructions(m, why) &&
           train_draw_grid(m, "samples.png", "decoded from codes drawn from the prior",
                           decode(p, sample(p, train_image_tape(m), 128)), 16, why) &&
           (p->latent != 2 || train_draw_manifold(m, why)) && compare_with_prior(p, m, why);
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    const aae_program *p = context;
    return p->plain ? "plain" : is_gaussian(p) ? NULL : p->prior;
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    aae_program *p = context;
    (void)use;
    o->batch = 100;
    o->epochs = 50;
    o->lr = 2e-4;
    p->latent = is_gaussian(p) ? 8 : 2;
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    const aae_program *p = context;
    return is_gaussian(p) || p->latent == 2 || !train_given(job, "latent") ||
           tl_fail(why, "--latent: the %s prior has two numbers", p->prior);
}

static bool build(void *context, train_images *m, tl_error *why)
{
    static const char *const names[] = {"autoencoder", "discriminator", "generator"};
    aae_program             *p = context;
    const int64_t            classes = strcmp(p->prior, "labelled") ? 0 : 10;
    nn_adam_options          adam = nn_adam_defaults(m->job->options.lr);
    (void)why;
    adam.beta1 = 0.5;
    m->code = p->latent;
    p->model = adversarial_ae_new((adversarial_ae_config){m->height * m->width, p->hidden, p->latent, classes});
    m->job->plan.model = (nn_module *)p->model;
    if (!p->model)
        return tl_fail(why, "out of memory");
    nn_module *const parts[] = {p->model->autoencoder, p->model->discriminator, p->model->encoder};
    m->job->plan.n_optimizers = p->plain ? 1 : OPTIMIZERS;
    for (int i = 0; i < m->job->plan.n_optimizers; i++)
        p->optimizer[i] = (train_optimizer){names[i], parts[i], nn_adam(parts[i], adam)};
    m->job->plan.optimizers = p->optimizer;
    return true;
}

int main(int argc, char **argv)
{
    aae_program p = {.prior = "gaussian", .hidden = 1000, .latent = 8};
    tl_option   options[] = {
          {"prior", TL_TEXT, &p.prior, 0, 0, "gaussian|mixture|labelled",
           "N(0, 1); ten 2-D Gaussians; the same, one for each digit", false},
          {"hidden", TL_INT, &p.hidden, 1, 1e5, "N", "units of each hidden layer", false},
          {"latent", TL_INT, &p.latent, 1, 1e4, "N", "numbers in the code, of the gaussian prior", false},
          {"plain", TL_FLAG, &p.plain, 0, 0, NULL, "no adversary: only an autoencoder, to compare with", false},
          TL_OPTIONS_END,
    };
    return train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "adversarial_ae_mnist",
            .about =
                "Trains an adversarial autoencoder on images of digits: its codes come to be distributed as a prior is.\n"
                "metrics.csv has the reconstruction's loss, the discriminator's and the generator's, and the\n"
                "discriminator's accuracy; prior.csv how far the codes are from the prior.",
            .options = options,
            .variant = variant,
            .defaults = defaults,
            .check = check,
            .build = build,
            .step = step,
            .draw = draw,
            .encode = encode,
            .decode = decode,
            .sample = sample,
            .context = &p});
}
