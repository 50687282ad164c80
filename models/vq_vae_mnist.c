/* Trains an autoencoder whose codes are grids of a codebook's vectors, then an autoregressive prior over such grids,
 * from which new images are drawn. */
#include <stdlib.h>
#include <string.h>

#include "models/pixel_cnn.h"
#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "models/vq_vae.h"
#include "tools/file.h"
#include "tools/memory.h"
#include "tools/text.h"

enum { AUTOENCODER, PRIOR, PHASES, AVERAGES = PHASES, OPTIMIZERS };

static const double beta = 0.25, decay = 0.99; /* of the commitment, and of the averages */

/* The two models, as one in checkpoints. */
typedef struct pair {
    nn_module  base;
    nn_module *vae, *prior;
} pair;

typedef struct vq_program {
    const char     *codebook;
    int64_t         vectors, size, prior_epochs, channels, blocks;
    double          batch;    /* images of a step */
    double          variance; /* of the training pixels */
    ag_real        *tally;    /* of the codebook's averages, from one pass to the next */
    pair           *pair;
    vq_vae         *vae;
    pixel_cnn      *prior;
    train_phase     phase[PHASES];
    train_optimizer optimizer[OPTIMIZERS];
} vq_program;

static bool has_averages(const vq_program *p)
{
    return !strcmp(p->codebook, "averages");
}

/* ---- Steps. ---- */

/* A pass of its own, in which the codebook's averages move towards what this step's images were encoded as. */
static bool move_averages(vq_program *p, train_step *s)
{
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *tally = ag_input(train_tape(s), AG_SHAPE(p->vectors, 1 + p->size), p->tally);
    ag_tensor *loss = codebook_loss((codebook *)p->vae->codebook, tally);
    /* The tally is a sum over images, while the harness averages the losses of shards by their sizes. */
    return train_minimize(s, ag_scale(loss, p->batch / (double)b.n), &p->optimizer[AVERAGES]);
}

static bool autoencode(void *context, train_step *s)
{
    vq_program *p = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    vq_vae_output o = vq_vae_forward(p->vae, b.x);
    vq_vae_losses l = vq_vae_loss(p->vae, o, b.x, p->variance, beta);
    train_report(s, "loss", ag_scale(ag_detach(l.total), (double)b.n));
    train_report(s, "mse", ag_scale(ag_detach(l.error), p->variance * (double)b.n));
    train_report(s, "commitment", ag_scale(ag_detach(l.commitment), (double)b.n));
    if (l.codebook)
        train_report(s, "codebook", ag_scale(ag_detach(l.codebook), (double)b.n));
    ag_tensor *tally = has_averages(p) ? codebook_tally(o.z, o.index, p->vectors) : NULL;
    if (ag_error(train_tape(s)))
        return false;
    train_report_number(s, "perplexity", vq_vae_perplexity(o.index, p->vectors) * (double)b.n);
    if (tally)
        memcpy(p->tally, tally->data, (size_t)ag_numel(&tally->shape) * sizeof *p->tally);
    return train_minimize(s, l.total, &p->optimizer[AUTOENCODER]) && (!tally || move_averages(p, s));
}

static ag_tensor *grids(const vq_program *p, ag_tensor *x)
{
    return ag_reshape(vq_vae_encode(p->vae, x), AG_SHAPE(-1, p->prior->config.height, p->prior->config.width));
}

static bool learn_prior(void *context, train_step *s)
{
    vq_program *p = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *loss = pixel_cnn_loss(p->prior, grids(p, b.x));
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    return train_minimize(s, loss, &p->optimizer[PRIOR]);
}

/* ---- Codes and pictures. ---- */

static ag_tensor *encode(void *context, const train_batch *b)
{
    return vq_vae_encode(((vq_program *)context)->vae, b->x);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    return vq_vae_decode(((vq_program *)context)->vae, code);
}

static ag_tensor *sample(void *context, ag_tape *tape, int64_t n)
{
    return pixel_cnn_sample(((vq_program *)context)->prior, tape, n);
}

