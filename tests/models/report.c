/* report.html of the programs. */
#ifndef AG_DOUBLE
#include <stdio.h>
#include <string.h>

#include "tests/support/programs.h"
#include "tests/test.h"

/* Runs a shell command in the folder; $d is there the folder of the run. */
static int in_folder(const char *command)
{
    char line[1024];
    snprintf(line, sizeof line, "cd %s && %s", folder, command);
    return run_command(line, output, sizeof output);
}

static const struct {
    const char *program, *options, *parts; /* parts: words of an extended regular expression, each to be there */
} runs[] = {
    {"vae_mnist", "--latent 2 --hidden 20",
     "finished|Fingerprint|class=\"chart\"|class=\"frames\"|class=\"points\"|class=\"explorer\"|samples.png|--latent|z1"},
    {"mlp_ae_mnist", "--variant tanh3", "class=\"explorer\"|z3</text>|class=\"points\""},
    {"conv_ae_mnist", "", "class=\"frames\"|principal component 1|Norm of the weights"},
    {"denoising_ae_mnist", "", "Second: the same with noise|class=\"frames\""},
    {"cvae_mnist", "--hidden 20", "The rows below are samples|class=\"points\""},
    {"mlp_classifier_mnist", "--hidden 10", "accuracy|class=\"chart\"|Confusion matrix"},
    {"vq_vae_mnist", "--prior-epochs 1 --vectors 8 --channels 4", "Codebook|of 8 vectors are in use|class=\"frames\""},
    {"vq_vae_mnist", "--prior-epochs 0 --vectors 8 --channels 4", "autoencoder, epoch 2 of 2"},
    {"adversarial_ae_mnist", "--hidden 16", "class=\"frames\"|class=\"chart\""},
};

/* Has what the model has, is valid XML where it is SVG, and leaves nothing half written. */
Test(report, of_every_program)
{
    char options[256], command[512];
    make_data();
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        snprintf(options, sizeof options, "%s --batch 32 --epochs 2 --out %s/run%d", runs[i].options, folder, (int)i);
        cr_assert(run_program(runs[i].program, "", options) == 0, "%s", output);
        snprintf(
            command, sizeof command,
            "for p in $(echo '%s' | tr '|' '\\n' | tr ' ' '~'); do grep -qF -- \"$(echo $p | tr '~' ' ')\" run%d/report.html "
            "|| echo missing $p; done; ls run%d | grep part",
            runs[i].parts, (int)i, (int)i);
        in_folder(command);
        cr_expect(!*output, "%s: %s", runs[i].program, output);
        snprintf(command, sizeof command, "! command -v xmllint > /dev/null || xmllint --noout run%d/*.svg", (int)i);
        cr_expect(in_folder(command) == 0, "%s: %s", runs[i].program, output);
    }
}

/* A run in `whole`, and one in `run` that stops after `first` epochs and is resumed: their births.png are the same. */
static void train_whole_and_resumed(const char *options, int first, int all)
{
    char line[256];
    make_data();
    snprintf(line, sizeof line, "%s --epochs %d --out %s/whole", options, all, folder);
    cr_assert(run_program("vae_mnist", "", line) == 0, "%s", output);
    snprintf(line, sizeof line, "%s --epochs %d --out %s/run", options, first, folder);
    cr_assert(run_program("vae_mnist", "", line) == 0, "%s", output);
    snprintf(line, sizeof line, "%s --epochs %d --resume %s/run/checkpoint.safetensors", options, all, folder);
    cr_assert(run_program("vae_mnist", "", line) == 0, "%s", output);
    cr_expect(in_folder("cmp whole/births.png run/births.png") == 0, "%s", output);
}

/* The page of a run that was stopped says so, and that of one that is resumed goes on from there, with the pictures of
 * all epochs. */
Test(report, of_a_run_that_was_stopped)
{
    train_whole_and_resumed("--hidden 20", 2, 4);
    cr_expect(in_folder("grep -q 'epoch 4 of 4' run/report.html && ls run/births.png run/codes.svg run/loss.svg") == 0,
              "%s", output);
    /* with nothing left to train, too */
    cr_assert(run_there("vae_mnist", "--epochs 4 --resume @/run/checkpoint.safetensors") == 0, "%s", output);
    cr_expect(in_folder("cmp whole/births.png run/births.png && grep -q 'Images, epoch by epoch' run/report.html") == 0,
              "%s", output);
}

/* births.png has room for 48 frames. When it is full every second one goes, twice in 100 epochs: every fourth epoch is
 * left. The run that goes on does so between the two. */
Test(report, of_more_epochs_than_frames)
{
    train_whole_and_resumed("--hidden 4 --batch 320", 60, 100);
    cr_expect(in_folder("(echo every 4; seq 4 4 100) > wanted && tr -d '\\0' < whole/births.png | "
                        "grep -a -A 25 -o 'every [0-9]*$\\|^[0-9]*$' | head -26 | diff wanted -") == 0,
              "%s", output);
}

/* Of more epochs than a chart has points, every second one's norms are kept, then every fourth. */
Test(report, of_more_epochs_than_points)
{
    make_data();
    cr_assert(run_there("mlp_classifier_mnist", "--steps 1100 --batch 320 --hidden 2 --quiet --out @/run") == 0, "%s",
              output);
    cr_expect(in_folder("awk '/<title>Norm of the weights/ { norms = 1 } /<.svg>/ { norms = 0 }"
                        " norms && /stroke-linejoin/ { n = gsub(/L/, \"\"); if (!least || n < least) least = n }"
                        " END { print least; exit least != 274 }' run/report.html") == 0,
              "%s", output); /* 275 points, every fourth epoch; the least, as the axes are in the first one's line */
}

/* The page's script computes the program's images. */
Test(report, explorer_equals_the_decoder)
{
    char options[256], command[2048];
    make_data();
    if (run_command("command -v node", NULL, 0) != 0)
        cr_skip_test("node is not installed");
    snprintf(options, sizeof options, "--latent 2 --hidden 30 --batch 16 --steps 60 --out %s/run", folder);
    cr_assert(run_program("vae_mnist", "", options) == 0, "%s", output);
    snprintf(
        command, sizeof command,
        "node tests/explorer.js %s/run/report.html codes %s/codes.npy && %s --load %s/run/model.safetensors --decode "
        "%s/codes.npy --output %s/images.npy --quiet && node tests/explorer.js %s/run/report.html compare %s/images.npy",
        folder, folder, program("vae_mnist"), folder, folder, folder, folder, folder);
    cr_expect(run_command(command, output, sizeof output) == 0, "%s", output);
}
#else
typedef int not_here;
#endif
