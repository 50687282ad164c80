/* Runs that are stopped, at any moment and in any way, and go on. */
#ifndef AG_DOUBLE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/safetensors.h"
#include "tests/support/programs.h"
#include "tests/test.h"

/* What every run here has: it is long enough to be killed within. 40 steps of 8 images are an epoch. */
#define RECIPE "--hidden 48 --latent 4 --batch 8 --seed 5 --epochs 5 --quiet"

static char wanted[64];

/* The whole run, never stopped. */
static void make_reference(void)
{
    char options[512];
    make_data();
    snprintf(options, sizeof options, RECIPE " --out %s/whole", folder);
    cr_assert(run_program("vae_mnist", "", options) == 0, "%s", output);
    snprintf(wanted, sizeof wanted, "%s", last_line());
}

/* metrics.csv without the seconds, of the whole run and another: the same. */
static void check_metrics(const char *name)
{
    char command[1024];
    snprintf(
        command, sizeof command,
        "cd %s && for r in whole %s; do sed 's/,[^,]*$//' $r/metrics.csv > $r/losses; done; cmp whole/losses %s/losses",
        folder, name, name);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
}

/* Goes on from the run's checkpoint, or, where it was killed before the first, from the start. */
static void go_on(const char *name, const char *environment)
{
    char options[512], checkpoint[64];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", name);
    if (file_is_there(checkpoint))
        snprintf(options, sizeof options, "--batch 8 --quiet --out %s/%s --resume %s/%s", folder, name, folder,
                 checkpoint);
    else
        snprintf(options, sizeof options, RECIPE " --out %s/%s", folder, name);
    cr_assert(run_program("vae_mnist", environment, options) == 0, "%s", output);
    cr_assert(!strcmp(last_line(), wanted), "%s: %s, expected %s", name, last_line(), wanted);
    check_metrics(name);
}

/* A phase that is over keeps its length. */
Test(resume, does_not_lengthen_phases_that_are_over)
{
    make_data();
    cr_assert(run_there("stacked_ae_mnist", "--hidden 20 --pretrain-epochs 1 --epochs 1 --quiet --out @/run") == 0,
              "%s", output);
    cr_expect(run_there("stacked_ae_mnist", "--resume @/run/checkpoint.safetensors --epochs 2 --quiet") != 0 &&
                  strstr(output, "is in phase without pre-training, after 20 steps") &&
                  strstr(output, "what is over cannot be made longer"),
              "%s", output);
}

/* A schedule of several phases, each of which continues the one before, may get more of them, as a run more epochs. */
Test(resume, a_schedule_gets_another_stage)
{
    make_data();
    const char *options = "--hidden 20 --latent 4 --quiet --out @/";
    char        whole[64], all[256];
    snprintf(all, sizeof all, "--stages 2 %swhole", options);
    cr_assert(run_there("iwae_mnist", all) == 0, "%s", output);
    snprintf(whole, sizeof whole, "%s", last_line());
    snprintf(all, sizeof all, "--stages 1 %srun", options);
    cr_assert(run_there("iwae_mnist", all) == 0 && strcmp(last_line(), whole) != 0, "%s", output);
    cr_assert(run_there("iwae_mnist", "--resume @/run/checkpoint.safetensors --stages 2 --quiet") == 0, "%s", output);
    cr_expect(!strcmp(last_line(), whole), "%s, expected %s", last_line(), whole);
    cr_expect(run_there("iwae_mnist", "--resume @/run/checkpoint.safetensors --stages 1 --quiet") != 0 &&
                  strstr(output, "is of a run with 2 phases, expected 1"),
              "%s", output);
}

