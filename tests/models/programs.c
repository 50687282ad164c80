/* The demo programs as a user meets them: options, errors, files, the fingerprint. */
#ifndef AG_DOUBLE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/programs.h"
#include "tests/test.h"

/* A small VAE. */
static int run(const char *environment, const char *options)
{
    char all[768];
    snprintf(all, sizeof all, "--hidden 24 --latent 2 --epochs 2 %s", options);
    return run_program("vae_mnist", environment, all);
}

/* metrics.csv without its last column, the seconds. */
static void read_metrics(const char *name, char *text, size_t size)
{
    char command[1024];
    snprintf(command, sizeof command, "cut -d, -f1-2,5-7 %s/%s/metrics.csv", folder, name);
    cr_assert(run_command(command, text, size) == 0, "%s", text);
}

Test(vae_mnist, writes_what_it_promises)
{
    char options[256], metrics[1024];
    make_data();
    snprintf(options, sizeof options, "--out %s/deep/run", folder);
    cr_assert(run("", options) == 0, "%s", output);
    cr_assert(strstr(output, "(320 training, 100 test images)") && strstr(output, "epoch  2  train"), "%s", output);
    unsigned long long hash;
    int                used = 0;
    cr_assert(sscanf(last_line(), "weights %16llx%n", &hash, &used) == 1 && used == 24, "%s", last_line());
    cr_assert(file_is_there("deep/run/reconstructions.png") && file_is_there("deep/run/samples.png") &&
              file_is_there("deep/run/manifold.png"));
    char command[512];
    snprintf(command, sizeof command, "head -n 1 %s/deep/run/metrics.csv", folder);
    cr_assert(run_command(command, metrics, sizeof metrics) == 0);
    cr_assert(!strncmp(metrics, "epoch,train_loss,train_bce,train_kld,test_loss,test_bce,test_kld,s", 64), "%s",
              metrics);
    cr_assert(run("", strcat(options, " --quiet")) == 0 && !strncmp(output, "weights ", 8) && strlen(output) == 25,
              "%s", output);
}

/* Property P4: one seed, one result. */
Test(vae_mnist, same_bits_for_any_threads_and_kernels)
{
    static const char *const settings[] = {"HOURGLASS_THREADS=1",    "HOURGLASS_THREADS=2", "HOURGLASS_THREADS=5",
                                           "HOURGLASS_ISA=portable", "HOURGLASS_ISA=avx2",  "HOURGLASS_ISA=avx512",
                                           "HOURGLASS_ISA=neon"};
    char                     options[256], weights[64] = "", metrics[1024], first[1024] = "";
    int                      compared = 0;
    make_data();
    snprintf(options, sizeof options, "--seed 3 --out %s/run", folder);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (run(settings[i], options) == 2) {
            cr_assert(strstr(output, "not available on this machine, expected one of:"), "%s", output);
            continue;
        }
        read_metrics("run", metrics, sizeof metrics);
        if (i == 0) {
            snprintf(weights, sizeof weights, "%s", last_line());
            strcpy(first, metrics);
        }
        cr_expect(!strcmp(last_line(), weights), "%s: %s, expected %s", settings[i], last_line(), weights);
        cr_expect(!strcmp(metrics, first), "%s: other losses", settings[i]);
        compared++;
    }
    cr_assert(compared >= 4);
    snprintf(options, sizeof options, "--seed 4 --out %s/run", folder);
    cr_assert(run("", options) == 0 && strcmp(last_line(), weights) != 0, "another seed, another result");
}

/* The result of one run, pinned: the order of the images, the random numbers, the defaults, what is reported. */
Test(vae_mnist, result)
{
    char options[256], metrics[1024];
    make_data();
    snprintf(options, sizeof options, "--beta 0.5 --quiet --out %s/run", folder);
    cr_assert(run("", options) == 0 && !strcmp(last_line(), "weights 79b8e2b92125d430"), "%s", output);
    read_metrics("run", metrics, sizeof metrics);
    cr_assert(!strcmp(metrics,
                      "epoch,train_loss,test_loss,test_bce,test_kld\n"
                      "1,543.515051,537.96584,537.89834,0.135030828\n2,534.577295,529.933398,529.774531,0.317713871\n"),
              "%s", metrics);
}

/* ---- All programs. ---- */

