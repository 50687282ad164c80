#include "tools/args.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/text.h"

/* ---- Values. ---- */

/* Whether `text` is one of "a|b|c"; any text is one of "FILE". */
static bool is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    if (!choices || !strchr(choices, '|'))
        return true;
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strcspn(at, "|") == length && !strncmp(at, text, length))
            return true;
    return false;
}

static bool bad_number(const tl_option *o, const char *text, tl_error *why)
{
    if (o->kind == TL_SEED)
        return tl_fail(why, "--%s %s: expected a whole number from 0 to %" PRIu64, o->name, text, UINT64_MAX);
    if (o->kind == TL_INT)
        return tl_fail(why, "--%s %s: expected a whole number from %.0f to %.0f", o->name, text, o->least, o->most);
    return tl_fail(why, "--%s %s: expected a number from %g to %g", o->name, text, o->least, o->most);
}

static bool set_text(const tl_option *o, const char *text, tl_error *why)
{
    if (!*text)
        return tl_fail(why, "--%s: the value is empty", o->name);
    if (!is_choice(o->what, text))
        return tl_fail(why, "--%s %s: expected %s", o->name, text, o->what);
    *(const char **)o->value = text;
    return true;
}

static bool set_flag(const tl_option *o, const char *text, tl_error *why)
{
    if (strcmp(text, "true") && strcmp(text, "false"))
        return tl_fail(why, "--%s %s: expected true or false", o->name, text);
    *(bool *)o->value = !strcmp(text, "true");
    return true;
}

bool tl_option_set(const tl_option *o, const char *text, tl_error *why)
{
    if (!o || !o->value || !text)
        return tl_fail(why, "no option, or no value for it");
    double  x;
    int64_t n;
    switch (o->kind) {
    case TL_TEXT: return set_text(o, text, why);
    case TL_FLAG: return set_flag(o, text, why);
    case TL_SEED: return tl_parse_uint(text, o->value) || bad_number(o, text, why);
    case TL_REAL:
        if (!tl_parse_number(text, &x) || !(x >= o->least && x <= o->most))
            return bad_number(o, text, why);
        *(double *)o->value = x;
        return true;
    default:
        if (!tl_parse_int(text, &n) || !((double)n >= o->least && (double)n <= o->most))
            return bad_number(o, text, why);
        *(int64_t *)o->value = n;
        return true;
    }
}

/* With as few digits as read back as the same number. */
static tl_text shortest_number(double x)
{
    double back;
    for (int digits = 6; digits < 17; digits++)
        if (tl_parse_number(TL_NUMBER(x, digits), &back) && back == x)
            return tl_number_text(x, digits);
    return tl_number_text(x, 17);
}

const char *tl_option_text(const tl_option *o, char *text, size_t size)
{
    if (!o || !o->value || (!text && o->kind != TL_TEXT))
        return NULL;
    switch (o->kind) {
    case TL_FLAG: return *(const bool *)o->value ? "true" : "false";
    case TL_TEXT: return *(const char *const *)o->value;
    case TL_INT: snprintf(text, size, "%" PRId64, *(const int64_t *)o->value); break;
    case TL_SEED: snprintf(text, size, "%" PRIu64, *(const uint64_t *)o->value); break;
    case TL_REAL: snprintf(text, size, "%s", shortest_number(*(const double *)o->value).s); break;
    }
    return text;
}

/* ---- The command line. ---- */

/* The option that `text` names up to its end or an '='. */
static tl_option *find(tl_option *const *tables, const char *text, size_t length)
{
    for (; *tables; tables++)
        for (tl_option *o = *tables; o->name; o++)
            if (strlen(o->name) == length && !strncmp(o->name, text, length))
                return o;
    return NULL;
}

tl_option *tl_option_named(tl_option *const *tables, const char *name)
{
    if (!tables || !name)
        return NULL;
    return find(tables, name, strlen(name));
}

