/* A CSV file of your own: an autoencoder learns what the rows have in common and names the rows that do not fit.
 * readings.csv, beside this file, has 300 readings of four sensors that follow two causes; three of them are faulty.
 *
 *     cc csv.c $(pkg-config --cflags --libs hourglass) -lm -o csv && ./csv readings.csv
 *
 * It prints:
 *
 *     300 rows of 4 numbers
 *     epoch  50 of 200  loss 0.0141
 *     epoch 100 of 200  loss 0.0093
 *     epoch 150 of 200  loss 0.0082
 *     epoch 200 of 200  loss 0.0066
 *     line 59: error 0.46
 *     line 192: error 0.24
 *     line 245: error 0.22
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <models/train/run.h>
#include <tools/file.h>

enum { CODE = 2, SHOWN = 3 };

/* ---- The file: a line of names, then rows of numbers with commas between them. ---- */

typedef struct {
    int64_t  rows, columns;
    ag_real *at; /* (rows, columns) */
} table;

/* Line by line; at least one row, and every row as long as the first line. */
static bool read_csv(const char *path, table *t, tl_error *why)
{
    size_t size;
    char  *text = tl_read_file(path, &size, why), *next = text; /* ends with a 0 */
    if (!text)
        return false;
    for (t->columns = 1; *next && *next != '\n'; next++)
        t->columns += *next == ',';
    t->at = malloc((size + 1) * sizeof *t->at); /* more than enough */
    int64_t n = 0;
    bool    ok = t->at && *next && *++next;
    while (ok && *next) {
        char *end;
        t->at[n++] = (ag_real)strtod(next, &end);
        end += *end == '\r' && end[1] == '\n'; /* a file from Windows */
        const char after = *end ? *end : '\n';
        ok = !isspace((unsigned char)*next) && end > next && isfinite(t->at[n - 1]) &&
             after == (n % t->columns ? ',' : '\n');
        next = *end ? end + 1 : end;
    }
    t->rows = n / t->columns;
    free(text);
    return ok || tl_fail_at(why, path, "line %d: expected %d numbers", (int)(n > 0 ? (n - 1) / t->columns : 0) + 2,
                            (int)t->columns);
}

/* Each column to mean 0 and deviation 1. */
static void standardise(table *t)
{
    for (int64_t c = 0; c < t->columns; c++) {
        double sum = 0, squares = 0, n = (double)t->rows;
        for (int64_t r = 0; r < t->rows; r++)
            sum += (double)t->at[r * t->columns + c];
        for (int64_t r = 0; r < t->rows; r++)
            squares += pow((double)t->at[r * t->columns + c] - sum / n, 2);
        for (int64_t r = 0; r < t->rows; r++)
            t->at[r * t->columns + c] = (ag_real)(((double)t->at[r * t->columns + c] - sum / n) /
                                                  sqrt(squares / n + 1e-12));
    }
}

/* ---- Training. ---- */

typedef struct {
    nn_module      *model;
    train_optimizer adam;
} program;

static bool step(void *context, train_step *s)
{
    program    *p = context;
    train_batch b;
    if (!train_load(s, &b))
        return false;
    ag_tensor *loss = ag_mse_loss(nn_forward(p->model, b.x), b.x, AG_MEAN);
    train_report(s, "loss", ag_scale(ag_detach(loss), (double)b.n)); /* reported is the sum over the batch */
    return train_minimize(s, loss, &p->adam);
}

/* An observer: sees each epoch. */
static bool print_epoch(void *self, train_run *run, const train_record *record)
{
    (void)self;
    if (record->epoch % 50 == 0)
        printf("epoch %3d of %d  loss %.4f\n", (int)record->epoch, (int)run->epochs,
               train_sums_get(&record->train, "loss"));
    return true;
}

static bool train(program *p, table *t, tl_error *why)
{
    train_rows         rows = {.count = t->rows, .x_shape = AG_SHAPE(t->columns), .x = t->at};
    const train_source source = train_rows_source(&rows);
    const train_phase  phase = {.name = "train", .train = &source, .batch = 25, .epochs = 200, .step = step};
    train_observer     printer = {.epoch = print_epoch}, *observers[] = {&printer};
    p->adam = (train_optimizer){"adam", p->model, nn_adam(p->model, nn_adam_defaults(0.01))};
    const train_status status = train_run_plan(
        &(train_plan){
            .model = p->model,
            .optimizers = &p->adam,
            .n_optimizers = 1,
            .phases = &phase,
            .n_phases = 1,
            .context = p,
            .seed = 1,
            .observers = observers,
            .n_observers = 1,
        },
        why);
    nn_optimizer_free(p->adam.optimizer);
    return status == TRAIN_OK;
}

/* ---- The rows that fit worst. ---- */

static bool print_worst(program *p, const table *t, tl_error *why)
{
    ag_tape *tape = ag_tape_new(1);
    ag_set_training(tape, false);
    ag_set_grad_enabled(tape, false);
    ag_tensor *x = ag_input(tape, AG_SHAPE(t->rows, t->columns), t->at);
    ag_tensor *error = ag_mean(ag_mse_loss(nn_forward(p->model, x), x, AG_NONE), AG_AXES(1), false); /* (rows) */
    const bool ok = !ag_error(tape) || tl_fail(why, "%s", ag_error(tape));
    for (int shown = 0; ok && shown < SHOWN && shown < t->rows; shown++) {
        int64_t worst = 0;
        for (int64_t r = 1; r < t->rows; r++)
            if (error->data[r] > error->data[worst])
                worst = r;
        printf("line %d: error %.2f\n", (int)worst + 2, (double)error->data[worst]);
        error->data[worst] = -1;
    }
    ag_tape_free(tape);
    return ok;
}

int main(int argc, char **argv)
{
    tl_error why = {""};
    table    t = {0, 0, NULL};
    program  p = {.model = NULL};
    bool     ok = argc == 2 || tl_fail(&why, "usage: csv FILE.csv");
    ok = ok && read_csv(argv[1], &t, &why);
    if (ok) {
        printf("%d rows of %d numbers\n", (int)t.rows, (int)t.columns);
        standardise(&t);
        p.model = nn_sequential(nn_linear(t.columns, 16), nn_tanh(), nn_linear(16, CODE), nn_linear(CODE, 16),
                                nn_tanh(), nn_linear(16, t.columns));
        nn_reset_parameters(p.model, 1);
        ok = train(&p, &t, &why) && print_worst(&p, &t, &why);
    }
    if (!ok)
        fprintf(stderr, "csv: %s\n", why.text);
    nn_module_free(p.model);
    free(t.at);
    return ok ? 0 : 1;
}
