#include "models/train/history.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/stream_internal.h"
#include "tools/text.h"

/* ---- Sums. ---- */

bool train_is_metric(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t            n = name ? strlen(name) : 0;
    return n > 0 && n < TRAIN_METRIC_NAME && strspn(name, letters) == n;
}

static train_sum *find(const train_sums *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->at[i].name, name))
            return &s->at[i];
    return NULL;
}

bool train_sums_add(train_sums *s, const char *name, double value)
{
    if (!s)
        return false;
    if (!train_is_metric(name))
        return false;
    train_sum *sum = find(s, name);
    if (!sum) {
        train_sum *grown = realloc(s->at, (size_t)(s->n + 1) * sizeof *grown);
        if (!grown)
            return false;
        s->at = grown;
        sum = &grown[s->n++];
        *sum = (train_sum){"", 0};
        strcpy(sum->name, name);
    }
    sum->value += value;
    return true;
}

/* Keeps the names, so that the next epoch takes no memory. */
void train_sums_clear(train_sums *s)
{
    if (!s)
        return;
    s->examples = 0;
    for (int i = 0; i < s->n; i++)
        s->at[i].value = 0;
}

void train_sums_free(train_sums *s)
{
    if (!s)
        return;
    free(s->at);
    *s = (train_sums){0};
}

double train_sums_get(const train_sums *s, const char *name)
{
    if (!s || !name)
        return NAN;
    const train_sum *sum = find(s, name);
    return sum ? sum->value : NAN;
}

bool train_sums_finite(const train_sums *s)
{
    if (!s)
        return true;
    for (int i = 0; i < s->n; i++)
        if (!isfinite(s->at[i].value))
            return false;
    return true;
}

/* ---- Records. ---- */

static void free_record(train_record *r)
{
    train_sums_free(&r->train);
    train_sums_free(&r->test);
}

bool train_history_add(train_history *h, train_record record)
{
    if (!h)
        return false;
    train_record *grown = realloc(h->at, (size_t)(h->n + 1) * sizeof *grown);
    if (!grown) {
        free_record(&record);
        return false;
    }
    h->at = grown;
    h->at[h->n++] = record;
    return true;
}

const train_record *train_history_last(const train_history *h, int phase)
{
    int64_t i = h ? h->n : 0;
    while (i > 0 && h->at[i - 1].phase != phase)
        i--;
    return i > 0 ? &h->at[i - 1] : NULL;
}

void train_history_drop_last(train_history *h)
{
    if (!h)
        return;
    if (h->n > 0)
        free_record(&h->at[--h->n]);
}

void train_history_free(train_history *h)
{
    if (!h)
        return;
    while (h->n > 0)
        train_history_drop_last(h);
    free(h->at);
    *h = (train_history){0};
}

/* ---- As text: "examples name=value name=value", and "phase epoch seconds | train | test" a line. ---- */

static void print_sums(const train_sums *s, FILE *f)
{
    fprintf(f, "%" PRId64, s->examples);
    for (int i = 0; i < s->n; i++)
        fprintf(f, " %s=%s", s->at[i].name, TL_EXACT(s->at[i].value));
}

static void print_history(const train_history *h, FILE *f)
{
    for (int64_t i = 0; i < h->n; i++) {
        const train_record *r = &h->at[i];
        fprintf(f, "%d %" PRId64 " %s | ", r->phase, r->epoch, TL_NUMBER(r->seconds, 6));
        print_sums(&r->train, f);
        fputs(" | ", f);
        print_sums(&r->test, f);
        fputc('\n', f);
    }
}

char *train_sums_text(const train_sums *s)
{
    tl__stream to;
    if (!s || !tl__stream_open(&to))
        return NULL;
    print_sums(s, to.file);
    return tl__stream_close(&to, NULL);
}

char *train_history_text(const train_history *h)
{
    tl__stream to;
    if (!h || !tl__stream_open(&to))
        return NULL;
    print_history(h, to.file);
    return tl__stream_close(&to, NULL);
}

