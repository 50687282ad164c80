#define _POSIX_C_SOURCE 200809L
#include "models/train/image_program.h"

#include <string.h>
#include <unistd.h>

#include "models/train/draw.h"
#include "models/train/edit_internal.h"
#include "models/train/frames_internal.h"
#include "models/train/images_internal.h"
#include "models/train/latent_internal.h"
#include "models/train/score_internal.h"
#include "models/train/use_internal.h"

static const char *variant(void *context)
{
    const train_images *m = context;
    return m->program->variant ? m->program->variant(m->program->context) : NULL;
}

static void defaults(void *context, train_options *o)
{
    train_images *m = context;
    m->use = (train_image_use){0};
    if (m->program->defaults)
        m->program->defaults(m->program->context, o, &m->use);
}

static bool check(void *context, const train_job *job, tl_error *why)
{
    train_images *m = context;
    if (!m->data)
        m->data = access(TRAIN_DEFAULT_DATA "/train-images-idx3-ubyte", F_OK) == 0 ? TRAIN_DEFAULT_DATA
                                                                                   : TRAIN_SYNTHETIC;
    if (m->classifier && !m->score)
        return tl_fail(why, "--classifier: expected --score with it");
    if (job->options.load && !train__check_uses(m, why))
        return false;
    return !m->program->check || m->program->check(m->program->context, job, why);
}

static bool build(void *context, train_job *job, tl_error *why)
{
    train_images *m = context;
    m->job = job;
    if (!train__open_images(m, why))
        return false;
    int64_t largest = m->train.count > m->test.count ? m->train.count : m->test.count;
    int64_t batch = largest > 0 && job->options.batch > largest ? largest : job->options.batch;
    m->phase = (train_phase){.name = "train",
                             .train = &m->training,
                             .test = &m->testing,
                             .order = m->use.order,
                             .batch = batch,
                             .epochs = job->options.epochs,
                             .steps = job->options.steps,
                             .step = m->program->step};
    job->plan.context = m->program->context;
    job->plan.phases = &m->phase;
    job->plan.n_phases = 1;
    job->input = AG_SHAPE(batch, m->height * m->width);
    return m->program->build(m->program->context, m, why);
}

static bool draw(void *context, train_job *job, tl_error *why)
{
    train_images *m = context;
    (void)job;
    const train_image_program *p = m->program;
    return (!p->draw || p->draw(p->context, m, why)) && (!p->encode || !p->decode || train_draw_codes(m, why));
}

static bool collect(void *context, train_job *job, const train_record *record, tl_error *why)
{
    (void)job;
    return train__collect_frame(context, record, why);
}

static bool show(void *context, train_job *job, tl_page *page, tl_error *why)
{
    train_images *m = context;
    (void)job;
    return train__show_frames(m, page, why) && train__show_codes(m, page, why) &&
           (!m->program->show || m->program->show(m->program->context, m, page, why));
}

static bool finish(void *context, train_job *job, tl_error *why)
{
    train_images              *m = context;
    const train_image_program *p = m->program;
    (void)job;
    return (!p->finish || p->finish(p->context, m, why)) && (!m->score || train__score(m, why)) &&
           (!m->edit || train__edit(m, why));
}

static bool use(void *context, train_job *job, tl_error *why)
{
    (void)job;
    return train__use_model(context, why);
}

static void close_images(void *context)
{
    train__free_frames(context);
    train__free_codes(context);
    train__close_images(context);
}

int train_image_main(int argc, char **argv, const train_image_program *p)
{
    train_images m = {.program = p, .columns = 16};
    if (!p || !p->name)
        return train_main(argc, argv, NULL);
    m.data_options[0] = (tl_option){"data",
                                    TL_TEXT,
                                    &m.data,
                                    0,
                                    0,
                                    "DIR",
                                    "folder of MNIST's four files, or \"" TRAIN_SYNTHETIC
                                    "\"; else data/mnist, else synthetic digits",
                                    false};
    m.data_options[1] = (tl_option)TL_OPTIONS_END;
    train__score_options(&m, m.extras);
    train__edit_options(&m, m.extras);
    train__frame_options(&m, m.extras);
    train__use_options(&m, m.uses);
    return train_main(argc, argv,
                      &(train_program){
                          .name = p->name,
                          .about = p->about,
                          .options = p->options,
                          .more_options = m.data_options,
                          .extras = m.extras,
                          .uses = m.uses,
                          .more_uses = p->uses,
                          .variant = variant,
                          .defaults = defaults,
                          .check = check,
                          .build = build,
                          .draw = draw,
                          .collect = collect,
                          .show = show,
                          .finish = finish,
                          .use = m.uses[0].name ? use : NULL,
                          .close = close_images,
                          .context = &m,
                      });
}
