/* Models that are used after training: --load and what goes with it, --keep-best, hourglass-inspect. */
#ifndef AG_DOUBLE
#include <stdio.h>
#include <string.h>

#include "datasets/npy.h"
#include "tests/support/programs.h"
#include "tests/test.h"

static void read_array(const char *name, ds_npy *a)
{
    char     path[256];
    tl_error error;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert(ds_npy_read(path, a, &error), "%s", error.text);
}

static void use(const char *name, const char *what)
{
    char options[512];
    snprintf(options, sizeof options, "--quiet --load @/run/model.safetensors %s", what);
    cr_assert(run_there(name, options) == 0, "%s %s: %s", name, options, output);
}

Test(use, a_classifier_only_encodes)
{
    make_data();
    cr_assert(run_there("mlp_classifier_mnist", "--generate 2") == 2 && strstr(output, "--generate: unknown option"));
    cr_assert(run_there("mlp_classifier_mnist", "--help") == 0 && strstr(output, "--encode") &&
              !strstr(output, "--decode"));
}

Test(use, encodes_decodes_generates_reconstructs)
{
    static const char *const names[] = {"vae_mnist", "mlp_ae_mnist", "conv_ae_mnist", "denoising_ae_mnist"};
    char                     options[1024];
    make_data();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ds_npy codes, images, again;
        snprintf(options, sizeof options, "--steps 3 --quiet --out %s/run", folder);
        cr_assert(run_program(names[i], "", options) == 0, "%s", output);
        use(names[i], "--encode @/data/t10k-images-idx3-ubyte --output @/codes.npy");
        use(names[i], "--decode @/codes.npy --output @/images.npy");
        use(names[i], "--encode @/images.npy --output @/other.npy");
        use(names[i], "--reconstruct test --output @/again.npy");
        read_array("codes.npy", &codes), read_array("images.npy", &images), read_array("again.npy", &again);
        cr_assert(codes.rank == 2 && codes.dim[0] == 100 && images.rank == 3 && images.dim[1] == 28 &&
                  again.count == images.count);
        cr_assert(!memcmp(images.data, again.data, (size_t)images.count * sizeof *images.data), "%s", names[i]);
        use(names[i], "--reconstruct test --output @/pairs.png");
        use(names[i], "--reconstruct @/images.npy --output @/more.png");
        cr_assert(file_is_there("more.png") && file_is_there("pairs.png"));
        ds_npy_free(&codes), ds_npy_free(&images), ds_npy_free(&again);
        snprintf(options, sizeof options, "--quiet --load @/run/model.safetensors --generate 5 --output @/five.png");
        int status = run_there(names[i], options); /* only a VAE's codes have a prior */
        cr_assert(i == 0 ? status == 0 && file_is_there("five.png")
                         : status == 2 && strstr(output, "--generate: unknown option"),
                  "%s", output);
    }
    ds_npy first, second; /* the weights matter: other weights, other images */
    cr_assert(run_there("denoising_ae_mnist", "--steps 9 --seed 2 --quiet --out @/more") == 0, "%s", output);
    use("denoising_ae_mnist", "--reconstruct @/images.npy --output @/three.npy");
    cr_assert(run_there("denoising_ae_mnist",
                        "--quiet --load @/more/model.safetensors --reconstruct @/images.npy --output @/four.npy") == 0,
              "%s", output);
    read_array("three.npy", &first), read_array("four.npy", &second);
    cr_assert(memcmp(first.data, second.data, (size_t)first.count * sizeof *first.data) != 0);
    ds_npy_free(&first), ds_npy_free(&second);
    /* by its usual name, beside the picture that training has drawn */
    cr_assert(run_there("denoising_ae_mnist", "--load @/more/model.safetensors --denoise @/images.npy") == 0 &&
                  file_is_there("more/denoised_images.png"),
              "%s", output);
    use("denoising_ae_mnist", "--denoise test --output @/tested.npy");
    read_array("tested.npy", &first);
    cr_assert(first.dim[0] == 100);
    ds_npy_free(&first);
    use("denoising_ae_mnist", "--denoise @/images.npy --output @/clean.npy");
    use("denoising_ae_mnist", "--denoise @/images.npy --add-noise --output @/noisy.npy");
    read_array("clean.npy", &first), read_array("noisy.npy", &second);
    cr_assert(memcmp(first.data, second.data, (size_t)first.count * sizeof *first.data) != 0,
              "noise only when asked for");
    ds_npy_free(&first), ds_npy_free(&second);
    int status = run_there("denoising_ae_mnist",
                           "--load @/run/model.safetensors --decode @/three.npy --output @/x.npy");
    cr_assert(status == 1 && strstr(output, "three.npy: codes of 784 numbers, the model's have 64"), "%s", output);
}

/* Zeros, with `second` in the second place. */
static void write_array(const char *name, int rank, const int64_t *dim, ag_real second)
{
    char    path[256];
    ag_real x[1000] = {0, second};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    cr_assert(f && ds_npy_write(f, rank, dim, x) && fclose(f) == 0);
}