/* The next word before `end`, cut off from the text; NULL when there is none. */
static char *next_word(char **at)
{
    char  *word = *at + strspn(*at, " ");
    size_t n = strcspn(word, " ");
    if (n == 0)
        return NULL;
    *at = word + n + (word[n] == ' ');
    word[n] = '\0';
    return word;
}

static bool parse_sums(train_sums *s, char *text)
{
    char *word = next_word(&text);
    bool  ok = word && tl_parse_int(word, &s->examples) && s->examples >= 0;
    while (ok && (word = next_word(&text))) {
        char  *equals = strchr(word, '=');
        double value;
        if (!equals || !tl_parse_number(equals + 1, &value))
            return false;
        *equals = '\0';
        ok = !find(s, word) && train_sums_add(s, word, value);
    }
    return ok;
}

static bool parse_record(train_history *h, char *line)
{
    train_record r = {0};
    char        *train = strstr(line, " | "), *test = train ? strstr(train + 3, " | ") : NULL, *word;
    int64_t      phase = -1;
    if (!test)
        return false;
    *train = *test = '\0';
    bool ok = (word = next_word(&line)) && tl_parse_int(word, &phase) && phase >= 0 && phase < 1000 &&
              (word = next_word(&line)) && tl_parse_int(word, &r.epoch) && (word = next_word(&line)) &&
              tl_parse_number(word, &r.seconds) && parse_sums(&r.train, train + 3) && parse_sums(&r.test, test + 3);
    r.phase = (int)phase;
    if (ok)
        return train_history_add(h, r);
    free_record(&r);
    return false;
}

bool train_sums_parse(train_sums *s, const char *text)
{
    if (!s || !text)
        return false;
    char *copy = tl_copy(text);
    bool  ok = copy && parse_sums(s, copy);
    free(copy);
    return ok;
}

bool train_history_parse(train_history *h, const char *text)
{
    char *copy = h ? tl_copy(text) : NULL;
    bool  ok = copy != NULL;
    for (char *line = copy, *end; ok && *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end) {
            ok = false;
            break;
        }
        *end = '\0';
        ok = parse_record(h, line);
    }
    free(copy);
    return ok;
}

/* ---- As a table. ---- */

/* All names that any record has, in the order of their first report. False when memory runs out. */
static bool collect(const train_history *h, bool test, train_sums *names)
{
    for (int64_t i = 0; i < h->n; i++) {
        const train_sums *s = test ? &h->at[i].test : &h->at[i].train;
        for (int k = 0; k < s->n; k++)
            if (!train_sums_add(names, s->at[k].name, 0))
                return false;
    }
    return true;
}

static void print_cells(const train_sums *names, const train_sums *s, FILE *f)
{
    for (int k = 0; k < names->n; k++) {
        const train_sum *sum = find(s, names->at[k].name);
        fprintf(f, ",%s", sum ? TL_NUMBER(sum->value, 9) : "");
    }
}

bool train_history_csv(const train_history *h, int n_phases, const char *const *phases, FILE *f)
{
    if (!h || !f || (n_phases > 0 && !phases))
        return false;
    train_sums train = {0}, test = {0};
    bool       ok = collect(h, false, &train) && collect(h, true, &test);
    if (ok) {
        fputs(n_phases > 1 ? "epoch,phase" : "epoch", f);
        for (int k = 0; k < train.n; k++)
            fprintf(f, ",train_%s", train.at[k].name);
        for (int k = 0; k < test.n; k++)
            fprintf(f, ",test_%s", test.at[k].name);
        fputs(",seconds\n", f);
        for (int64_t i = 0; i < h->n; i++) {
            const train_record *r = &h->at[i];
            fprintf(f, "%" PRId64, r->epoch);
            if (n_phases > 1)
                fprintf(f, ",%s", r->phase < n_phases ? phases[r->phase] : "");
            print_cells(&train, &r->train, f);
            print_cells(&test, &r->test, f);
            fprintf(f, ",%s\n", TL_NUMBER(r->seconds, 6));
        }
    }
    train_sums_free(&train);
    train_sums_free(&test);
    return ok;
}
