/* --edit: what comes out changes along the directions that it finds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/programs.h"
#include "tests/test.h"

#if !defined AG_DOUBLE && !SLOW

/* A model that has learnt a little; both properties rise at every step, and --load gives the same numbers. */
Test(edit, properties_rise_along_the_rows)
{
    char command[1024], first[1024], second[1024];
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    snprintf(command, sizeof command, "%s --data synthetic --hidden 200 --latent 10 --steps 469 --edit --out %s/run",
             program("vae_mnist"), folder);
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
    cr_expect(strstr(output, "thickness along the rows of edits.png: ") && strstr(output, "slant along the rows"), "%s",
              output);
    cr_expect(!strstr(output, "not rising"), "%s", output);
    snprintf(command, sizeof command, "cat %s/run/edits.csv", folder);
    cr_assert(run_command(command, first, sizeof first) == 0);
    cr_expect(!strncmp(first, "property,step,mean\nthickness,-1,", 32), "%s", first);
    snprintf(command, sizeof command, "%s --data synthetic --edit --load %s/run/model.safetensors --threads 1",
             program("vae_mnist"), folder);
    cr_expect(run_command(command, output, sizeof output) == 1 && strstr(output, "edits.png: is there already"), "%s",
              output);
    strcat(command, " --overwrite");
    cr_assert(run_command(command, output, sizeof output) == 0, "%s", output);
    snprintf(command, sizeof command, "cat %s/run/edits.csv", folder);
    cr_assert(run_command(command, second, sizeof second) == 0 && !strcmp(first, second), "%s", second);
}
#else
typedef int not_here;
#endif
