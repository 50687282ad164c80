#include "tools/args.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_default(const args_option *o)
{
    if (o->kind == ARGS_INT)
        printf(" (default %" PRId64 ")", *(const int64_t *)o->value);
    else if (o->kind == ARGS_REAL)
        printf(" (default %g)", *(const double *)o->value);
    else if (o->kind == ARGS_SEED)
        printf(" (default %" PRIu64 ")", *(const uint64_t *)o->value);
    else if (o->kind == ARGS_TEXT && *(const char *const *)o->value && **(const char *const *)o->value)
        printf(" (default %s)", *(const char *const *)o->value);
}

static void print_options(const args_option *options)
{
    for (const args_option *o = options; o->name; o++) {
        char left[40];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->what ? " " : "", o->what ? o->what : "");
        printf("  %-18s %s", left, o->help);
        print_default(o);
        putchar('\n');
    }
}

static void print_help(const char *program, const char *about, const args_option *const *tables)
{
    printf("usage: %s [options]\n%s\n\noptions:\n", program, about);
    for (; *tables; tables++)
        print_options(*tables);
    printf("  %-18s %s\n", "--help", "print this and exit");
}

/* The option that text names up to its end or an '=', or NULL. */
static const args_option *find(const args_option *const *tables, const char *text)
{
    size_t length = strcspn(text, "=");
    for (; *tables; tables++)
        for (const args_option *o = *tables; o->name; o++)
            if (strlen(o->name) == length && !strncmp(o->name, text, length))
                return o;
    return NULL;
}

static bool bad_value(const args_option *o, const char *text)
{
    fprintf(stderr, "--%s %s: expected %s number", o->name, text, o->kind == ARGS_REAL ? "a" : "a whole");
    if (o->kind == ARGS_SEED)
        fprintf(stderr, " from 0 to %" PRIu64 "\n", UINT64_MAX);
    else
        fprintf(stderr, " from %g to %g\n", o->least, o->most);
    return false;
}

bool args_set(const args_option *o, const char *text)
{
    char *end = NULL;
    errno = 0;
    if (o->kind == ARGS_TEXT) {
        *(const char **)o->value = text;
        return true;
    }
    if (o->kind == ARGS_FLAG) {
        *(bool *)o->value = !strcmp(text, "true");
        return true;
    }
    if (o->kind == ARGS_REAL) {
        double x = strtod(text, &end);
        *(double *)o->value = x;
        return (end != text && !*end && x >= o->least && x <= o->most) || bad_value(o, text);
    }
    if (o->kind == ARGS_SEED) {
        *(uint64_t *)o->value = strtoull(text, &end, 10);
        return (end != text && !*end && !errno && !strchr(text, '-')) || bad_value(o, text);
    }
    long long n = strtoll(text, &end, 10);
    *(int64_t *)o->value = n;
    return (end != text && !*end && !errno && (double)n >= o->least && (double)n <= o->most) || bad_value(o, text);
}

/* Reads one option from argv[*i], and its value from there or the next. */
static bool read_option(int argc, char **argv, int *i, const args_option *const *tables)
{
    const char *text = argv[*i];
    const args_option *o = NULL;
    if (!strncmp(text, "--", 2))
        o = find(tables, text + 2);
    if (!o) {
        fprintf(stderr, "%s: unknown option; see %s --help\n", text, argv[0]);
        return false;
    }
    const char *equals = strchr(text, '=');
    if (o->kind == ARGS_FLAG) {
        *(bool *)o->value = true;
        if (equals)
            fprintf(stderr, "--%s: takes no value\n", o->name);
        return !equals;
    }
    if (equals)
        return args_set(o, equals + 1);
    if (*i + 1 < argc)
        return args_set(o, argv[++*i]);
    fprintf(stderr, "--%s: a value is missing\n", o->name);
    return false;
}

args_result args_parse(int argc, char **argv, const char *about, const args_option *const *tables)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help")) {
            print_help(argv[0], about, tables);
            return ARGS_HELP;
        }
    for (int i = 1; i < argc; i++)
        if (!read_option(argc, argv, &i, tables))
            return ARGS_ERROR;
    return ARGS_OK;
}

const char *args_peek(int argc, char **argv, const char *name)
{
    size_t length = strlen(name);
    const char *value = NULL;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        if (strncmp(text, "--", 2) != 0 || strncmp(text + 2, name, length) != 0)
            continue;
        if (text[2 + length] == '=')
            value = text + 3 + length;
        else if (!text[2 + length])
            value = i + 1 < argc ? argv[i + 1] : "";
    }
    return value;
}

const char *args_text(const args_option *o, char *text, size_t size)
{
    switch (o->kind) {
    case ARGS_FLAG: return *(const bool *)o->value ? "true" : "false";
    case ARGS_TEXT: return *(const char *const *)o->value;
    case ARGS_INT:  snprintf(text, size, "%" PRId64, *(const int64_t *)o->value); break;
    case ARGS_SEED: snprintf(text, size, "%" PRIu64, *(const uint64_t *)o->value); break;
    case ARGS_REAL: snprintf(text, size, "%.17g", *(const double *)o->value); break;
    }
    return text;
}
