/* hourglass-inspect, on files made by hand. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/programs.h"
#include "tests/test.h"

#ifndef AG_DOUBLE /* the programs are float only */

/* A file in the folder: `header`, and the numbers after it. */
static void make_file(const char *name, const char *header, int n, const float *x)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE  *f = fopen(path, "wb");
    size_t size = strlen(header), padded = (size + 7) / 8 * 8;
    for (int i = 0; i < 8; i++)
        fputc((int)((uint64_t)padded >> 8 * i & 255), f);
    fprintf(f, "%-*s", (int)padded, header);
    fwrite(x, sizeof *x, (size_t)n, f);
    cr_assert(fclose(f) == 0);
}

/* Runs it on a file of the folder; returns its exit status. */
static int inspect(const char *options, const char *name)
{
    char command[1024];
    snprintf(command, sizeof command, "(%s %s %s/%s)", program("../tools/hourglass-inspect"), options, folder, name);
    return run_command(command, output, sizeof output);
}

static void make_files(void)
{
    snprintf(folder, sizeof folder, "%s", scratch_folder());
    make_file("x",
              "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
              "\"\\u001b[2J\\u009b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24,28]},"
              "\"__metadata__\":{\"said\":\"a \\\"b\\\"\\nc\"}}",
              7, (float[]){4, -3, NAN, INFINITY, 2, -INFINITY, NAN});
}

Test(inspect, a_table)
{
    make_files();
    cr_assert(inspect("", "x") == 0, "%s", output);
    const char *line = strstr(output, "\nw ");
    char        dtype[8], shape[2][8];
    double      count, least, mean, most, nans, infinities;
    cr_assert(line && sscanf(line, " w %7s %7s %7s %lf %lf %lf %lf %lf %lf", dtype, shape[0], shape[1], &count, &least,
                             &mean, &most, &nans, &infinities) == 9,
              "%s", output);
    cr_assert(!strcmp(dtype, "F32") && !strcmp(shape[0], "(2,") && !strcmp(shape[1], "3)") && count == 6, "%s", output);
    cr_assert(least == -3 && mean == 1 && most == 4 && nans == 1 && infinities == 2, "of what is finite: %s", output);
    cr_assert(strstr(output, "\n\\x1b[2J") && !strchr(output, 27), "nothing that a terminal would obey: %s", output);
    cr_assert(strstr(output, "2 tensors, 7 numbers, 28 bytes\n") && strstr(output, "said: a \"b\"\\nc\n"), "%s",
              output);
}

Test(inspect, json)
{
    make_files();
    cr_assert(inspect("--json", "x") == 0, "%s", output);
    cr_assert(
        strstr(output,
               "\"w\": {\"dtype\": \"F32\", \"shape\": [2, 3], \"count\": 6, \"min\": -3, \"mean\": 1, \"max\": 4, "
               "\"nan\": 1, \"inf\": 2}"),
        "%s", output);
    cr_assert(strstr(output, "\"shape\": [], \"count\": 1, \"min\": null, \"mean\": null, \"max\": null, \"nan\": 1"),
              "JSON has no NaN: %s", output);
    cr_assert(strstr(output, "\"\\u001b[2J") && strstr(output, "{\n  \"said\": \"a \\\"b\\\"\\u000ac\"}}\n"), "%s",
              output);
}

Test(inspect, complains)
{
    make_files();
    make_file("bad", "{\"w\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 2, (float[]){1, 2});
    cr_assert(inspect("--help", "x") == 0 && strstr(output, "usage: hourglass-inspect"));
    cr_assert(inspect("--nosuch", "x") == 2 && strstr(output, "usage: hourglass-inspect"));
    cr_assert(inspect("x", "x") == 2, "one file is expected");
    cr_assert(inspect("", "none") == 1 && strstr(output, "hourglass-inspect: ") && strstr(output, "none: No such file"),
              "%s", output);
    cr_assert(inspect("", "bad") == 1 && strstr(output, "bad: "), "%s", output);
    cr_assert(inspect("", "x > /dev/full") == 1 && strstr(output, "standard output cannot be written"), "%s", output);
}

#else
typedef int float_only;
#endif
