/* What the programs show on a terminal, which script(1) plays. */
#ifndef AG_DOUBLE
#include <stdio.h>
#include <string.h>

#include "tests/support/programs.h"
#include "tests/test.h"

/* Bytes of the longest line. */
static int longest(const char *text)
{
    int most = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        most = (int)strcspn(line, "\n") > most ? (int)strcspn(line, "\n") : most;
    return most;
}

static void run_on_terminal(int columns, const char *locale, const char *options)
{
    char command[1024];
    snprintf(
        command, sizeof command,
        "script -qc 'stty cols %d; LC_ALL=%s %s --data %s/data --hidden 20 --epochs 3 --out %s/run --overwrite %s' "
        "/dev/null > %s/said; tr '\\n' ' ' < %s/said | tail -c 12000",
        columns, locale, program("vae_mnist"), folder, folder, options, folder, folder);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
    cr_assert(strstr(output, "weights "), "%s", output);
}

Test(terminal, the_bar_fits_the_window)
{
    char command[512];
    if (run_command("command -v script", NULL, 0) != 0)
        cr_skip_test("script is not installed");
    make_data();
    for (int columns = 10; columns <= 130; columns += 40) {
        run_on_terminal(columns, "C", "");
        snprintf(command, sizeof command, "tr '\\r' '\\n' < %s/said | grep -a 'epoch [0-9]/' | sed 's/.\\[K//'",
                 folder);
        run_command(command, output, sizeof output);
        cr_expect(strstr(output, "epoch 3/3") || columns < 12, "%s", output);
        cr_expect(longest(output) < columns, "%d columns: %s", columns, output);
    }
}

Test(terminal, the_course_of_the_loss)
{
    if (run_command("command -v script", NULL, 0) != 0)
        cr_skip_test("script is not installed");
    make_data();
    run_on_terminal(80, "C.UTF-8", "");
    cr_expect(strstr(output, "\xe2\x96\x88"), "no block: %s", output);
    run_on_terminal(80, "C", "");
    cr_expect(!strstr(output, "\xe2"), "blocks where they cannot be shown: %s", output);
}

/* In colours, in letters, and not at all where nobody looks. */
Test(terminal, preview)
{
    if (run_command("command -v script", NULL, 0) != 0)
        cr_skip_test("script is not installed");
    make_data();
    run_on_terminal(80, "C.UTF-8 TERM=xterm-256color", "--preview");
    cr_expect(strstr(output, "\x1b[38;5;") && strstr(output, "\xe2\x96\x80"), "%s", output);
    run_on_terminal(80, "C.UTF-8 TERM=xterm-256color NO_COLOR=1", "--preview");
    cr_expect(!strstr(output, "\x1b[38;5;") && strstr(output, "......"), "%s", output);
    cr_assert(run_there("vae_mnist", "--hidden 20 --epochs 1 --preview --out @/run") == 0, "%s", output);
    cr_expect(!strstr(output, "\x1b[") && !strstr(output, "....."), "%s", output);
}
#else
typedef int not_here;
#endif
