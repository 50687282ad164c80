#include "models/train/export_internal.h"

#include <stdio.h>
#include <string.h>

#include "autograd/export.h"
#include "tools/file.h"

const char *train__exports(const train_images *m)
{
    const train_image_program *p = m->program;
    return p->encode && p->decode ? "encoder|decoder" : p->encode ? "encoder" : p->decode ? "decoder" : NULL;
}

/* A row of numbers for each pixel. */
static ag_tensor *per_pixel(ag_tape *tape, const train_images *m, const ag_real *at)
{
    return ag_input(tape, AG_SHAPE(1, m->height * m->width), at);
}

/* From pixels in 0..1, as train_to_range makes of them what the model expects. */
static ag_tensor *encode(const train_images *m, ag_tensor *x)
{
    if (m->use.pixels != TRAIN_UNIT)
        x = ag_div(ag_sub(x, per_pixel(x->tape, m, m->mean)), per_pixel(x->tape, m, m->deviation));
    return m->program->encode(m->program->context, &(train_batch){1, x, NULL});
}

/* To pixels in 0..1, as train_to_unit does. */
static ag_tensor *decode(const train_images *m, ag_tensor *z)
{
    ag_tensor *x = ag_reshape(m->program->decode(m->program->context, z), AG_SHAPE(1, m->height * m->width));
    if (m->use.pixels == TRAIN_UNIT)
        return x;
    return ag_add(ag_mul(x, per_pixel(x->tape, m, m->deviation)), per_pixel(x->tape, m, m->mean));
}

bool train__export(train_images *m, const char *path, tl_error *why)
{
    const bool encoder = !strcmp(m->exported, "encoder");
    ag_tape   *tape = train_image_tape(m);
    char       name[200], reason[300];
    tl_output  f;
    if (m->symbols)
        return tl_fail(why, "--export: a model whose codes are numbers of a codebook's vectors is not exported");
    ag_set_grad_enabled(tape, true);
    ag_tensor *in = ag_requires_grad(ag_zeros(tape, AG_SHAPE(1, encoder ? m->height * m->width : m->code)));
    ag_tensor *out = encoder ? encode(m, in) : decode(m, in);
    ag_set_grad_enabled(tape, false);
    snprintf(name, sizeof name, "%s_%s", m->program->name, m->exported);
    if (!tl_output_open(&f, path, why))
        return false;
    if (!ag_export_c(f.stream, name, in, out, reason, sizeof reason)) {
        tl_output_abandon(&f);
        return tl_fail(why, "--export %s: %s", m->exported, reason);
    }
    return tl_output_close(&f, why);
}
