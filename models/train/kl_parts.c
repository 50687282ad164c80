#include "models/train/kl_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/file.h"
#include "tools/memory.h"
#include "tools/text.h"

/* ---- The parts. ---- */

/* log N(z; mu, exp(logvar)) of each number, without what is 2 pi in it: that is in all the terms alike. */
static ag_tensor *log_density(ag_tensor *z, ag_tensor *mu, ag_tensor *logvar)
{
    ag_tensor *squares = ag_mul(ag_square(ag_sub(z, mu)), ag_exp(ag_neg(logvar)));
    return ag_scale(ag_add(squares, logvar), -0.5);
}

static double total(ag_tensor *t)
{
    return ag_item(ag_sum(t, AG_ALL, false));
}

/* Adds a draw from each of the codes first .. first+count-1. */
static void add_draws(ag_tape *tape, int64_t n, int64_t size, const ag_real *mu, const ag_real *logvar, int64_t first,
                      int64_t count, train_kl_parts *sum)
{
    ag_tape_reset(tape);
    ag_tensor   *own_mu = ag_input(tape, AG_SHAPE(count, size), mu + first * size);
    ag_tensor   *own_logvar = ag_input(tape, AG_SHAPE(count, size), logvar + first * size);
    ag_tensor   *eps = ag_randn_like(own_mu);
    ag_tensor   *z = ag_add(own_mu, ag_mul(eps, ag_exp(ag_scale(own_logvar, 0.5))));
    ag_tensor   *each = log_density(ag_reshape(z, AG_SHAPE(count, 1, size)), ag_input(tape, AG_SHAPE(1, n, size), mu),
                                    ag_input(tape, AG_SHAPE(1, n, size), logvar)); /* (count, n, size) */
    const double log_n = log((double)n);
    const double given = total(log_density(z, own_mu, own_logvar)), prior = -0.5 * total(ag_square(z));
    const double joint = total(ag_logsumexp(ag_sum(each, AG_AXES(-1), false), 1)) - (double)count * log_n;
    const double apart = total(ag_logsumexp(each, 1)) - (double)(count * size) * log_n;
    sum->kl += given - prior;
    sum->information += given - joint;
    sum->correlation += joint - apart;
    sum->dimensions += apart - prior;
}

train_kl_parts train_split_kl(ag_tape *tape, int64_t n, int64_t size, const ag_real *mu, const ag_real *logvar,
                              int64_t draws)
{
    enum { ELEMENTS = 1 << 20 }; /* of what a pass holds, about */
    train_kl_parts p = {0}, none = {NAN, NAN, NAN, NAN};
    if (!tape || !mu || !logvar || n < 1 || size < 1 || draws < 1)
        return none;
    const int64_t all = draws < n ? draws : n, most = ELEMENTS / n / size + 1;
    for (int64_t first = 0; first < all && !ag_error(tape); first += most)
        add_draws(tape, n, size, mu, logvar, first, all - first < most ? all - first : most, &p);
    if (ag_error(tape))
        return none;
    return (train_kl_parts){p.kl / (double)all, p.information / (double)all, p.correlation / (double)all,
                            p.dimensions / (double)all};
}

/* ---- Of a program's model. ---- */

static bool find_codes(train_images *m, train_posterior_fn *posterior, void *context, ag_real *mu, ag_real *logvar)
{
    const int64_t most = 500;
    for (int64_t first = 0; first < m->test.count; first += most) {
        ag_tensor  *of_mu, *of_logvar;
        train_batch b = train_test_images(m, first, most);
        posterior(context, b.x, &of_mu, &of_logvar);
        if (ag_error(b.x->tape))
            return false;
        memcpy(mu + first * m->code, of_mu->data, (size_t)(b.n * m->code) * sizeof *mu);
        memcpy(logvar + first * m->code, of_logvar->data, (size_t)(b.n * m->code) * sizeof *mu);
    }
    return true;
}

static bool write_parts(train_images *m, const train_kl_parts *p, tl_error *why)
{
    char      path[4200];
    tl_output f;
    if (!train_folder_file(&m->job->folder, "kl.csv", path, sizeof path, why) || !tl_output_open(&f, path, why))
        return false;
    fprintf(f.stream, "kl,mutual_information,total_correlation,dimension_wise_kl\n%s,%s,", TL_NUMBER(p->kl, 6),
            TL_NUMBER(p->information, 6));
    fprintf(f.stream, "%s,%s\n", TL_NUMBER(p->correlation, 6), TL_NUMBER(p->dimensions, 6));
    return tl_output_close(&f, why);
}

bool train_draw_kl_parts(train_images *m, train_posterior_fn *posterior, void *context, tl_error *why)
{
    enum { DRAWS = 500 };
    if (!m || !posterior)
        return tl_fail(why, "train_draw_kl_parts: no images, or no posterior");
    if (m->test.count < 1)
        return true;
    ag_real *mu = tl_array(2 * m->test.count, m->code, sizeof *mu), *logvar = mu ? mu + m->test.count * m->code : NULL;
    bool     ok = mu || tl_fail(why, "out of memory");
    if (ok && find_codes(m, posterior, context, mu, logvar)) {
        const train_kl_parts p = train_split_kl(train_image_tape(m), m->test.count, m->code, mu, logvar, DRAWS);
        ok = ag_error(m->job->run.tape) || write_parts(m, &p, why);
    }
    free(mu);
    return ok && (!ag_error(m->job->run.tape) || tl_fail(why, "%s", ag_error(m->job->run.tape)));
}