static const struct {
    const char *name, *options, *files;
    bool        is_large; /* takes long without instructions for fma */
} runs[] = {
    {"vae_mnist", "--variant chunked --latent 3 --interpolate",
     "samples.png interpolations.png reconstructions.png codes.png codes.tsv labels.tsv sprite.png", false},
    {"vae_mnist", "--hidden 30 --beta 4 --latent 12", "traversals.png kl.csv", false},
    {"vae_mnist", "--hidden 30 --edit", "edits.png arithmetic.png walk.png edits.csv", false},
    {"vae_mnist", "--hidden 30 --kl-warmup 3 --free-bits 0.5", "samples.png", false},
    {"vae_mnist", "--variant conv --latent 2", "manifold.png reconstructions.png", true},
    {"cvae_mnist", "--latent 3 --hidden 30 --beta 2 --kl-warmup 2 --free-bits 0.1", "samples.png reconstructions.png",
     false},
    {"adversarial_ae_mnist", "--hidden 30", "samples.png codes.tsv prior.csv", false},
    {"adversarial_ae_mnist", "--hidden 30 --prior mixture", "manifold.png codes.png prior.csv", false},
    {"adversarial_ae_mnist", "--hidden 30 --prior labelled", "samples.png prior.csv", false},
    {"adversarial_ae_mnist", "--hidden 30 --labels 20", "styles.png samples.png codes.tsv prior.csv", false},
    {"adversarial_ae_mnist", "--hidden 30 --latent 3 --plain", "reconstructions.png codes.png prior.csv", false},
    {"vae_gan_mnist", "--hidden 30 --latent 4 --kl-warmup 3 --free-bits 0.1", "samples.png", false},
    {"vae_gan_mnist", "--hidden 30 --latent 4", "samples.png reconstructions.png interpolations.png", false},
    {"stacked_ae_mnist", "--hidden 30 --pretrain-epochs 1", "filters.png errors.csv", false},
    {"stacked_ae_mnist", "--hidden 30 --plain", "filters.png errors.csv", false},
    {"stacked_ae_mnist", "--deep", "reconstructions.png codes.tsv", true},
    {"augmentation_mnist", "--labels 20", "samples.png accuracy.csv", false},
    {"augmentation_mnist", "--labels 20 --around", "samples.png accuracy.csv", false},
    {"mlp_ae_mnist", "--variant relu20", "reconstructions.png codes.tsv labels.tsv", false},
    {"mlp_ae_mnist", "--variant tanh3 --dropout 0.2", "codes.png codes.tsv", false},
    {"mlp_ae_mnist", "--variant relu2 --sparsity 0.1", "codes.png labels.tsv", true},
    {"conv_ae_mnist", "", "reconstructions.png", false},
    {"denoising_ae_mnist", "", "denoised.png", false},
    {"denoising_ae_mnist", "--noise saltpepper --conv --latent 16", "denoised.png", false},
    {"denoising_ae_mnist", "--tutorial --noise masking", "denoised.png", false},
    {"denoising_ae_mnist", "--tutorial", "denoised.png", false},
    {"iwae_mnist", "--hidden 30 --k 3 --kl-warmup 3 --free-bits 0.1 --nll 10",
     "metrics.csv reconstructions.png samples.png nll.csv", false},
    {"iwae_mnist", "--layers 2 --hidden 30 --latent 9 --upper 4 --upper-hidden 8 --k 3 --nll 10", "samples.png nll.csv",
     false},
    {"flow_vae_mnist", "--hidden 20 --latent 4 --nll 10", "reconstructions.png samples.png nll.csv", false},
    {"flow_vae_mnist", "--recipe planar --hidden 20 --latent 4 --flows 2 --nll 3", "samples.png nll.csv", false},
    {"flow_vae_mnist", "--recipe mean-field --hidden 20 --latent 4 --kl-warmup 3", "samples.png codes.tsv", false},
    {"flow_vae_mnist", "--recipe iaf --hidden 20 --latent 4 --free-bits 3 --nll 3", "samples.png nll.csv", false},
    {"vq_vae_mnist", "--prior-epochs 1 --vectors 8 --channels 6 --blocks 1",
     "reconstructions.png samples.png codebook.csv", true},
    {"vq_vae_mnist", "--prior-epochs 0 --codebook gradient --latent 3 --vectors 8 --channels 6 --blocks 1",
     "samples.png codebook.csv", true},
    {"mlp_classifier_mnist", "", "metrics.csv confusion.csv", false},
    {"mlp_classifier_mnist", "--hidden 0", "metrics.csv", false},
};

