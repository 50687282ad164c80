/* A whole program on images, in which memory runs out at each allocation in turn: it ends with a status and a reason.
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "models/train/draw.h"
#include "models/train/image_program.h"
#include "tests/support/malloc.h"
#include "tests/support/programs.h"
#include "tests/test.h"

enum { PIXELS = 20, CODE = 2 };

/* ---- The program: a linear autoencoder, with everything that one may offer. ---- */

typedef struct small_program {
    nn_module      *encoder, *decoder;
    train_optimizer sgd;
} small_program;

static ag_tensor *encode(void *context, const train_batch *b)
{
    return nn_forward(((small_program *)context)->encoder, b->x);
}

static ag_tensor *decode(void *context, ag_tensor *code)
{
    return nn_forward(((small_program *)context)->decoder, code);
}

static ag_tensor *divergence(void *context, const train_batch *b)
{
    return ag_square(encode(context, b));
}

static ag_tensor *sample(void *context, ag_tape *tape, int64_t n)
{
    (void)context;
    return ag_randn(tape, AG_SHAPE(n, CODE));
}

static bool step(void *context, train_step *s)
{
    small_program *p = context;
    train_batch    b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *loss = ag_mse_loss(decode(p, encode(p, &b)), b.x, AG_MEAN);
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n));
    return train_minimize(s, loss, &p->sgd);
}

static bool build(void *context, train_images *m, tl_error *why)
{
    small_program *p = context;
    (void)why;
    m->code = CODE;
    p->encoder = nn_linear(PIXELS, CODE);
    p->decoder = nn_linear(CODE, PIXELS);
    nn_module *model = nn_sequential(p->encoder, p->decoder);
    train_set_model(m->job, model, &p->sgd, "sgd", nn_sgd(model, nn_sgd_defaults(m->job->options.lr)));
    return true;
}

static bool draw(void *context, train_images *m, tl_error *why)
{
    (void)context;
    return train_draw_reconstructions(m, why);
}

/* ---- Its runs. ---- */

/* Six images to train with and four to test, of five by four pixels. */
static void make_small_data(void)
{
    char command[1024];
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    snprintf(
        command, sizeof command,
        "cd %s && mkdir data && cd data && seq 99 | head -c 120 > pixels &&"
        "(printf '\\0\\0\\010\\003\\0\\0\\0\\006\\0\\0\\0\\005\\0\\0\\0\\004'; cat pixels) > train-images-idx3-ubyte &&"
        "(printf '\\0\\0\\010\\001\\0\\0\\0\\006\\0\\1\\2\\0\\1\\2') > train-labels-idx1-ubyte &&"
        "(printf '\\0\\0\\010\\003\\0\\0\\0\\004\\0\\0\\0\\005\\0\\0\\0\\004'; tail -c 80 pixels) > t10k-images-idx3-ubyte &&"
        "(printf '\\0\\0\\010\\001\\0\\0\\0\\004\\0\\1\\2\\0') > t10k-labels-idx1-ubyte",
        folder);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
}

/* Runs it with options of which @ stands for the folder; returns the exit status. */
static int run_small(const char *options)
{
    static char   text[2048];
    char         *words[32] = {"small"};
    int           n = 1;
    size_t        length = 0;
    small_program p = {0};
    for (const char *c = options; *c; c++)
        length += (size_t)snprintf(text + length, sizeof text - length, *c == '@' ? "%s" : "%.1s",
                                   *c == '@' ? folder : c);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        words[n++] = word;
    return train_image_main(n, words,
                            &(train_image_program){.name = "small",
                                                   .about = "Trains an autoencoder.",
                                                   .build = build,
                                                   .step = step,
                                                   .draw = draw,
                                                   .encode = encode,
                                                   .decode = decode,
                                                   .divergence = divergence,
                                                   .edits = true,
                                                   .sample = sample,
                                                   .context = &p});
}

/* Sends a stream to a new file of the folder; returns what gets it back. */
static int divert(FILE *stream, const char *name)
{
    char path[256];
    fflush(stream);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const int kept = dup(fileno(stream)), to = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    cr_assert(kept >= 0 && to >= 0 && dup2(to, fileno(stream)) >= 0);
    close(to);
    return kept;
}

static void restore(FILE *stream, int kept)
{
    fflush(stream);
    dup2(kept, fileno(stream));
    close(kept);
}

/* Allocation number n and all later ones fail, for each n until the run ends well. */
static void fail_in_turn(const char *options)
{
    for (long limit = 0;; limit++) {
        const int out = divert(stdout, "out"), err = divert(stderr, "err");
        malloc_watch(limit);
        const int  status = run_small(options);
        const long made = malloc_unwatch();
        const long said = lseek(fileno(stderr), 0, SEEK_CUR);
        restore(stdout, out);
        restore(stderr, err);
        cr_assert(status == 0 || status == 1, "%s, allocation %ld: status %d", options, limit, status);
        cr_assert(status == 0 || said > 0, "%s, allocation %ld: no reason", options, limit);
        if (status == 0 && made <= limit)
            break;
        cr_assert(limit < 20000, "%s: no end", options);
    }
}

Test(memory, runs_out_in_a_program)
{
    make_small_data();
    fail_in_turn("--data @/data --epochs 2 --batch 4 --threads 1 --keep-best --draw-every 1 --overwrite --out @/run");
    fail_in_turn("--data @/data --resume @/run/checkpoint.safetensors --threads 1 --overwrite");
}

Test(memory, runs_out_while_a_model_is_used)
{
    make_small_data();
    cr_assert(run_small("--data @/data --epochs 1 --batch 4 --quiet --out @/run") == 0);
    static const char *const uses[] = {"--generate 3",       "--encode @/data/t10k-images-idx3-ubyte",
                                       "--reconstruct test", "--decode @/run/codes.npy",
                                       "--export decoder",   "--edit"};
    char                     options[256];
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        snprintf(options, sizeof options, "--data @/data --threads 1 --overwrite --load @/run/model.safetensors %s",
                 uses[i]);
        fail_in_turn(options);
    }
}
