/* The program on couplets as a user meets it. */
#ifndef AG_DOUBLE
#include <stdio.h>
#include <string.h>

#include "tests/support/programs.h"
#include "tests/test.h"

static int poem(const char *environment, const char *options)
{
    char command[1024], at[512] = "";
    for (size_t i = 0, n = 0; options[i] && n + sizeof folder < sizeof at; i++)
        n += (size_t)snprintf(at + n, sizeof at - n, options[i] == '@' ? "%s" : "%.1s",
                              options[i] == '@' ? folder : options + i);
    snprintf(command, sizeof command, "%s %s %s", environment, program("poem_vae"), at);
    return run_command(command, output, sizeof output);
}

#define SMALL "--data synthetic --width 8 --latent 4 --steps 60 --seed 3 --free-bits 0.1 --quiet --out @/run "

Test(poem_vae, same_bits_for_any_threads_and_kernels)
{
    static const char *const settings[] = {"HOURGLASS_THREADS=1", "HOURGLASS_THREADS=5", "HOURGLASS_ISA=portable",
                                           "HOURGLASS_ISA=avx2", "HOURGLASS_ISA=avx512"};
    char                     weights[64] = "";
    make_data();
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (poem(settings[i], SMALL) == 2)
            continue;
        if (!*weights)
            snprintf(weights, sizeof weights, "%s", last_line());
        cr_assert(!strcmp(last_line(), weights), "%s: %s, expected %s", settings[i], last_line(), weights);
    }
    cr_assert(file_is_there("run/poems.txt") && file_is_there("run/model.safetensors"));
    cr_assert(poem("", SMALL "--overwrite --steps 30") == 0 &&
                  poem("", "--resume @/run/checkpoint.safetensors --steps 60 --quiet") == 0,
              "%s", output);
    cr_assert(!strcmp(last_line(), weights), "stopped and resumed: %s, expected %s", last_line(), weights);
}

static int lines(const char *text)
{
    int n = 0;
    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

Test(poem_vae, writes_completes_and_interpolates)
{
    make_data();
    cr_assert(poem("", SMALL) == 0, "%s", output);
    const char *const load = "--load @/run/model.safetensors";
    char              options[400];
    snprintf(options, sizeof options, "%s --generate 5 --temperature 0.5", load);
    cr_assert(poem("", options) == 0 && lines(output) == 5 && strstr(output, "，") && strstr(output, "。\n"), "%s",
              output);
    snprintf(options, sizeof options, "%s --complete 春風過空山", load);
    cr_assert(poem("", options) == 0 && !strncmp(output, "春風過空山，", strlen("春風過空山，")), "%s", output);
    snprintf(options, sizeof options, "%s --from 春風過空山，秋月來深谷。 --to 古木繞前溪，新竹連後庭。", load);
    cr_assert(poem("", options) == 0 && lines(output) == 9, "%s", output);
    snprintf(options, sizeof options, "%s --complete 春風", load);
    cr_assert(poem("", options) == 1 && strstr(output, "--complete: \"春風\" is 2 characters long, expected 5"), "%s",
              output);
    snprintf(options, sizeof options, "%s --complete 春風過空龘", load);
    cr_assert(poem("", options) == 1 && strstr(output, "does not know the character \"龘\""), "%s", output);
    snprintf(options, sizeof options, "%s --generate 1 --complete 春風過空山", load);
    cr_assert(poem("", options) == 2 && strstr(output, "expected one of --generate"), "%s", output);
}

Test(poem_vae, says_what_is_wrong_with_a_file)
{
    make_data();
    char command[600];
    snprintf(command, sizeof command,
             "printf '天地，玄黃。\\n天地，玄。\\n' > %s/odd; printf '天地，玄黃。\\n' > %s/few; printf '' > %s/none",
             folder, folder, folder);
    cr_assert(run_command(command, output, sizeof output) == 0);
    cr_assert(poem("", "--data @/odd --out @/run") == 1 && strstr(output, "line 2 has 3 characters"), "%s", output);
    cr_assert(poem("", "--data @/few --out @/run") == 1 && strstr(output, "has 1 couplets, expected at least 20"), "%s",
              output);
    cr_assert(poem("", "--data @/none --out @/run") == 1 && strstr(output, "has no couplets"), "%s", output);
    cr_assert(poem("", "--data @/missing --out @/run") == 1 && strstr(output, "missing"), "%s", output);
    cr_assert(!file_is_there("run/metrics.csv"));
}
#else
typedef int poems_float_only;
#endif