/* Each leaves its files, and the same weights for any number of threads and kernels. */
Test(programs, files_and_bits)
{
    static const char *const settings[] = {"HOURGLASS_THREADS=3", "HOURGLASS_THREADS=1 HOURGLASS_ISA=portable"};
    char                     options[512], weights[64] = "", command[512], metrics[1024];
    make_data();
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        for (size_t k = 0; k < (SLOW || runs[i].is_large ? 1 : sizeof settings / sizeof *settings); k++) {
            snprintf(options, sizeof options, "%s --batch 16 --steps 4 --out %s/run%d", runs[i].options, folder,
                     (int)i);
            int status = run_program(runs[i].name, settings[k], options);
            cr_assert(status == 0 && !strncmp(last_line(), "weights ", 8), "%s %s: %s", runs[i].name, options, output);
            if (k == 0)
                snprintf(weights, sizeof weights, "%s", last_line());
            cr_expect(!strcmp(last_line(), weights), "%s %s: %s, expected %s", runs[i].name, settings[k], last_line(),
                      weights);
            snprintf(command, sizeof command, "cd %s/run%d && ls metrics.csv %s > /dev/null && head -n 1 metrics.csv",
                     folder, (int)i, runs[i].files);
            cr_expect(run_command(command, metrics, sizeof metrics) == 0 && !strncmp(metrics, "epoch,", 6) &&
                          strstr(metrics, ",train_loss,"),
                      "%s: %s", runs[i].name, metrics);
        }
}

/* Three optimizers with states of their own, stopped and resumed. */
Test(adversarial_ae_mnist, resumes_to_the_same_bits)
{
    char whole[64], options[512];
    make_data();
    snprintf(options, sizeof options, "--hidden 30 --batch 32 --quiet --steps 25 --out %s/whole", folder);
    cr_assert(run_program("adversarial_ae_mnist", "", options) == 0, "%s", output);
    snprintf(whole, sizeof whole, "%s", last_line());
    snprintf(options, sizeof options, "--hidden 30 --batch 32 --quiet --steps 13 --out %s/part", folder);
    cr_assert(run_program("adversarial_ae_mnist", "", options) == 0 && strcmp(last_line(), whole), "%s", output);
    snprintf(options, sizeof options, "--batch 32 --quiet --steps 25 --resume %s/part/checkpoint.safetensors", folder);
    cr_assert(run_program("adversarial_ae_mnist", "HOURGLASS_THREADS=3", options) == 0, "%s", output);
    cr_assert(!strcmp(last_line(), whole), "%s, expected %s", last_line(), whole);
}

Test(programs, refuse)
{
    static const struct {
        const char *name, *options, *part;
    } bad[] = {
        {"vae_mnist", "--variant none", "vae_mnist: --variant none: expected standard|chunked|conv"},
        {"vae_mnist", "--variant chunked --free-bits 1", "--free-bits: not with the chunked variant"},
        {"flow_vae_mnist", "--recipe none", "--recipe none: expected vae|planar|mean-field|iaf"},
        {"vq_vae_mnist", "--clip 1", "--clip: not with --codebook averages"},
        {"vq_vae_mnist", "--warmup 9", "--warmup: not with --codebook averages"},
        {"vq_vae_mnist", "--codebook none", "--codebook none: expected averages|gradient"},
        {"iwae_mnist", "--upper 3", "--upper: of a second stochastic layer, which --layers 2 makes"},
        {"iwae_mnist", "--kl-warmup 9 --estimator dreg", "--kl-warmup: not with --estimator dreg"},
        {"iwae_mnist", "--layers 2 --estimator dreg", "--estimator dreg: offered for one stochastic layer"},
        {"mlp_ae_mnist", "--variant none", "--variant none: expected relu20|tanh3|relu2"},
        {"denoising_ae_mnist", "--noise pink", "--noise pink: expected gaussian|masking|saltpepper"},
        {"mlp_ae_mnist", "--dropout 2", "--dropout 2: expected a number from 0 to 1"},
        {"conv_ae_mnist", "--variant x", "--variant: unknown option"},
        {"cvae_mnist", "--digit 7", "need --load FILE"},
        {"adversarial_ae_mnist", "--prior mixture --latent 3", "--latent: the mixture prior has two numbers"},
        {"adversarial_ae_mnist", "--labels 15", "--labels: expected a multiple of ten"},
        {"adversarial_ae_mnist", "--labels 10 --plain", "--labels: only with the gaussian prior, and not with --plain"},
        {"adversarial_ae_mnist", "--labels 10 --prior mixture", "--labels: only with the gaussian prior"},
        {"adversarial_ae_mnist", "--noise 1", "--noise: only with --labels"},
        {"augmentation_mnist", "--labels 15", "--labels: expected a multiple of ten"},
        {"denoising_ae_mnist", "--tutorial --noise saltpepper", "--noise saltpepper: not with --tutorial"},
        {"stacked_ae_mnist", "--deep --hidden 20", "--hidden: not with --deep"},
        {"stacked_ae_mnist", "--plain --pretrain-lr 1", "--pretrain-lr: not with --plain"},
        {"stacked_ae_mnist", "--keep-best", "--keep-best: only with --deep or --plain"},
        {"vae_gan_mnist", "--keep-best", "--keep-best: losses of a model and its adversary cannot be compared"},
        {"vae_gan_mnist", "--classifier x", "--classifier: expected --score with it"},
        {"mlp_classifier_mnist", "--score", "--score: unknown option"},
        {"cvae_mnist", "--load x --digit 10 --generate 2", "--digit 10: expected a whole number from 0 to 9"},
        {"mlp_classifier_mnist", "--steps many", "--steps many: expected a whole number"},
    };
    char options[512];
    make_data();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(options, sizeof options, "%s --out %s/run", bad[i].options, folder);
        int status = run_program(bad[i].name, "", options);
        cr_expect(status == 2 && strstr(output, bad[i].part), "%s %s: %d, %s", bad[i].name, options, status, output);
    }
}