Test(resume, killed_at_twenty_moments)
{
    const int                moments = SLOW ? 4 : 20;
    static const char *const threads[] = {"HOURGLASS_THREADS=1", "HOURGLASS_THREADS=3"};
    make_reference();
    for (int i = 0; i < moments; i++) {
        char command[2048], name[16];
        snprintf(name, sizeof name, "run%d", i);
        snprintf(command, sizeof command,
                 "{ %s --data %s/data " RECIPE
                 " --save-every 3 --out %s/%s & p=$!; sleep 0.%03d; kill -9 $p; wait $p; } 2>/dev/null;"
                 " true",
                 program("vae_mnist"), folder, folder, name, 10 + i * 37 % 200);
        cr_assert(run_command(command, output, sizeof output) == 0);
        go_on(name, threads[i % 2]);
    }
}

/* --steps N ends in the middle of an epoch; the same recipe with more steps goes on. Several programs, several kinds of
 * batches. */
Test(resume, in_the_middle_of_an_epoch)
{
    static const char *const runs[][2] = {{"denoising_ae_mnist", "--tutorial"},
                                          {"mlp_ae_mnist", "--variant tanh3 --dropout 0.2"},
                                          {"vae_mnist", "--variant conv"},
                                          {"mlp_ae_mnist", "--variant relu2"},
                                          {"conv_ae_mnist", ""},
                                          {"mlp_classifier_mnist", ""},
                                          {"cvae_mnist", ""}};
    const size_t             n = SLOW ? 2 : sizeof runs / sizeof *runs;
    char                     options[512], whole[64];
    make_data();
    for (size_t i = 0; i < n; i++) {
        snprintf(options, sizeof options, "%s --quiet --batch 16 --steps 7 --out %s/whole", runs[i][1], folder);
        cr_assert(run_program(runs[i][0], "", options) == 0, "%s", output);
        snprintf(whole, sizeof whole, "%s", last_line());
        snprintf(options, sizeof options, "%s --quiet --batch 16 --steps 4 --out %s/part", runs[i][1], folder);
        cr_assert(run_program(runs[i][0], "", options) == 0 && strcmp(last_line(), whole) != 0, "%s", output);
        snprintf(options, sizeof options,
                 "--quiet --batch 16 --steps 7 --out %s/part --resume %s/part/checkpoint.safetensors", folder, folder);
        for (int again = 0; again < 2; again++) { /* the second time there is nothing left to do */
            cr_assert(run_program(runs[i][0], "", options) == 0 && !strcmp(last_line(), whole),
                      "%s %s: %s, expected %s", runs[i][0], runs[i][1], output, whole);
            check_metrics("part");
        }
    }
}

Test(resume, a_signal_leaves_a_checkpoint)
{
    char command[2048];
    make_reference();
    snprintf(command, sizeof command,
             "{ %s --data %s/data " RECIPE " --epochs 100000 --out %s/run & p=$!; sleep 0.5; kill -TERM $p; wait $p; }",
             program("vae_mnist"), folder, folder);
    int status = run_command(command, output, sizeof output);
    cr_assert(status == 130 && file_is_there("run/checkpoint.safetensors"), "%s", output);
    const char *after = strstr(output, "after step ");
    cr_assert(after, "%s", output);
    snprintf(command, sizeof command, "%s/run/checkpoint.safetensors", folder);
    nn_safetensors file;
    tl_error       why;
    cr_assert(nn_safetensors_read(command, &file, &why), "%s", why.text);
    cr_assert(atoi(nn_safetensors_text(&file, "step")) == atoi(after + 11),
              "the checkpoint is of the step that was told");
    nn_safetensors_free(&file);
}

/* ---- Refusals. ---- */

static void check_refused(const char *options, int status, const char *part)
{
    int got = run_there("vae_mnist", options);
    cr_expect(got == status && strstr(output, part), "%s: status %d, \"%s\", expected \"%s\"", options, got, output,
              part);
}

static void flip_bit(const char *path, long at)
{
    FILE *f = fopen(path, "r+b");
    cr_assert(f && fseek(f, at, SEEK_SET) == 0);
    int c = fgetc(f);
    cr_assert(fseek(f, at, SEEK_SET) == 0 && fputc(c ^ 4, f) != EOF && fclose(f) == 0);
}

