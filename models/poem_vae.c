/* Trains a variational autoencoder of couplets, and writes, completes and interpolates them. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datasets/couplets.h"
#include "models/couplet_vae.h"
#include "models/train/program.h"
#include "models/vae.h"
#include "tools/file.h"
#include "tools/text.h"

#define DEFAULT_DATA "data/couplets.txt"
#define SYNTHETIC    "synthetic"

enum { HELD_OUT = 5000, MADE = 20000, STEPS = 9 };

typedef struct poem_program {
    const char     *data, *complete, *from, *to;
    int64_t         width, latent, kl_warmup, generate;
    double          free_bits, temperature;
    ds_couplets     couplets;
    train_rows      rows[2]; /* to train with, held out */
    train_source    source[2];
    train_phase     phase;
    couplet_vae    *model;
    train_optimizer adam;
} poem_program;

/* ---- Training. ---- */

static bool step(void *context, train_step *s)
{
    poem_program *p = context;
    train_batch   b;
    if (!train_load(s, &b))
        return false;
    const double       weight = train_rise(s, p->kl_warmup);
    couplet_vae_output out = couplet_vae_forward(p->model, b.x);
    couplet_vae_losses l = couplet_vae_loss(out, b.x, weight);
    if (p->free_bits > 0 && !train_is_test(s)) {
        ag_tensor *lacking = vae_free_bits(vae_divergence((vae_code){out.mu, out.logvar}), p->free_bits);
        l.total = ag_add(l.total, ag_scale(lacking, weight));
    }
    train_report(s, "loss", ag_add(ag_detach(l.reconstruction), ag_detach(l.kld)));
    train_report(s, "reconstruction", l.reconstruction);
    train_report(s, "kld", l.kld);
    return train_minimize(s, ag_scale(l.total, 1.0 / (double)b.n), &p->adam);
}

/* ---- Couplets as text. ---- */

/* Writes a row of tokens as two lines with punctuation. */
static void print_couplet(FILE *f, const poem_program *p, const ag_real *token)
{
    const int64_t length = p->model->config.length;
    char          text[5];
    for (int64_t i = 0; i < length; i++) {
        ds_utf8((uint32_t)p->model->characters->data[(int64_t)token[i]], text);
        tl_print_escaped(f, text);
        if (i + 1 == length / 2)
            fputs("，", f);
    }
    fputs("。\n", f);
}

/* The most likely tokens of logits (N, length, characters), or with a temperature above 0 drawn ones, into to (N,
 * length): the largest of logits / temperature + Gumbel noise. */
static bool choose(const poem_program *p, ag_tensor *logits, double temperature, ag_real *to)
{
    const int64_t n = p->model->config.characters, rows = ag_numel(&logits->shape) / n;
    if (temperature > 0) {
        ag_tensor *u = ag_rand(logits->tape, logits->shape);
        ag_tensor *gumbel = ag_neg(ag_log(ag_neg(ag_log(ag_shift(ag_scale(u, 1 - 2e-7), 1e-7)))));
        logits = ag_add(ag_scale(logits, 1 / temperature), gumbel);
    }
    if (ag_error(logits->tape))
        return false;
    for (int64_t r = 0; r < rows; r++) {
        const ag_real *x = logits->data + r * n;
        int64_t        best = 0;
        for (int64_t i = 1; i < n; i++)
            best = x[i] > x[best] ? i : best;
        to[r] = (ag_real)best;
    }
    return true;
}

static bool pass_failed(ag_tape *tape, tl_error *why)
{
    return tl_fail(why, "%s", ag_error(tape) ? ag_error(tape) : "out of memory");
}

/* Decodes codes z (N, latent) and prints the couplets. */
static bool print_decoded(const poem_program *p, FILE *f, ag_tensor *z, double temperature, tl_error *why)
{
    const int64_t length = p->model->config.length, n = z->shape.dim[0];
    ag_tensor    *logits = couplet_vae_decode(p->model, z);
    ag_real      *token = malloc((size_t)(n * length) * sizeof *token);
    const bool    ok = token && choose(p, logits, temperature, token);
    for (int64_t i = 0; ok && i < n; i++)
        print_couplet(f, p, token + i * length);
    free(token);
    return ok || pass_failed(z->tape, why);
}