/* A photograph of a digit is one image; what is no image of the model's size, or makes no sense together, is refused.
 */
Test(use, pictures_and_what_is_refused)
{
    static const char *const refused[][2] = {
        {"--encode @/codes.npy --output @/x.npy", "codes.npy: images of 20 numbers, the model expects 28 x 28"},
        {"--encode @/run/loss.svg --output @/x.npy", "loss.svg: neither PNG nor PGM"},
        {"--encode @/none.npy --output @/x.npy", "none.npy: the file is empty"},
        {"--encode @/zip.npz --output @/x.npy", "save one array with numpy.save"},
        {"--encode @/photo.jpg --output @/x.npy", "a JPEG file; save the picture as PNG instead"},
        {"--encode @/digits.gz --output @/x.npy", "compressed by gzip; unpack it with gunzip"},
        {"--encode @/bytes.npy --output @/x.npy", "number 1 is 255, expected 0 to 1 (grey values of 0 to 255: divide"},
        {"--encode @/cut.png --output @/x.npy", "cut.png: "},
        {"--reconstruct test --data @/small", "small: images of 1 x 4, the model was trained on 28 x 28"},
        {"--reconstruct test --generate 3", "--load: expected one of"},
        {"--generate 3 --output @/x.txt", "expected a name that ends in .npy or .png"},
        {"--score --output @/x.npy", "--output: not with --score and --edit"}};
    ds_npy code;
    char   command[512];
    make_data();
    cr_assert(run_there("vae_mnist", "--steps 3 --quiet --out @/run") == 0, "%s", output);
    use("vae_mnist", "--encode @/run/samples.png --output @/codes.npy");
    read_array("codes.npy", &code);
    cr_assert(code.rank == 2 && code.dim[0] == 1 && code.dim[1] == 20);
    ds_npy_free(&code);
    snprintf(command, sizeof command,
             "cd %s && mkdir small && for n in train t10k; do"
             " printf '\\0\\0\\010\\003\\0\\0\\0\\1\\0\\0\\0\\1\\0\\0\\0\\4abcd' > small/$n-images-idx3-ubyte;"
             " printf '\\0\\0\\010\\001\\0\\0\\0\\1\\0' > small/$n-labels-idx1-ubyte; done",
             folder);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
    snprintf(command, sizeof command,
             "cd %s && head -c 300 run/samples.png > cut.png && printf '\\377\\330\\377\\340' > photo.jpg &&"
             " : > none.npy && printf 'PK\\3\\4' > zip.npz &&"
             "echo | gzip > digits.gz",
             folder);
    cr_assert(run_command(command, output, sizeof output) == 0);
    write_array("bytes.npy", 2, (int64_t[]){28, 28}, 255);
    write_array("image.npy", 2, (int64_t[]){28, 28}, 1);
    write_array("code.npy", 1, (int64_t[]){20}, 3);
    use("vae_mnist", "--encode @/image.npy --output @/one.npy");
    use("vae_mnist", "--decode @/code.npy --output @/one-image.npy");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char options[256];
        snprintf(options, sizeof options, "--load @/run/model.safetensors %s", refused[i][0]);
        const int status = run_there("vae_mnist", options);
        cr_expect(status > 0 && strstr(output, refused[i][1]), "%s: %d, %s", refused[i][0], status, output);
    }
    cr_assert(run_there("denoising_ae_mnist", "--steps 3 --quiet --out @/noisy") == 0, "%s", output);
    cr_assert(run_there("denoising_ae_mnist", "--load @/noisy/model.safetensors --encode @/run/samples.png --add-noise "
                                              "--output @/x.npy") == 2 &&
                  strstr(output, "--add-noise: expected --denoise with it"),
              "%s", output);
}

/* A conditional model: the digit is in the code. */
Test(use, a_conditional_model_is_asked_for_a_digit)
{
    enum { LATENT = 4, CLASSES = 10, CODE = LATENT + CLASSES };
    static const char *const name = "cvae_mnist";
    ds_npy                   codes, all, seven, again;
    make_data();
    cr_assert(run_there(name, "--hidden 30 --latent 4 --steps 3 --quiet --out @/run") == 0, "%s", output);
    use(name, "--generate 64 --output @/all.npy");
    use(name, "--generate 64 --digit 7 --output @/seven.npy");
    use(name, "--generate 64 --digit 7 --output @/seven.png");
    read_array("all.npy", &all), read_array("seven.npy", &seven);
    for (int64_t i = 0; i < 64; i++) { /* the same z, with digit i mod 10 and with 7 */
        bool same = !memcmp(all.data + i * 784, seven.data + i * 784, 784 * sizeof *all.data);
        cr_expect(same == (i % CLASSES == 7), "image %d", (int)i);
    }
    int status = run_there(name, "--load @/run/model.safetensors --encode @/all.npy --output @/codes.npy");
    cr_expect(status == 1 && strstr(output, "the images have no labels; --digit N gives all of them one"), "%s",
              output);
    use(name, "--digit 3 --encode @/all.npy --output @/codes.npy");
    read_array("codes.npy", &codes);
    cr_assert(codes.rank == 2 && codes.dim[0] == 64 && codes.dim[1] == CODE);
    for (int64_t i = 0; i < 64; i++)
        for (int64_t k = 0; k < CLASSES; k++)
            cr_assert((codes.data[i * CODE + LATENT + k] > 0) == (k == 3));
    use(name, "--decode @/codes.npy --output @/images.npy");
    use(name, "--reconstruct test --output @/again.npy");
    read_array("again.npy", &again);
    cr_assert(again.dim[0] == 100 && file_is_there("seven.png"));
    ds_npy_free(&codes), ds_npy_free(&all), ds_npy_free(&seven), ds_npy_free(&again);
}