Test(resume, refuses)
{
    char command[1024], path[256];
    make_reference();
    check_refused("--resume @/none", 1, "/none: No such file");
    check_refused("--resume @/data/pixels", 1, "no safetensors: a header of");
    check_refused("--batch 8 --resume @/whole/model.safetensors", 1,
                  "holds no run to resume; --load reads its weights");
    check_refused("--batch 8 --resume @/whole/checkpoint.safetensors --latent 5", 1,
                  "other shapes: fc21.weight is (4, 48) in the file, (5, 48)");
    check_refused("--resume @/whole/checkpoint.safetensors", 2,
                  "--batch: a run that is resumed keeps its batch, 8"); /* 64, not 8 */
    check_refused("--resume", 2, "--resume: a value is missing");
    check_refused("--load @/whole/model.safetensors --encode @/data/t10k-images-idx3-ubyte --output @/x.png", 2,
                  "ends in .npy");
    check_refused("--load @/whole/model.safetensors", 2, "expected one of --generate");
    check_refused("--load @/whole/model.safetensors --generate 2 --reconstruct test", 2, "expected one of --generate");
    check_refused("--generate 2", 2, "need --load");
    check_refused("--load x --resume y", 2, "--resume and --load: expected one of them");
    check_refused("--load @/whole/model.safetensors --generate 2 --output @/x.jpg", 2,
                  "expected a name that ends in .npy or .png");
    check_refused("--load @/whole/model.safetensors --encode @/none.npy --output @/x.npy", 1, "none.npy: No such file");
    check_refused("--load @/whole/model.safetensors --decode @/data/pixels --output @/x.npy", 1, "is no .npy file");
    check_refused("--load @/whole/model.safetensors --generate 2 --output /nonexistent/x.npy", 1,
                  "/nonexistent/x.npy: cannot be written: No such");
    snprintf(command, sizeof command, "cd %s && head -c 20000 whole/checkpoint.safetensors > cut", folder);
    cr_assert(run_command(command, output, sizeof output) == 0);
    check_refused("--resume @/cut", 1, "the file has");
    snprintf(path, sizeof path, "%s/cut", folder);
    snprintf(command, sizeof command, "cp %s/whole/checkpoint.safetensors %s", folder, path);
    cr_assert(run_command(command, output, sizeof output) == 0);
    flip_bit(path, 9);
    check_refused("--resume @/cut", 1, "of the header");
    snprintf(path, sizeof path, "%s/data/train-images-idx3-ubyte", folder);
    flip_bit(path, 1000);
    check_refused("--batch 8 --resume @/whole/checkpoint.safetensors", 1, "was made with other training examples");
    int status = run_program("mlp_ae_mnist", "", "--load nothing --decode 1");
    cr_expect(status == 1 && strstr(output, "nothing: No such file"), "%s", output);
    snprintf(command, sizeof command, "--resume %s/whole/checkpoint.safetensors", folder);
    status = run_program("mlp_ae_mnist", "", command);
    cr_expect(status == 1 && strstr(output, "checkpoint.safetensors: is of vae_mnist"), "%s", output);
}

/* A disk that fills up: the run says so, and the checkpoint from before is whole and goes on. */
Test(resume, a_full_disk_leaves_the_checkpoint_from_before)
{
    char options[512];
    make_reference();
    snprintf(options, sizeof options, RECIPE " --epochs 2 --out %s/run", folder);
    cr_assert(run_program("vae_mnist", "", options) == 0, "%s", output);
    snprintf(options, sizeof options,
             "--batch 8 --quiet --out %s/run --resume %s/run/checkpoint.safetensors --epochs 5", folder, folder);
    int status = run_program("vae_mnist", FILES_OF(100), options);
    cr_assert(status == 1 && strstr(output, "checkpoint.safetensors: cannot be written: File too large"), "%d: %s",
              status, output);
    cr_assert(!file_is_there("run/checkpoint.safetensors.*.part"));
    cr_assert(run_program("vae_mnist", "", options) == 0 && !strcmp(last_line(), wanted), "%s", output);
}
#else
typedef int float_only;
#endif