/* The tokens of a text of `expected` characters. */
static bool read_tokens(const poem_program *p, const char *option, const char *text, int64_t expected, ag_real *token,
                        tl_error *why)
{
    const couplet_vae_config *c = &p->model->config;
    const char               *at = text, *end = text + strlen(text);
    uint32_t                  code;
    int64_t                   n = 0;
    for (; (code = ds_next_character(&at, end)) != 0; n++) {
        int64_t found = -1;
        if (code == UINT32_MAX)
            return tl_fail(why, "--%s: \"%s\" is not UTF-8", option, text);
        for (int64_t i = 0; i < c->characters && found < 0; i++)
            found = (uint32_t)p->model->characters->data[i] == code ? i : -1;
        char character[5];
        ds_utf8(code, character);
        if (found < 0)
            return tl_fail(why, "--%s: the model does not know the character \"%s\"", option, character);
        if (n < expected)
            token[n] = (ag_real)found;
    }
    return n == expected || tl_fail(why, "--%s: \"%s\" is %lld characters long, expected %lld", option, text,
                                    (long long)n, (long long)expected);
}

/* ---- What a trained model is used for. ---- */

static bool generate(const poem_program *p, train_job *job, FILE *f, int64_t n, tl_error *why)
{
    const int64_t most = 32; /* at once: logits are large */
    ag_tape      *tape = train_evaluate(&job->run);
    for (int64_t done = 0; done < n; done += most) {
        const int64_t some = n - done < most ? n - done : most;
        if (!print_decoded(p, f, ag_randn(tape, AG_SHAPE(some, p->model->config.latent)), p->temperature, why))
            return false;
        ag_tape_reset(tape);
    }
    return true;
}

static ag_tensor *one_couplet(const poem_program *p, ag_tape *tape, const ag_real *token)
{
    ag_tensor *x = ag_zeros(tape, AG_SHAPE(1, p->model->config.length));
    if (!ag_error(tape))
        memcpy(x->data, token, (size_t)p->model->config.length * sizeof *token);
    return x;
}

/* The second line for a first one: what is missing is drawn again and again from the decoder's distribution given the
 * code of what is there, as Rezende, Mohamed, Wierstra: "Stochastic backpropagation and approximate inference in deep
 * generative models", 2014, appendix F, fills in missing pixels. */
static bool complete(const poem_program *p, train_job *job, tl_error *why)
{
    const int64_t length = p->model->config.length, rounds = 30;
    ag_real       token[DS_COUPLET_LENGTH] = {0}, drawn[DS_COUPLET_LENGTH];
    ag_tape      *tape = train_evaluate(&job->run);
    if (!read_tokens(p, "complete", p->complete, length / 2, token, why))
        return false;
    memcpy(token + length / 2, token, (size_t)(length / 2) * sizeof *token);
    for (int64_t i = 0; i < rounds; i++) {
        ag_tape_reset(tape);
        couplet_vae_output out = couplet_vae_forward(p->model, one_couplet(p, tape, token));
        if (!choose(p, out.logits, i + 1 < rounds ? 1 : p->temperature, drawn))
            return pass_failed(tape, why);
        memcpy(token + length / 2, drawn + length / 2, (size_t)(length / 2) * sizeof *token);
    }
    print_couplet(stdout, p, token);
    return true;
}

/* A straight line from one couplet's code to another's. */
static bool interpolate(const poem_program *p, train_job *job, tl_error *why)
{
    const int64_t length = p->model->config.length;
    ag_real       token[2][DS_COUPLET_LENGTH];
    ag_tape      *tape = train_evaluate(&job->run);
    if (!read_tokens(p, "from", p->from, length, token[0], why) || !read_tokens(p, "to", p->to, length, token[1], why))
        return false;
    ag_tensor *a = couplet_vae_encode(p->model, one_couplet(p, tape, token[0]));
    ag_tensor *b = couplet_vae_encode(p->model, one_couplet(p, tape, token[1])), *z[STEPS];
    for (int i = 0; i < STEPS; i++)
        z[i] = ag_add(ag_scale(a, 1 - i / (STEPS - 1.0)), ag_scale(b, i / (STEPS - 1.0)));
    return print_decoded(p, stdout, ag_concat(STEPS, z, 0), p->temperature, why);
}