/* The best epoch is chosen by the data's own validation images, or by the last tenth of the training images. */
Test(use, the_best_epoch_is_chosen_by_images_of_its_own)
{
    static const char run[] = "--epochs 2 --batch 50 --keep-best --out @/";
    char              options[256], command[1024];
    make_data();
    snprintf(options, sizeof options, "%stenth", run);
    cr_assert(run_there("mlp_ae_mnist", options) == 0 &&
                  strstr(output, "(288 training, 32 validation, 100 test images)"),
              "%s", output);
    cr_assert(strstr(output, "the best epoch, whose weights these are: ") && file_is_there("tenth/best.safetensors"));
    snprintf(command, sizeof command,
             "cd %s/data && for f in images-idx3 labels-idx1; do cp t10k-$f-ubyte valid-$f-ubyte; done", folder);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
    cr_assert(run_there("mlp_ae_mnist", "--batch 50 --resume @/tenth/checkpoint.safetensors --epochs 3") == 1 &&
                  strstr(output, "was made with other training examples"),
              "a tenth more to train on: %s", output);
    snprintf(options, sizeof options, "%sown", run);
    cr_assert(run_there("mlp_ae_mnist", options) == 0 &&
                  strstr(output, "(320 training, 100 validation, 100 test images)"),
              "%s", output);
    snprintf(command, sizeof command, "head -c 1000 %s/data/t10k-images-idx3-ubyte > %s/data/valid-images-idx3-ubyte",
             folder, folder);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
    snprintf(options, sizeof options, "%scut", run);
    cr_assert(run_there("mlp_ae_mnist", options) == 1 && strstr(output, "valid-images-idx3-ubyte: "), "%s", output);
}

/* A model is used where its training images are not; unless it needs their mean and deviation. */
Test(use, without_the_training_images)
{
    char command[1024];
    make_data();
    cr_assert(run_there("mlp_ae_mnist", "--steps 2 --quiet --out @/plain") == 0, "%s", output);
    cr_assert(run_there("denoising_ae_mnist", "--tutorial --steps 2 --quiet --out @/tutorial") == 0, "%s", output);
    snprintf(command, sizeof command,
             "mv %s/data %s/gone; %s --load %s/plain/model.safetensors --encode %s/gone/t10k-images-idx3-ubyte "
             "--output %s/x.npy",
             folder, folder, program("mlp_ae_mnist"), folder, folder, folder);
    cr_assert(run_command(command, output, sizeof output) == 0 && file_is_there("x.npy"), "%s", output);
    snprintf(command, sizeof command,
             "%s --load %s/tutorial/model.safetensors --encode %s/gone/t10k-images-idx3-ubyte --output %s/y.npy",
             program("denoising_ae_mnist"), folder, folder, folder);
    cr_assert(run_command(command, output, sizeof output) == 1 &&
                  strstr(output, "/data/train-images-idx3-ubyte: No such file"),
              "%s", output);
    snprintf(command, sizeof command, "%s --load %s/plain/model.safetensors --reconstruct test",
             program("mlp_ae_mnist"), folder);
    cr_assert(run_command(command, output, sizeof output) == 1 &&
                  strstr(output, "/data/train-images-idx3-ubyte: No such file"),
              "nothing stands in for data that are gone: %s", output);
}

Test(use, inspect_reads_what_a_program_wrote)
{
    char command[1024], options[256];
    make_data();
    snprintf(options, sizeof options, "--variant tanh3 --steps 3 --quiet --out %s/run", folder);
    cr_assert(run_program("mlp_ae_mnist", "", options) == 0, "%s", output);
    snprintf(command, sizeof command, "%s %s/run/checkpoint.safetensors", program("../tools/hourglass-inspect"),
             folder);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
    cr_assert(strstr(output, "encoder.0.weight") && strstr(output, "(128, 784)") &&
                  strstr(output, "option.variant: tanh3") && strstr(output, "step: 3"),
              "%s", output);
    strcat(
        command,
        " --json | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d[\"tensors\"][\"encoder.0.bias\"][\"shape\"])'");
    if (run_command("python3 -c 'import json'", NULL, 0) == 0)
        cr_assert(run_command(command, output, sizeof output) == 0 && !strncmp(output, "[128]", 5), "%s", output);
}
#else
typedef int float_only;
#endif
