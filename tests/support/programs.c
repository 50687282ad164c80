#include "tests/support/programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

char folder[128], output[16384];

const char *program(const char *name)
{
    static char path[256];
    const char *programs = getenv("HOURGLASS_PROGRAMS");
    snprintf(path, sizeof path, "%s/%s", programs ? programs : "models", name);
    return path;
}

void make_data(void)
{
    char command[256];
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    snprintf(command, sizeof command, "tests/small_data.sh %s/data 320", folder);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
}

int run_program(const char *name, const char *environment, const char *options)
{
    char command[2048];
    snprintf(command, sizeof command, "%s %s --data %s/data --batch 64 --overwrite %s", environment, program(name),
             folder, options);
    return run_command(command, output, sizeof output);
}

int run_there(const char *name, const char *options)
{
    char all[1024];
    int  n = 0;
    for (const char *c = options; *c && n < 900; c++)
        n += *c == '@' ? snprintf(all + n, sizeof all - (size_t)n, "%s", folder)
                       : snprintf(all + n, sizeof all - (size_t)n, "%c", *c);
    return run_program(name, "", all);
}

const char *last_line(void)
{
    size_t n = strlen(output);
    while (n > 0 && output[n - 1] == '\n')
        output[--n] = '\0';
    const char *line = strrchr(output, '\n');
    return line ? line + 1 : output;
}

bool file_is_there(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, R_OK) == 0;
}