static bool use(void *context, train_job *job, tl_error *why)
{
    const poem_program *p = context;
    return p->complete ? complete(p, job, why)
           : p->from   ? interpolate(p, job, why)
                       : generate(p, job, stdout, p->generate, why);
}

/* poems.txt: held-out couplets, each with what the model makes of it, and new ones. */
static bool draw(void *context, train_job *job, tl_error *why)
{
    poem_program *p = context;
    char          path[4200];
    tl_output     out;
    if (!train_folder_file(&job->folder, "poems.txt", path, sizeof path, why) || !tl_output_open(&out, path, why))
        return false;
    ag_tape *tape = train_evaluate(&job->run);
    bool     ok = true;
    for (int64_t i = 0; ok && i < 10 && i < p->rows[1].count; i++) {
        const ag_real *token = p->rows[1].x + i * p->couplets.length;
        print_couplet(out.stream, p, token);
        fputs("    ", out.stream);
        ok = print_decoded(p, out.stream, couplet_vae_encode(p->model, one_couplet(p, tape, token)), 0, why);
        ag_tape_reset(tape);
    }
    fputs("\n", out.stream);
    ok = ok && generate(p, job, out.stream, 20, why);
    if (!ok)
        tl_output_abandon(&out);
    return ok && tl_output_close(&out, why);
}

/* ---- Options, data and model. ---- */

static void defaults(void *context, train_options *o)
{
    (void)context;
    o->batch = 64;
    o->epochs = 10;
    o->lr = 1e-3;
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    poem_program *p = context;
    if (!p->data)
        p->data = access(DEFAULT_DATA, F_OK) == 0 ? DEFAULT_DATA : SYNTHETIC;
    if (!p->from != !p->to)
        return tl_fail(why, "--from and --to: expected both");
    const int uses = (p->generate > 0) + (p->complete != NULL) + (p->from != NULL);
    return !job->options.load || uses == 1 ||
           tl_fail(why, "--load: expected one of --generate N, --complete TEXT, --from TEXT with --to TEXT");
}

/* Of the characters, too: tokens alone do not tell. */
static uint64_t hash_couplets(void *self)
{
    const ds_couplets *c = &((poem_program *)self)->couplets;
    const uint64_t     hash = tl_hash_numbers(TL_HASH, c->character, c->characters, sizeof *c->character);
    return tl_hash_numbers(hash, c->token, c->count * c->length, sizeof *c->token);
}

static bool load_training(void *self, ag_tape *tape, const int64_t *index, int64_t n, train_batch *out)
{
    const train_source rows = train_rows_source(&((poem_program *)self)->rows[0]);
    return rows.load(rows.self, tape, index, n, out);
}

static bool open_couplets(poem_program *p, tl_error *why)
{
    ds_couplets *c = &p->couplets;
    if (!strcmp(p->data, SYNTHETIC) ? !ds_couplets_make(MADE, 1, c, why) : !ds_couplets_read(p->data, c, why))
        return false;
    if (c->count < 20)
        return tl_fail_at(why, p->data, "has %lld couplets, expected at least 20: the last are held out",
                          (long long)c->count);
    const int64_t held = c->count / 10 < HELD_OUT ? c->count / 10 : HELD_OUT, kept = c->count - held;
    for (int i = 0; i < 2; i++) {
        p->rows[i] = (train_rows){i ? held : kept, AG_SHAPE(c->length), AG_SHAPE(c->length), NULL, NULL};
        p->rows[i].x = c->token + (i ? kept * c->length : 0);
    }
    p->source[0].count = kept;
    p->source[1].count = held;
    return true;
}