/* What only the data or a model shows. */
Test(programs, refuse_what_does_not_fit)
{
    make_data();
    static const char *const batches[] = {"--batch 11", "--batch 1", "--batch 32 --shards 20"};
    for (int i = 0; i < 3; i++)
        cr_expect(run_there("vae_gan_mnist", batches[i]) == 1 &&
                      strstr(output, "of 320 images a batch or a shard would have only one"),
                  "%s: %s", batches[i], output);
    cr_assert(run_there("cvae_mnist", "--hidden 8 --latent 2 --steps 1 --quiet --out @/run") == 0, "%s", output);
    cr_expect(run_there("cvae_mnist", "--load @/run/model.safetensors --digit 7 --score") == 2 &&
                  strstr(output, "--digit: not with --score, whose images are of all digits"),
              "%s", output);
}

static void check_refused(const char *environment, const char *options, int status, const char *part)
{
    int got = run(environment, options);
    cr_expect(got == status && strstr(output, part), "%s %s: status %d, \"%s\"", environment, options, got, output);
}

Test(vae_mnist, refuses)
{
    char options[512];
    make_data();
    check_refused("", "--wrong", 2, "vae_mnist: --wrong: unknown option; --help lists them");
    check_refused("", "--epochs", 2, "--epochs: a value is missing");
    check_refused("", "--batch 0", 2, "--batch 0: expected a whole number from 1");
    check_refused("", "--lr fast", 2, "--lr fast: expected a number");
    check_refused("", "--threads 65", 2, "--threads 65: expected a whole number from 1 to 64");
    check_refused("HOURGLASS_THREADS=many", "", 2, "HOURGLASS_THREADS=many: expected a number from 1 to 64");
    check_refused("HOURGLASS_ISA=z80", "", 2, "HOURGLASS_ISA=z80: not available on this machine");
    check_refused("", "--data /nonexistent", 1, "/nonexistent/train-images-idx3-ubyte: No such file");
    check_refused("", "--out /proc/here", 1, "/proc/here: ");
    check_refused("", "--out /dev/null", 1, "/dev/null: not a folder");
    snprintf(options, sizeof options, "--lr 1e30 --out %s/run", folder);
    check_refused("", options, 1, "a metric became NaN or infinite");
    snprintf(options, sizeof options, "--out %s/full --quiet", folder);
    check_refused(FILES_OF(1), options, 1, "cannot be written: File too large");
    check_refused("", "--help", 0, "--latent N");
    check_refused("", "--help", 0, "metrics.csv has the loss and its parts");
    snprintf(options, sizeof options, "truncate -s 1000 %s/data/t10k-images-idx3-ubyte", folder);
    cr_assert(run_command(options, output, sizeof output) == 0);
    check_refused("", "", 1, "has 984 bytes of data, its header says 78400");
}

Test(vae_mnist, ends_well_on_a_signal)
{
    char command[1024];
    make_data();
    snprintf(command, sizeof command,
             "{ %s --data %s/data --epochs 1000000 --hidden 24 --out %s/run --quiet & p=$!; sleep 1;"
             "kill -TERM $p; wait $p; }",
             program("vae_mnist"), folder, folder);
    int status = run_command(command, output, sizeof output);
    cr_assert(status == 130 && strstr(output, "stopped in epoch"), "%d: %s", status, output);
    cr_assert(!strncmp(last_line(), "weights ", 8) && file_is_there("run/samples.png"));
}
#else
typedef int float_only;
#endif