/* How many letters must be changed, added or removed to turn the first `n` letters of a into b (Levenshtein); 99 for
 * long ones. */
static int distance(const char *a, size_t n, const char *b)
{
    enum { MOST = 32 };
    int    row[MOST + 1];
    size_t m = strlen(b);
    if (n > MOST || m > MOST)
        return 99;
    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]), skip = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < skip ? change : skip;
        }
    }
    return row[m];
}

/* The option that a word is the beginning of, or nearest to; NULL for none. */
static const char *nearest(const char *word, size_t n, tl_option *const *tables)
{
    const char *near = NULL;
    int         best = 3; /* a name further away is another */
    for (; *tables && n > 1; tables++)
        for (const tl_option *o = *tables; o->name; o++) {
            const int d = strncmp(word, o->name, n) ? distance(word, n, o->name) : 0;
            if (d < best && 2 * d < (int)strlen(o->name)) {
                best = d;
                near = o->name;
            }
        }
    return near;
}

static bool unknown(const char *text, tl_option *const *tables, tl_error *why)
{
    if (text[0] != '-')
        return tl_fail(why, "%s: not expected; options begin with --", text);
    const char *word = text + strspn(text, "-"), *near = nearest(word, strcspn(word, "="), tables);
    if (near)
        return tl_fail(why, "%s: unknown option; did you mean --%s?", text, near);
    return tl_fail(why, "%s: unknown option; --help lists them", text);
}

/* Reads one option from argv[*i], and its value from there or the next. */
static bool read_option(int argc, char **argv, int *i, tl_option *const *tables, tl_error *why)
{
    const char *text = argv[*i], *equals = strchr(text, '=');
    tl_option  *o = !strncmp(text, "--", 2) ? find(tables, text + 2, strcspn(text + 2, "=")) : NULL;
    if (!o)
        return unknown(text, tables, why);
    o->given = true;
    if (o->kind == TL_FLAG) {
        *(bool *)o->value = true;
        return !equals || tl_fail(why, "--%s: takes no value", o->name);
    }
    if (equals)
        return tl_option_set(o, equals + 1, why);
    if (*i + 1 < argc)
        return tl_option_set(o, argv[++*i], why);
    return tl_fail(why, "--%s: a value is missing", o->name);
}

tl_args_result tl_args_parse(int argc, char **argv, tl_option *const *tables, tl_error *why)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return TL_ARGS_HELP;
        else if (!strcmp(argv[i], "--version"))
            return TL_ARGS_VERSION;
    for (int i = 1; i < argc; i++)
        if (!read_option(argc, argv, &i, tables, why))
            return TL_ARGS_ERROR;
    return TL_ARGS_OK;
}

/* ---- Help. ---- */

static void print_default(const tl_option *o)
{
    char        text[48];
    const char *value = o->kind == TL_FLAG ? NULL : tl_option_text(o, text, sizeof text);
    if (o->kind == TL_REAL)
        snprintf(text, sizeof text, "%s", TL_NUMBER(*(const double *)o->value, 6));
    if (value && *value) {
        fputs(" (default ", stdout);
        tl_print_escaped(stdout, value);
        putchar(')');
    }
}

void tl_args_help(const char *program, const char *about, const tl_option *const *tables)
{
    if (!program || !about || !tables)
        return;
    printf("usage: %s [options]\n%s\n\noptions:\n", program, about);
    for (; *tables; tables++)
        for (const tl_option *o = *tables; o->name; o++) {
            char left[64];
            snprintf(left, sizeof left, "--%s%s%s", o->name, o->what ? " " : "", o->what ? o->what : "");
            bool wide = strlen(left) > 20; /* the text begins on a line of its own */
            printf("  %-20s%s%s", left, wide ? "\n                       " : " ", o->help);
            print_default(o);
            putchar('\n');
        }
    printf("  %-20s %s\n", "-h, --help", "print this and exit");
    printf("  %-20s %s\n", "--version", "print the version and exit");
}