/* The sizes of a model that is loaded. */
static bool sizes_of(const nn_safetensors *file, const char *path, couplet_vae_config *c, tl_error *why)
{
    const nn_stored_tensor *characters = nn_safetensors_tensor(file, "characters");
    const nn_stored_tensor *expand = nn_safetensors_tensor(file, "expand.weight");
    if (!characters || characters->rank != 1 || !expand || expand->rank != 2 || expand->dim[0] % c->width != 0 ||
        expand->dim[0] / c->width > DS_COUPLET_LENGTH)
        return tl_fail_at(why, path, "holds no model of couplets");
    c->characters = characters->dim[0];
    c->length = expand->dim[0] / c->width;
    return true;
}

static bool build(void *context, train_job *job, tl_error *why)
{
    poem_program      *p = context;
    couplet_vae_config c = {.width = p->width, .latent = p->latent};
    p->source[0] = (train_source){1, load_training, hash_couplets, p}; /* of a model that is loaded nothing is asked */
    p->rows[1].count = 1;
    p->source[1] = train_rows_source(&p->rows[1]);
    if (job->options.load) {
        if (!sizes_of(&job->file, job->options.load, &c, why))
            return false;
    } else if (!open_couplets(p, why)) {
        return false;
    }
    if (!job->options.load) {
        c.characters = p->couplets.characters;
        c.length = p->couplets.length;
    }
    const int64_t count = p->source[0].count, batch = job->options.batch < count ? job->options.batch : count;
    p->phase = (train_phase){.name = "train",
                             .train = &p->source[0],
                             .test = &p->source[1],
                             .batch = batch,
                             .epochs = job->options.epochs,
                             .steps = job->options.steps,
                             .step = step};
    job->plan.phases = &p->phase;
    job->plan.n_phases = 1;
    job->input = AG_SHAPE(batch, c.length);
    p->model = couplet_vae_new(c, p->couplets.character);
    nn_module *m = (nn_module *)p->model;
    train_set_model(job, m, &p->adam, "adam", nn_adam(m, nn_adam_defaults(job->options.lr)));
    return true;
}

static void close_couplets(void *context)
{
    ds_couplets_free(&((poem_program *)context)->couplets);
}

int main(int argc, char **argv)
{
    poem_program p = {.width = 64, .latent = 64};
    tl_option    options[] = {
           {"data", TL_TEXT, &p.data, 0, 0, "FILE",
            "couplets in UTF-8, one a line, or \"" SYNTHETIC "\"; else " DEFAULT_DATA ", else synthetic ones", false},
           {"width", TL_INT, &p.width, 1, 4096, "N", "numbers of a character's embedding", false},
           {"latent", TL_INT, &p.latent, 1, 4096, "N", "numbers in the code of a couplet", false},
           {"kl-warmup", TL_INT, &p.kl_warmup, 0, 1e9, "N", "steps over which the KL term's weight rises to 1", false},
           {"free-bits", TL_REAL, &p.free_bits, 0, 1e6, "X",
            "nats of KL divergence, for each number of the code, that are not penalised", false},
           TL_OPTIONS_END,
    };
    tl_option uses[] = {
        {"generate", TL_INT, &p.generate, 1, 1e6, "N", "write N couplets", false},
        {"complete", TL_TEXT, &p.complete, 0, 0, "TEXT", "write the second line of a couplet", false},
        {"from", TL_TEXT, &p.from, 0, 0, "TEXT", "go in a straight line from one couplet", false},
        {"to", TL_TEXT, &p.to, 0, 0, "TEXT", "... to another", false},
        {"temperature", TL_REAL, &p.temperature, 0, 100, "X",
         "draw characters, flatter above 1, sharper below; 0: the most likely ones", false},
        TL_OPTIONS_END,
    };
    return train_main(argc, argv,
                      &(train_program){
                          .name = "poem_vae",
                          .about = "Trains a variational autoencoder of couplets, and writes new ones.\n"
                                   "metrics.csv has nats per couplet: the loss, and its parts, reconstruction and kld.",
                          .options = options,
                          .uses = uses,
                          .defaults = defaults,
                          .check = check,
                          .build = build,
                          .draw = draw,
                          .use = use,
                          .close = close_couplets,
                          .context = &p,
                      });
}
