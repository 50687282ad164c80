/* Trains an adversarial autoencoder, whose codes come to be distributed as a prior is, and shows how nearly they are;
 * with --labels the semi-supervised one, which learns to tell digits from few labels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/adversarial_ae.h"
#include "models/mlp_classifier.h"
#include "models/train/draw.h"
#include "models/train/few.h"
#include "models/train/image_program.h"
#include "tools/file.h"
#include "tools/text.h"

enum { AUTOENCODER, DISCRIMINATOR, GENERATOR, CLASSIFIER, OPTIMIZERS };

typedef struct aae_program {
    const char     *prior;
    int64_t         hidden, latent, labels;
    double          noise;
    bool            plain;
    train_few       few; /* with labels: the images whose labels are known */
    adversarial_ae *model;
    train_optimizer optimizer[OPTIMIZERS];
} aae_program;

static bool is_gaussian(const aae_program *p)
{
    return !strcmp(p->prior, "gaussian");
}

/* n classes, each as likely. */
static ag_tensor *draw_classes(ag_tape *tape, int64_t n)
{
    return ag_one_hot(ag_floor(ag_scale(ag_rand(tape, AG_SHAPE(n)), TRAIN_DIGITS)), TRAIN_DIGITS);
}

/* n draws from the prior; y: their classes, where it has them. */
static ag_tensor *draw_prior(const aae_program *p, ag_tape *tape, int64_t n, ag_tensor *y)
{
    if (p->labels > 0) {
        ag_tensor *classes = draw_classes(tape, n);
        return ag_concat(2, (ag_tensor *[]){classes, ag_randn(tape, AG_SHAPE(n, p->latent))}, 1);
    }
    return is_gaussian(p) ? ag_randn(tape, AG_SHAPE(n, p->latent)) : adversarial_ae_petals(tape, n, y);
}

/* The share of logits on the right side of 0, of both kinds. */
static double accuracy(const adversarial_ae_verdict *v)
{
    const int64_t n = ag_numel(&v->on_prior->shape);
    int64_t       right = 0;
    for (int64_t i = 0; i < n; i++)
        right += (v->on_prior->data[i] > 0) + (v->on_codes->data[i] < 0);
    return (double)right / (double)(2 * n);
}

/* Of the images whose labels are known, with noise; in a test, of the test images. */
static bool classify(aae_program *p, train_step *s)
{
    train_batch b;
    if (!train_load(s, &b) || (!train_is_test(s) && !train_few_draw(&p->few, train_tape(s), b.n, &b)))
        return false;
    ag_tensor *x = train_is_test(s) ? b.x : ag_add(b.x, ag_scale(ag_randn_like(b.x), p->noise));
    ag_tensor *logits = adversarial_ae_classify(p->model, x), *loss = ag_cross_entropy_loss(logits, b.y, AG_MEAN);
    train_report(s, "entropy", ag_scale(ag_detach(loss), (double)b.n));
    train_report_number(s, "error", (double)(b.n - mlp_classifier_correct(logits, b.y)));
    return train_minimize(s, loss, &p->optimizer[CLASSIFIER]);
}

/* Three passes over the same images: reconstruction, discriminator, generator; and one over images with labels. */
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
    return train_minimize(s, deceit, &p->optimizer[GENERATOR]) && (p->labels == 0 || classify(p, s));
}

