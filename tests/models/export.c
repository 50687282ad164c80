/* Models exported as C: compiled without the library, they give the programs' bits. */
#ifndef AG_DOUBLE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/programs.h"
#include "tests/test.h"

/* Reads rows of `in` numbers, or of bytes that are 255 times too large, and writes what f makes of each. */
static const char main_text[] =
    "#include <stdio.h>\n"
    "static unsigned char bytes[IN];\nstatic float x[IN], y[OUT];\n"
    "int main(void)\n{\n"
    "    for (int n = 0; n < 100; n++) {\n"
    "        if (BYTES && fread(bytes, sizeof bytes, 1, stdin) != 1)\n            return 1;\n"
    "        for (int i = 0; BYTES && i < IN; i++)\n            x[i] = (float)bytes[i] / 255;\n"
    "        if (!BYTES && fread(x, sizeof x, 1, stdin) != 1)\n            return 1;\n"
    "        F(x, y);\n"
    "        fwrite(y, sizeof y, 1, stdout);\n"
    "    }\n    return 0;\n}\n";

static void in_folder(const char *command)
{
    char whole[2048];
    snprintf(whole, sizeof whole, "cd %s && %s", folder, command);
    cr_assert(run_command(whole, output, sizeof output) == 0, "%s: %s", command, output);
}

/* Compiles `part` of the program's model and lets it make `made` of the end of the file `from`. */
static void compile_and_run(const char *name, const char *part, int in, int out, const char *from, const char *made)
{
    char path[256], command[1024];
    snprintf(path, sizeof path, "%s/main.c", folder);
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(main_text, f) >= 0 && fclose(f) == 0);
    snprintf(command, sizeof command,
             "cat %s.c main.c > all.c && ${CC:-cc} -std=c11 -O2 -Wall -Wextra -Werror -DF=%s_%s -DIN=%d -DOUT=%d "
             "-DBYTES=%d all.c -lm -o all && tail -c %d %s | ./all > %s.bin && tail -c %d %s | cmp - %s.bin",
             part, name, part, in, out, in == 784, 100 * in * (in == 784 ? 1 : 4), from, part, 100 * out * 4, made,
             part);
    in_folder(command);
}

static const struct {
    const char *name, *options;
    int         code;
    bool        decodes;
} runs[] = {
    {"vae_mnist", "--hidden 40 --latent 5", 5, true},
    {"vae_mnist", "--variant conv --latent 3", 3, true},
    {"mlp_ae_mnist", "--variant tanh3", 3, true},
    {"conv_ae_mnist", "", 32, true},
    {"denoising_ae_mnist", "--tutorial", 200, true},
    {"denoising_ae_mnist", "--conv --latent 8", 8, true},
    {"adversarial_ae_mnist", "--hidden 30 --latent 4", 4, true},
    {"cvae_mnist", "--hidden 30 --latent 4", 14, true},
    {"vae_mnist", "--variant chunked", 10, true},
    {"vae_gan_mnist", "--hidden 30 --latent 4", 4, true},
    {"mlp_classifier_mnist", "--hidden 30", 10, false},
};

Test(export_of_a_model, gives_the_programs_bits)
{
    const size_t n = SLOW ? 2 : sizeof runs / sizeof *runs;
    if (run_command("command -v ${CC:-cc}", NULL, 0) != 0)
        cr_skip_test("there is no compiler");
    make_data();
    for (size_t i = 0; i < n; i++) {
        const char *name = runs[i].name, *load = "--quiet --load @/run/model.safetensors";
        if (!strcmp(name, "cvae_mnist")) /* the digit of all images */
            load = "--quiet --digit 3 --load @/run/model.safetensors";
        char options[512];
        snprintf(options, sizeof options, "%s --steps 4 --batch 32 --quiet --out @/run", runs[i].options);
        cr_assert(run_there(name, options) == 0, "%s", output);
        snprintf(options, sizeof options, "%s --encode @/data/t10k-images-idx3-ubyte --output @/codes.npy", load);
        cr_assert(run_there(name, options) == 0, "%s", output);
        snprintf(options, sizeof options, "%s --export encoder --output @/encoder.c", load);
        cr_assert(run_there(name, options) == 0, "%s", output);
        compile_and_run(name, "encoder", 784, runs[i].code, "data/t10k-images-idx3-ubyte", "codes.npy");
        if (!runs[i].decodes)
            continue;
        snprintf(options, sizeof options, "%s --decode @/codes.npy --output @/images.npy", load);
        cr_assert(run_there(name, options) == 0, "%s", output);
        snprintf(options, sizeof options, "%s --export decoder --output @/decoder.c", load);
        cr_assert(run_there(name, options) == 0, "%s", output);
        compile_and_run(name, "decoder", runs[i].code, 784, "codes.npy", "images.npy");
    }
}

static void check_refused(const char *name, const char *options, int status, const char *part)
{
    int got = run_there(name, options);
    cr_expect(got == status && strstr(output, part), "%s: status %d, \"%s\", expected \"%s\"", options, got, output,
              part);
}

Test(export_of_a_model, refuses)
{
    make_data();
    cr_assert(run_there("mlp_classifier_mnist", "--hidden 9 --steps 1 --quiet --out @/c") == 0, "%s", output);
    cr_assert(run_there("cvae_mnist", "--hidden 9 --steps 1 --quiet --out @/cvae") == 0, "%s", output);
    check_refused("mlp_classifier_mnist", "--load @/c/model.safetensors --export decoder", 2, "expected encoder");
    check_refused("mlp_classifier_mnist", "--load @/c/model.safetensors --export encoder --output @/x.npy", 2,
                  "expected a name that ends in .c");
    check_refused("mlp_classifier_mnist", "--load @/c/model.safetensors --export encoder --output /dev/full/x.c", 1,
                  "/dev/full/x.c: ");
    check_refused("mlp_classifier_mnist", "--export encoder", 2, "need --load");
    check_refused("cvae_mnist", "--load @/cvae/model.safetensors --export encoder", 1, "the images have no labels");
    cr_expect(!file_is_there("cvae/encoder.c"));
    check_refused("cvae_mnist", "--load @/cvae/model.safetensors --export decoder", 0, "cvae/decoder.c");
}
#else
typedef int nothing_here;
#endif