/* How often the codes of the first `images` test images have each of the vectors: to be freed, NULL on failure. */
static int64_t *count_taken(const vq_program *p, train_images *m, int64_t images, tl_error *why)
{
    const int64_t most = 500;
    int64_t      *taken = calloc((size_t)p->vectors, sizeof *taken);
    if (!taken)
        tl_fail(why, "out of memory");
    for (int64_t first = 0; taken && first < images; first += most) {
        ag_tensor *index = vq_vae_encode(p->vae, train_test_images(m, first, most).x);
        if (ag_tensor_error(index)) {
            tl_fail(why, "%s", ag_tensor_error(index));
            free(taken);
            return NULL;
        }
        for (int64_t i = 0; i < ag_numel(&index->shape); i++)
            taken[(int64_t)index->data[i]]++;
    }
    return taken;
}

/* codebook.csv: over all test images. */
static bool write_usage(const vq_program *p, train_images *m, tl_error *why)
{
    char      path[4200];
    tl_output out;
    int64_t  *taken = count_taken(p, m, m->test.count, why);
    bool      ok = taken && train_folder_file(&m->job->folder, "codebook.csv", path, sizeof path, why) &&
              tl_output_open(&out, path, why);
    if (ok) {
        fputs("vector,taken\n", out.stream);
        for (int64_t v = 0; v < p->vectors; v++)
            fprintf(out.stream, "%lld,%lld\n", (long long)v, (long long)taken[v]);
        ok = tl_output_close(&out, why);
    }
    free(taken);
    return ok;
}

