/* From C++11: the same functions; destructors free; a lambda is the training step. A network learns a sine from 64 points.
 *
 *     c++ cpp.cpp $(pkg-config --cflags --libs hourglass) -o cpp && ./cpp
 *
 * It prints:
 *
 *     sin(1.5) is 1.00, learnt 1.00
 */
#include <models/train/run.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

struct module_free {
    void operator()(nn_module *m) const { nn_module_free(m); }
};
struct optimizer_free {
    void operator()(nn_optimizer *o) const { nn_optimizer_free(o); }
};
struct tape_free {
    void operator()(ag_tape *t) const { ag_tape_free(t); }
};
using module_ptr = std::unique_ptr<nn_module, module_free>;
using optimizer_ptr = std::unique_ptr<nn_optimizer, optimizer_free>;
using tape_ptr = std::unique_ptr<ag_tape, tape_free>;

int main()
{
    std::vector<ag_real> x, y;
    for (int i = 0; i < 64; i++) {
        x.push_back(static_cast<ag_real>(i / 32.0 - 1));
        y.push_back(static_cast<ag_real>(std::sin(3 * x.back())));
    }
    module_ptr model(nn_sequential(nn_linear(1, 32), nn_tanh(), nn_linear(32, 1)));
    nn_reset_parameters(model.get(), 1);
    optimizer_ptr adam(nn_adam(model.get(), nn_adam_defaults(0.01)));

    train_rows rows = {64, AG_SHAPE(1), AG_SHAPE(1), x.data(), y.data()};
    train_source source = train_rows_source(&rows);
    train_optimizer optimizer = {"adam", model.get(), adam.get()};
    train_phase phase = {};
    phase.name = "train";
    phase.train = &source;
    phase.batch = 16;
    phase.epochs = 1000;
    phase.step = [](void *context, train_step *s) {
        auto *o = static_cast<const train_optimizer *>(context);
        train_batch b;
        return train_load(s, &b) && train_minimize(s, ag_mse_loss(nn_forward(o->part, b.x), b.y, AG_MEAN), o);
    };
    train_plan plan = {};
    plan.model = model.get();
    plan.optimizers = &optimizer;
    plan.n_optimizers = 1;
    plan.phases = &phase;
    plan.n_phases = 1;
    plan.context = &optimizer;
    plan.seed = 1;
    tl_error why;
    if (train_run_plan(&plan, &why) != TRAIN_OK) {
        std::fprintf(stderr, "%s\n", why.text);
        return 1;
    }

    tape_ptr tape(ag_tape_new(1));
    ag_tensor *out = nn_forward(model.get(), ag_full(tape.get(), AG_SHAPE(1, 1), 0.5));
    std::printf("sin(1.5) is %.2f, learnt %.2f\n", std::sin(1.5), ag_item(out));
}
