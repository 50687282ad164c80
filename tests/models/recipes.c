/* The recipes of recipes.def on the real MNIST: the weights after 30 steps, pinned, for any number of threads and any
 * kernels. */
#ifndef AG_DOUBLE
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/recipes.h"
#include "tests/support/programs.h"
#include "tests/test.h"

/* Where fma is a function of the C library, and under sanitizers, which find nothing here that runs on made digits do
 * not show, this takes minutes. */
#if !SLOW
static const struct {
    char        id;
    const char *options, *weights;
} pinned[] = {
    {'a', "", "4fb98e5fd1c8d13a"},
    {'b', "", "d4cc227382812b98"},
    {'c', "--variant chunked", "74ba771b7c658935"},
    {'d', "--variant tanh3", "ecb965b860be3a41"},
    {'e', "", "73f42e82894c352c"},
    {'f', "--tutorial", "70b7cac8b8e5a922"},
    {'g', "", "c10aea7ecfbda121"},
    {'h', "--variant relu2", "121e8cab954850b8"},
    {'i', "--variant conv", "d20686805ad0c117"},
    {'o', "", "ad1e42569b09d17a"},
};

/* All training images, and 100 test images, of which the weights know nothing. */
static bool make_folder(void)
{
    char command[2048];
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    snprintf(command, sizeof command,
             "mkdir -p %s/data && cd %s/data && ln -sf \"$OLDPWD/%s\"/train-* . && "
             "{ printf '\\0\\0\\010\\003\\0\\0\\0\\144\\0\\0\\0\\034\\0\\0\\0\\034'; "
             "head -c 78416 \"$OLDPWD/%s/t10k-images-idx3-ubyte\" | tail -c +17; } > t10k-images-idx3-ubyte && "
             "{ printf '\\0\\0\\010\\001\\0\\0\\0\\144'; "
             "head -c 108 \"$OLDPWD/%s/t10k-labels-idx1-ubyte\" | tail -c +9; } > t10k-labels-idx1-ubyte",
             folder, folder, mnist_folder(), mnist_folder(), mnist_folder());
    return run_command(command, output, sizeof output) == 0;
}

static void check_weights(size_t i, const char *environment)
{
    char        command[1024], wanted[32];
    const char *name = recipe_of(pinned[i].id)->program;
    snprintf(wanted, sizeof wanted, "weights %s", pinned[i].weights);
    snprintf(command, sizeof command, "%s %s %s --steps 30 --quiet --overwrite --data %s/data --out %s/run",
             environment, program(name), pinned[i].options, folder, folder);
    const int status = run_command(command, output, sizeof output);
    if (status == 2 && strstr(output, "HOURGLASS_ISA")) /* this CPU has not all of them */
        return;
    cr_expect(status == 0 && !strcmp(last_line(), wanted), "%c, %s: %s, expected %s", pinned[i].id, environment, output,
              wanted);
}

static void check_all(const char *environment)
{
    if (!mnist_folder())
        cr_skip_test("MNIST is not at hand");
    cr_assert(make_folder(), "%s", output);
    for (size_t i = 0; i < sizeof pinned / sizeof *pinned; i++)
        check_weights(i, environment);
}

Test(recipes, weights_with_one_thread)
{
    check_all("HOURGLASS_THREADS=1");
}

Test(recipes, weights_with_two_threads)
{
    check_all("HOURGLASS_THREADS=2");
}

Test(recipes, weights_with_five_threads)
{
    check_all("HOURGLASS_THREADS=5");
}

Test(recipes, weights_with_avx2)
{
    check_all("HOURGLASS_ISA=avx2");
}

Test(recipes, weights_with_avx512)
{
    check_all("HOURGLASS_ISA=avx512");
}
#endif

/* ---- Checkpoints of version 0.1.0: of vae_mnist --hidden 1 --latent 2 --batch 8 --steps 2. ---- */

#define OLD "tests/golden/checkpoint_0.1.0.safetensors"

Test(recipes, checkpoints_of_version_0_1_0_are_loaded_but_not_resumed)
{
    char options[512];
    make_data();
    snprintf(options, sizeof options, "--batch 8 --out %s/run --resume " OLD, folder);
    int         status = run_program("vae_mnist", "", options);
    const char *part = OLD ": was written by an older version, whose runs cannot be resumed; --load reads its weights";
    cr_expect(status == 1 && strstr(output, part), "%d: %s", status, output);
    snprintf(options, sizeof options, "--load " OLD " --generate 4 --output %s/four.npy", folder);
    status = run_program("vae_mnist", "", options);
    cr_expect(status == 0 && file_is_there("four.npy"), "%d: %s", status, output);
}
#else
typedef int float_only;
#endif
