/* The command hourglass, which runs the other programs. */
#ifndef AG_DOUBLE
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"
#include "tests/support/programs.h"
#include "tests/test.h"

static int hourglass(const char *words)
{
    char command[1024];
    snprintf(command, sizeof command, "p=$(realpath %s) && cd %s && $p %s", program("../tools/hourglass"), folder,
             words);
    return run_command(command, output, sizeof output);
}

Test(hourglass, trains_and_uses)
{
    if (strstr(program(""), "emulated"))
        cr_skip_test("a program runs another only where no emulator is between them");
    make_data();
    cr_assert(hourglass("train vae_mnist --data data --hidden 16 --latent 2 --steps 3 --out run") == 0, "%s", output);
    cr_expect(hourglass("generate run/model.safetensors 10") == 0 && strstr(output, "generated.png"), "%s", output);
    cr_expect(hourglass("generate run/model.safetensors --overwrite") == 0, "%s", output);
    cr_expect(hourglass("reconstruct run/model.safetensors --data data --out out") == 0, "%s", output);
    cr_expect(hourglass("encode run/model.safetensors data/t10k-images-idx3-ubyte --output c.npy") == 0, "%s", output);
    cr_expect(hourglass("decode run/model.safetensors c.npy --output d.png") == 0 && file_is_there("d.png"), "%s",
              output);
    cr_expect(hourglass("resume run/checkpoint.safetensors --steps 5") == 0 && strstr(output, "at step 3 of 5"), "%s",
              output);
    cr_expect(hourglass("inspect run/model.safetensors") == 0 && strstr(output, "program: vae_mnist"), "%s", output);
}

/* Two sets of two seeds. */
Test(hourglass, compares_runs)
{
    if (strstr(program(""), "emulated"))
        cr_skip_test("a program runs another only where no emulator is between them");
    make_data();
    for (int i = 0; i < 4; i++) {
        char words[256];
        snprintf(words, sizeof words, "train vae_mnist --data data --hidden %d --steps 20 --seed %d --out run%d",
                 i < 2 ? 4 : 200, i, i);
        cr_assert(hourglass(words) == 0, "%s", output);
    }
    cr_assert(hourglass("compare run0 run1 run2 run3 --out c.html") == 0, "%s", output);
    cr_expect(strstr(output, "set 1: run0 run1\nset 2: run2 run3\n") && strstr(output, "test_loss: set 1") &&
                  strstr(output, "more than noise (t = ") && strstr(output, "2 seeds"),
              "%s", output);
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && grep -c 'test_loss' c.html && grep -q 'hidden</th><td>4 | 4 | 200 | 200' c.html", folder);
    cr_expect(run_command(command, output, sizeof output) == 0, "%s", output);
    cr_expect(hourglass("compare run0 run1 --out c.html") == 1 && strstr(output, "is there already"), "%s", output);
    cr_expect(hourglass("compare run0 none --out d.html") == 1 && strstr(output, "none/metrics.csv"), "%s", output);
    cr_assert(hourglass("train mlp_ae_mnist --data data --steps 5 --out other") == 0, "%s", output);
    cr_expect(hourglass("compare run0 other --out e.html") == 0, "%s", output);
    snprintf(command, sizeof command,
             "cd %s && grep -q 'sparsity</th><td> | 0' e.html && grep -q 'beta</th><td>1 | <' e.html &&"
             "grep -q test_active e.html && grep -q test_kld e.html",
             folder);
    cr_expect(run_command(command, output, sizeof output) == 0, "what only one of two runs has is not shown");
    cr_expect(hourglass("compare 1 2 3 4 5 6 7 8 9 10 11") == 2 && strstr(output, "at most 10 runs"), "%s", output);
    cr_expect(hourglass("compare run0 run1 --out=f.html") == 0 && file_is_there("f.html"), "%s", output);
    cr_expect(hourglass("compare run0 run1 --what") == 2 && strstr(output, "--what: unknown option"), "%s", output);
    cr_expect(hourglass("compare run0 run1 --out") == 2 && strstr(output, "--out: a value is missing"), "%s", output);
    cr_expect(hourglass("compare run0") == 2 && strstr(output, "usage:"), "%s", output);
    cr_expect(!file_is_there("d.html"));
}

Test(hourglass, bad_input)
{
    make_data();
    cr_expect(hourglass("--help") == 0 && strstr(output, "usage: hourglass COMMAND"), "%s", output);
    cr_expect(hourglass("--version") == 0 && strstr(output, "hourglass (Hourglass) "), "%s", output);
    cr_expect(hourglass("") == 2 && strstr(output, "usage:"), "%s", output);
    cr_expect(hourglass("train --help") == 0 && strstr(output, "usage: hourglass COMMAND"), "%s", output);
    cr_expect(hourglass("generate -h") == 0 && strstr(output, "usage: hourglass COMMAND"), "%s", output);
    cr_expect(hourglass("paint") == 2 && strstr(output, "paint: unknown command"), "%s", output);
    cr_expect(hourglass("train") == 2 && strstr(output, "a program is missing"), "%s", output);
    cr_expect(hourglass("train no_such_program") == 2 && strstr(output, "no such program"), "%s", output);
    cr_expect(hourglass("train ../models/vae_mnist") == 2, "%s", output);
    cr_expect(hourglass("resume data/none") == 1 && strstr(output, "data/none"), "%s", output);
    cr_expect(hourglass("generate") == 2 && strstr(output, "a model is missing"), "%s", output);
    cr_expect(hourglass("generate data/none") == 1 && strstr(output, "data/none"), "%s", output);
    cr_expect(hourglass("encode data/none") == 2 && strstr(output, "a file is missing"), "%s", output);
    cr_expect(hourglass("resume") == 2 && strstr(output, "a checkpoint is missing"), "%s", output);
    static const char *const long_lines[] = {"inspect", "resume a", "score a"};
    for (int i = 0; i < 3; i++) {
        char words[800];
        int  n = snprintf(words, sizeof words, "%s", long_lines[i]);
        for (int k = 0; k < 300; k++)
            n += snprintf(words + n, sizeof words - (size_t)n, " a");
        cr_expect(hourglass(words) == 2 && strstr(output, "too many words"), "%s: %s", long_lines[i], output);
    }
    nn_module *m = nn_linear(2, 2);
    char       path[512];
    snprintf(path, sizeof path, "%s/of_no_program.safetensors", folder);
    nn_reset_parameters(m, 1);
    cr_assert(nn_save(m, path, NULL));
    /* a file must not choose which program runs: /usr/bin has many */
    const nn_stored_text another = {"program", "hourglass-inspect"};
    snprintf(path, sizeof path, "%s/of_another.safetensors", folder);
    cr_assert(nn_save_checkpoint(m, 0, NULL, 1, &another, path, NULL));
    cr_expect(hourglass("generate of_another.safetensors") == 1 && strstr(output, "is not of a program of Hourglass"),
              "%s", output);
    nn_module_free(m);
    cr_expect(hourglass("generate of_no_program.safetensors") == 1 && strstr(output, "does not say which program"),
              "%s", output);
    cr_expect(hourglass("resume of_no_program.safetensors") == 1 && strstr(output, "does not say which program"), "%s",
              output);
    cr_expect(hourglass("resume data/t10k-labels-idx1-ubyte") == 1 && strstr(output, "no safetensors"), "%s", output);
}
#else
typedef int not_here;
#endif