static ag_tensor *encode(void *context, const train_batch *b)
{
    return adversarial_ae_encode(((aae_program *)context)->model, b->x);
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

/* A line for each number of the code: mean and deviation, the prior's, and the distance of the two. a, b (width, n).
 */
static void write_distances(FILE *f, int64_t width, int64_t n, double *a, double *b)
{
    fputs("number,mean,deviation,prior_mean,prior_deviation,ks\n", f);
    for (int64_t k = 0; k < width; k++, a += n, b += n) {
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
    const int64_t n = m->test.count, width = m->code, most = 500;
    double       *codes = malloc((size_t)(2 * n * width) * sizeof *codes), *draws = codes + n * width;
    char          path[4200];
    tl_output     out;
    if (!codes)
        return tl_fail(why, "out of memory");
    bool ok = true;
    for (int64_t first = 0; ok && first < n; first += most) {
        train_batch b = train_test_images(m, first, most);
        ag_tensor  *z = encode((void *)p, &b);
        ok = !ag_error(b.x->tape) || tl_fail(why, "%s", ag_error(b.x->tape));
        for (int64_t i = 0; ok && i < b.n * width; i++)
            codes[i % width * n + first + i / width] = (double)z->data[i];
    }
    ag_tensor *z = draw_prior(p, train_image_tape(m), n, NULL);
    ok = ok && (!ag_error(m->job->run.tape) || tl_fail(why, "%s", ag_error(m->job->run.tape)));
    for (int64_t i = 0; ok && i < n * width; i++)
        draws[i % width * n + i / width] = (double)z->data[i];
    ok = ok && train_folder_file(&m->job->folder, "prior.csv", path, sizeof path, why) &&
         tl_output_open(&out, path, why);
    if (ok) {
        write_distances(out.stream, width, n, codes, draws);
        ok = tl_output_close(&out, why);
    }
    free(codes);
    return ok;
}

/* Each row is a style, each column a digit: what the code says of one is not said by the other. */
static bool draw_styles(aae_program *p, train_images *m, tl_error *why)
{
    ag_tape      *tape = train_image_tape(m);
    const int64_t n = 12 * TRAIN_DIGITS;
    ag_tensor    *digit = ag_zeros(tape, AG_SHAPE(n)), *style = ag_zeros(tape, AG_SHAPE(n));
    for (int64_t i = 0; i < n && !ag_error(tape); i++) {
        digit->data[i] = (ag_real)(i % TRAIN_DIGITS);
        style->data[i] = (ag_real)(i / TRAIN_DIGITS);
    }
    ag_tensor *z = ag_embedding(style, ag_randn(tape, AG_SHAPE(n / TRAIN_DIGITS, p->latent)));
    ag_tensor *images = decode(p, ag_concat(2, (ag_tensor *[]){ag_one_hot(digit, TRAIN_DIGITS), z}, 1));
    return train_draw_rows(m, "styles.png", &(tl_labels){"a style for each row", 0, TRAIN_DIGITS, NULL, train_digits},
                           1, &images, TRAIN_DIGITS, why);
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    aae_program *p = context;
    return train_draw_reconstructions(m, why) && (p->labels == 0 || draw_styles(p, m, why)) &&
           train_draw_grid(m, "samples.png", "decoded from codes drawn from the prior",
                           decode(p, sample(p, train_image_tape(m), 128)), 16, why) &&
           (m->code != 2 || train_draw_manifold(m, why)) && compare_with_prior(p, m, why);
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    const aae_program *p = context;
    return p->plain ? "plain" : p->labels > 0 ? "labels" : is_gaussian(p) ? NULL : p->prior;
}

static void defaults(void *context, train_options *o, train_image_use *use)
{
    aae_program *p = context;
    (void)use;
    o->batch = 100;
    o->epochs = 50;
    o->lr = 2e-4;
    p->latent = p->labels > 0 ? 10 : is_gaussian(p) ? 8 : 2;
    if (p->labels > 0)
        o->schedule = "linear";
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    const aae_program *p = context;
    if (p->labels % TRAIN_DIGITS)
        return tl_fail(why, "--labels: expected a multiple of ten, as many of each digit");
    if (p->labels > 0 && (p->plain || !is_gaussian(p)))
        return tl_fail(why, "--labels: only with the gaussian prior, and not with --plain");
    if (p->labels == 0 && train_given(job, "noise"))
        return tl_fail(why, "--noise: only with --labels");
    return is_gaussian(p) || p->latent == 2 || !train_given(job, "latent") ||
           tl_fail(why, "--latent: the %s prior has two numbers", p->prior);
}

static bool build(void *context, train_images *m, tl_error *why)
{
    static const char *const names[] = {"autoencoder", "discriminator", "generator", "classifier"};
    aae_program             *p = context;
    const int64_t            classes = strcmp(p->prior, "labelled") ? 0 : 10;
    nn_adam_options          adam = nn_adam_defaults(m->job->options.lr);
    const int64_t            labels = p->labels > 0 ? TRAIN_DIGITS : 0;
    adam.beta1 = 0.5;
    m->code = labels + p->latent;
    m->classes = labels;
    p->model = adversarial_ae_new((adversarial_ae_config){m->height * m->width, p->hidden, p->latent, classes, labels});
    m->job->plan.model = (nn_module *)p->model;
    if (!p->model)
        return tl_fail(why, "out of memory");
    if (labels > 0 && !train_few_choose(&p->few, m, p->labels, why))
        return false;
    nn_module *const parts[] = {p->model->autoencoder, p->model->discriminator, p->model->encoder, p->model->encoder};
    m->job->plan.n_optimizers = p->plain ? 1 : labels > 0 ? OPTIMIZERS : CLASSIFIER;
    for (int i = 0; i < m->job->plan.n_optimizers; i++)
        p->optimizer[i] = (train_optimizer){names[i], parts[i], nn_adam(parts[i], adam)};
    m->job->plan.optimizers = p->optimizer;
    return true;
}

int main(int argc, char **argv)
{
    aae_program p = {.prior = "gaussian", .hidden = 1000, .latent = 8, .noise = 0.3};
    tl_option   options[] = {
          {"prior", TL_TEXT, &p.prior, 0, 0, "gaussian|mixture|labelled",
           "N(0, 1); ten 2-D Gaussians; the same, one for each digit", false},
          {"hidden", TL_INT, &p.hidden, 1, 1e5, "N", "units of each hidden layer", false},
          {"latent", TL_INT, &p.latent, 1, 1e4, "N", "numbers in the code, of the gaussian prior", false},
          {"labels", TL_INT, &p.labels, 0, 1e6, "N",
           "a code says the digit, too, which is learnt from N labelled images; with 0 it does not", false},
          {"noise", TL_REAL, &p.noise, 0, 10, "X", "deviation of what is added to labelled pixels", false},
          {"plain", TL_FLAG, &p.plain, 0, 0, NULL, "no adversary: only an autoencoder, to compare with", false},
          TL_OPTIONS_END,
    };
    const int status = train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "adversarial_ae_mnist",
            .about =
                "Trains an adversarial autoencoder on images of digits: its codes are trained to follow a prior distribution.\n"
                "metrics.csv has the reconstruction's loss, the discriminator's and the generator's, and the\n"
                "discriminator's accuracy; prior.csv how far the codes are from the prior. With --labels, an error is\n"
                "the share of images taken for another digit.",
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
    train_few_free(&p.few);
    return status;
}
