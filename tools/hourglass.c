/* One command for all: hourglass train vae_mnist, hourglass generate model.safetensors. It runs the programs that lie
 * beside it, or in ../models; which of them a model belongs to, the model says. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "autograd/runtime.h"
#include "nn/safetensors.h"
#include "tools/file.h"
#include "tools/text.h"

enum { PATH = 4096, MOST_WORDS = 256 };

/* What is done with a model: the option that stands for it, and whether it takes a value (else a default). */
static const struct {
    const char *command, *option, *value, *what, *help;
} uses[] = {
    {"generate", "--generate", "64", "MODEL [N]", "draw N new images, or write N poems"},
    {"reconstruct", "--reconstruct", "test", "MODEL [FILE]", "images and what the model makes of them"},
    {"denoise", "--denoise", NULL, "MODEL FILE", "noisy images and their denoised versions"},
    {"encode", "--encode", NULL, "MODEL FILE", "the codes of images"},
    {"decode", "--decode", NULL, "MODEL FILE", "the images of codes"},
    {"score", "--score", "", "MODEL", "how near new images are to the test images"},
    {"export", "--export", "decoder", "MODEL [PART]", "the encoder or decoder as a C file without a library"},
    {"edit", "--edit", "", "MODEL", "change properties of digits by their codes"},
};

static int fail(const char *text, const char *what)
{
    fprintf(stderr, "hourglass: ");
    tl_print_escaped(stderr, text);
    fprintf(stderr, "%s\n", what);
    return 2;
}

static void print_usage(FILE *to)
{
    fputs("usage: hourglass COMMAND ...\n"
          "One command for the programs of Hourglass. Further options of a model's program can follow.\n\n"
          "options:\n"
          "  train PROGRAM [options]   train a model: vae_mnist, conv_ae_mnist, poem_vae, ...\n"
          "  resume CHECKPOINT         go on with a run that was stopped\n"
          "  inspect FILE              what is in a safetensors file\n"
          "  compare RUN RUN ...       a page with several runs side by side\n",
          to);
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        fprintf(to, "  %s %-*s %s\n", uses[i].command, 24 - (int)strlen(uses[i].command), uses[i].what, uses[i].help);
    fputs("  -h, --help                print this and exit\n"
          "  --version                 print the version and exit\n",
          to);
}

/* ---- Running a program. ---- */

/* The folder that this program lies in. */
static bool own_folder(char *folder, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", folder, size - 1);
    if (n < 1)
        return false;
    folder[n] = 0;
    char *slash = strrchr(folder, '/');
    if (!slash)
        return false;
    *slash = 0;
    return true;
}

/* Takes this program's place; returns only if there is no such program. */
static int run(const char *program, int n, const char *const *words)
{
    static const char *const places[] = {"", "/../models", "/../tools"};
    char                     folder[PATH], path[PATH + 300];
    const char              *argv[MOST_WORDS + 2];
    if (n > MOST_WORDS)
        return fail(program, ": too many words");
    if (strchr(program, '/') || !own_folder(folder, sizeof folder))
        return fail(program, ": no such program");
    argv[0] = path;
    for (int i = 0; i < n; i++)
        argv[i + 1] = words[i];
    argv[n + 1] = NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s%s/%.200s", folder, places[i], program);
        execv(path, (char *const *)argv);
        if (errno != ENOENT)
            return fail(path, ": cannot be run");
    }
    return fail(program, ": no such program; expected it beside hourglass");
}

/* A file from elsewhere may name any program that lies beside this one, such as those of /usr/bin. */
static bool is_of_the_zoo(const char *program)
{
    return tl_ends_with(program, "_mnist") || !strcmp(program, "poem_vae");
}

/* The program that wrote a file. */
static bool program_of(const char *path, char *program, size_t size)
{
    nn_safetensors file;
    tl_error       why;
    if (!nn_safetensors_read(path, &file, &why)) {
        fprintf(stderr, "hourglass: %s\n", why.text);
        return false;
    }
    const char *text = nn_safetensors_text(&file, "program");
    snprintf(program, size, "%s", text ? text : "");
    nn_safetensors_free(&file);
    if (is_of_the_zoo(program))
        return true;
    fail(path, *program ? ": is not of a program of Hourglass" : ": does not say which program it is of");
    return false;
}

/* ---- Commands. ---- */

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1];
}

/* hourglass generate MODEL [N] [options] is PROGRAM --load MODEL --generate N [options]. */
static int use(size_t which, int n, char **words)
{
    const char *asked[MOST_WORDS + 4], *value = uses[which].value;
    char        program[200];
    int         k = 0, at = 1;
    if (n < 1 || is_option(words[0]))
        return fail(uses[which].command, ": a model is missing");
    if (n > MOST_WORDS)
        return fail(uses[which].command, ": too many words");
    if (n > 1 && !is_option(words[1]) && !(value && !*value))
        value = words[at++];
    if (!value)
        return fail(uses[which].command, ": a file is missing");
    if (!program_of(words[0], program, sizeof program))
        return 1;
    asked[k++] = "--load";
    asked[k++] = words[0];
    asked[k++] = uses[which].option;
    if (*value)
        asked[k++] = value;
    while (at < n)
        asked[k++] = words[at++];
    return run(program, k, asked);
}

static int resume(int n, char **words)
{
    const char *asked[MOST_WORDS + 4];
    char        program[200];
    int         k = 0;
    if (n < 1 || is_option(words[0]))
        return fail("resume", ": a checkpoint is missing");
    if (n > MOST_WORDS)
        return fail("resume", ": too many words");
    if (!program_of(words[0], program, sizeof program))
        return 1;
    asked[k++] = "--resume";
    for (int i = 0; i < n; i++)
        asked[k++] = words[i];
    return run(program, k, asked);
}

static int command(int n, char **words)
{
    if (n > 1 && (!strcmp(words[1], "--help") || !strcmp(words[1], "-h")) && strcmp(words[0], "inspect") &&
        strcmp(words[0], "compare")) {
        print_usage(stdout);
        return 0;
    }
    if (!strcmp(words[0], "train"))
        return n > 1 ? run(words[1], n - 2, (const char *const *)words + 2) : fail("train", ": a program is missing");
    if (!strcmp(words[0], "resume"))
        return resume(n - 1, words + 1);
    if (!strcmp(words[0], "inspect"))
        return run("hourglass-inspect", n - 1, (const char *const *)words + 1);
    if (!strcmp(words[0], "compare"))
        return run("hourglass-compare", n - 1, (const char *const *)words + 1);
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (!strcmp(words[0], uses[i].command))
            return use(i, n - 1, words + 1);
    return fail(words[0], ": unknown command; --help lists them");
}

int main(int argc, char **argv)
{
    tl_keep_standard_streams();
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    int status = 0;
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        print_usage(stdout);
    else if (!strcmp(argv[1], "--version"))
        puts("hourglass (Hourglass) " AG_VERSION);
    else
        status = command(argc - 1, argv + 1);
    return tl_exit_status("hourglass", status);
}