static int downwards(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* The page's chart of the same, over some test images. */
static bool show(void *context, train_images *m, tl_page *page, tl_error *why)
{
    const int64_t     images = m->test.count < 1000 ? m->test.count : 1000;
    const vq_program *p = context;
    char              text[200];
    int64_t          *taken = count_taken(p, m, images, why), used = 0;
    double           *rank = tl_array(2, p->vectors, sizeof *rank), *share = rank ? rank + p->vectors : NULL;
    const bool        ok = taken && (rank || tl_fail(why, "out of memory"));
    if (ok && images > 0) {
        qsort(taken, (size_t)p->vectors, sizeof *taken, downwards);
        for (int64_t v = 0; v < p->vectors; v++) {
            used += taken[v] > 0;
            rank[v] = (double)v + 1;
            share[v] = 100.0 * (double)taken[v] / (double)(images * m->code);
        }
        snprintf(text, sizeof text, "%lld of %lld vectors are in use, over %lld test images.", (long long)used,
                 (long long)p->vectors, (long long)images);
        tl_page_section(page, "Codebook");
        tl_page_text(page, text);
        tl_page_chart(page, &(tl_chart){"How often each vector is used", "vector, by use", "percent", false, 1,
                                        &(tl_line){"test", p->vectors, rank, share}});
    }
    free(taken);
    free(rank);
    return ok;
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    vq_program *p = context;
    return train_draw_reconstructions(m, why) &&
           train_draw_grid(m, "samples.png", "decoded from codes drawn from the prior",
                           decode(p, sample(p, train_image_tape(m), 128)), 16, why) &&
           write_usage(p, m, why);
}

/* ---- Options and model. ---- */

static const char *variant(void *context)
{
    return has_averages(context) ? NULL : ((vq_program *)context)->codebook;
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    const train_options *o = &job->options;
    const char          *given = o->clip > 0                       ? "clip"
                                 : o->warmup > 0                   ? "warmup"
                                 : strcmp(o->schedule, "constant") ? "schedule"
                                                                   : NULL;
    return !given || !has_averages(context) ||
           tl_fail(why, "--%s: not with --codebook averages, which are no gradients", given);
}

/* Of the pixels that are trained on. */
static double variance_of(const train_images *m)
{
    const int64_t pixels = m->trained * m->height * m->width;
    double        sum = 0, squares = 0, n = (double)pixels;
    for (int64_t i = 0; i < pixels; i++) {
        sum += m->train.pixels[i];
        squares += (double)m->train.pixels[i] * m->train.pixels[i];
    }
    const double variance = n > 0 ? (squares / n - sum / n * (sum / n)) / (255 * 255) : 0;
    return variance > 0 ? variance : 1;
}

static void set_phases(vq_program *p, train_images *m)
{
    p->phase[AUTOENCODER] = p->phase[PRIOR] = m->phase;
    p->phase[AUTOENCODER].name = "autoencoder";
    p->phase[AUTOENCODER].step = autoencode;
    p->phase[PRIOR].name = "prior";
    p->phase[PRIOR].step = learn_prior;
    p->phase[PRIOR].epochs = p->prior_epochs;
    p->phase[PRIOR].steps = 0;
    m->job->plan.phases = p->phase;
    m->job->plan.n_phases = PHASES;
}

/* The averages' optimizer is SGD as codebook_loss wants it. */
static void set_optimizers(vq_program *p, train_images *m)
{
    nn_module     *vae = p->pair->vae, *prior = p->pair->prior, *book = p->vae->codebook;
    const double   lr = m->job->options.lr;
    nn_sgd_options sgd = nn_sgd_defaults(1 - decay);
    sgd.weight_decay = 1;
    p->optimizer[AUTOENCODER] = (train_optimizer){"autoencoder", vae, nn_adam(vae, nn_adam_defaults(lr))};
    p->optimizer[PRIOR] = (train_optimizer){"prior", prior, nn_adam(prior, nn_adam_defaults(lr))};
    if (has_averages(p))
        p->optimizer[AVERAGES] = (train_optimizer){"averages", book, nn_sgd(book, sgd)};
    m->job->plan.optimizers = p->optimizer;
    m->job->plan.n_optimizers = has_averages(p) ? OPTIMIZERS : PHASES;
}

static ag_tensor *forward(nn_module *m, ag_tensor *x)
{
    return nn_forward(((pair *)m)->vae, x);
}

static bool build(void *context, train_images *m, tl_error *why)
{
    static const nn_type type = {.name = "VQVAEWithPrior", .size = sizeof(pair), .forward = forward};
    vq_program          *p = context;
    const int64_t        h = m->height / 4, w = m->width / 4;
    m->job->plan.model = (nn_module *)(p->pair = nn_new(&type));
    p->tally = tl_array(p->vectors, 1 + p->size, sizeof *p->tally);
    if (!p->pair || !p->tally)
        return tl_fail(why, "out of memory");
    p->vae = vq_vae_new((vq_vae_config){m->height, m->width, 32, 64, p->vectors, p->size, has_averages(p)});
    p->prior = pixel_cnn_new((pixel_cnn_config){h, w, p->vectors, p->channels, p->blocks});
    NN_CHILD(p->pair, vae, (nn_module *)p->vae);
    NN_CHILD(p->pair, prior, (nn_module *)p->prior);
    if (nn_error(&p->pair->base))
        return tl_fail(why, "%s", nn_error(&p->pair->base));
    p->variance = variance_of(m);
    m->code = h * w;
    m->symbols = true;
    p->batch = (double)m->job->options.batch;
    set_optimizers(p, m);
    set_phases(p, m);
    return true;
}

int main(int argc, char **argv)
{
    vq_program p = {.codebook = "averages", .vectors = 64, .size = 16, .prior_epochs = 10, .channels = 32, .blocks = 4};
    tl_option  options[] = {
         {"codebook", TL_TEXT, &p.codebook, 0, 0, "averages|gradient",
          "its vectors are moving averages of the encodings assigned to them, or are moved by a loss", false},
         {"vectors", TL_INT, &p.vectors, 1, 1e5, "N", "vectors of the codebook", false},
         {"latent", TL_INT, &p.size, 1, 1e5, "N", "numbers of each vector", false},
         {"prior-epochs", TL_INT, &p.prior_epochs, 0, 1e6, "N", "epochs that the prior is trained after the autoencoder",
          false},
         {"channels", TL_INT, &p.channels, 1, 1e5, "N", "of the prior's blocks", false},
         {"blocks", TL_INT, &p.blocks, 0, 100, "N", "residual blocks of the prior", false},
         TL_OPTIONS_END,
    };
    const int status = train_image_main(
        argc, argv,
        &(train_image_program){
            .name = "vq_vae_mnist",
            .about =
                "Trains a vector-quantised autoencoder on images of digits, then an autoregressive prior over its codes.\n"
                "metrics.csv has the loss, its parts and the codebook's perplexity, then the prior's -log p of a code in nats;\n"
                "codebook.csv how often each vector is used. --epochs and --steps are the autoencoder's, --prior-epochs the prior's.",
            .options = options,
            .variant = variant,
            .check = check,
            .build = build,
            .step = autoencode,
            .draw = draw,
            .show = show,
            .encode = encode,
            .decode = decode,
            .sample = sample,
            .context = &p});
    free(p.tally);
    return status;
}
