/* Models and their training in safetensors files. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nn/nn.h"
#include "tests/support/io.h"
#include "tests/test.h"

static tl_error why;

static nn_module *make_net(int64_t hidden)
{
    return nn_sequential(nn_linear(6, hidden), nn_batch_norm1d(hidden), nn_relu(), nn_linear(hidden, 2));
}

static bool step(nn_module *m, nn_optimizer *o, ag_tape *tape)
{
    ag_tape_reset(tape);
    ag_tensor *y = nn_forward(m, ag_randn(tape, AG_SHAPE(5, 6)));
    nn_zero_grad(m);
    ag_backward(ag_mean(ag_mul(y, y), AG_ALL, false));
    return nn_step(o, tape);
}

static const char *path_of(const char *name)
{
    static char folder[128], path[256];
    if (!folder[0])
        snprintf(folder, sizeof folder, "%s", scratch_folder());
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

Test(checkpoint, a_model_goes_there_and_back)
{
    nn_module *m = make_net(4), *k = make_net(4);
    nn_reset_parameters(m, 3);
    nn_parameter_named(m, "1.num_batches_tracked")->data[0] = 7;
    cr_assert(nn_save(m, path_of("m"), &why), "%s", why.text);
    cr_assert(nn_load(k, path_of("m"), true, &why), "%s", why.text);
    ag_tape *tape = ag_tape_new(1); /* ready, though never reset */
    nn_forward(k, ag_ones(tape, AG_SHAPE(3, 6)));
    cr_assert(!ag_error(tape), "%s", ag_error(tape));
    ag_tape_free(tape);
    char here[1024];
    cr_assert(getcwd(here, sizeof here) && chdir("/tmp") == 0);
    char name[64];
    snprintf(name, sizeof name, "hourglass-relative-%d", (int)getpid());
    cr_assert(nn_save(m, name, &why) && remove(name) == 0 && chdir(here) == 0, "%s", why.text);
    cr_assert(nn_parameter_named(k, "1.num_batches_tracked")->data[0] == 8); /* 7, and the pass above */
    nn_parameter_named(k, "1.num_batches_tracked")->data[0] = 7;
    for (int i = 0; i < 4; i++) {
        nn_parameter_named(k, "1.running_mean")->data[i] = nn_parameter_named(m, "1.running_mean")->data[i];
        nn_parameter_named(k, "1.running_var")->data[i] = nn_parameter_named(m, "1.running_var")->data[i];
    }
    cr_assert(nn_fingerprint(m) == nn_fingerprint(k));
    nn_safetensors s;
    cr_assert(nn_safetensors_read(path_of("m"), &s, &why));
    cr_assert(nn_safetensors_tensor(&s, "1.num_batches_tracked")->dtype == NN_I64);
    cr_assert(!strcmp(nn_safetensors_text(&s, "format"), "pt") && !nn_safetensors_text(&s, "nothing"));
    nn_safetensors_free(&s);
    nn_module_free(m), nn_module_free(k);
}

Test(checkpoint, says_all_that_does_not_fit_and_changes_nothing)
{
    nn_module *m = make_net(4), *k = nn_sequential(nn_linear(6, 5), nn_linear(4, 2), nn_linear(1, 1));
    nn_reset_parameters(m, 1), nn_reset_parameters(k, 2);
    uint64_t before = nn_fingerprint(k);
    cr_assert(nn_save(m, path_of("m"), &why));
    cr_assert(!nn_load(k, path_of("m"), true, &why) && nn_fingerprint(k) == before);
    cr_assert(strstr(why.text,
                     "missing in the file: 2.weight, 2.bias; not in the model: 1.num_batches_tracked, 1.running_mean"),
              "%s", why.text);
    cr_assert(strstr(why.text, "3.weight; other shapes: 0.weight is (4, 6) in the file, (5, 6) in the model"), "%s",
              why.text);
    cr_assert(!nn_load(k, path_of("m"), false, &why) && !strstr(why.text, "missing") && nn_fingerprint(k) == before);
    nn_module_free(k);
    k = nn_sequential(nn_linear(6, 4)); /* gets its values from the file alone */
    cr_assert(!nn_load(k, path_of("m"), true, &why) && strstr(why.text, "not in the model: 1.bias"), "%s",
              why.text); /* names alone */
    cr_assert(nn_load(k, path_of("m"), false, &why), "%s", why.text);
    cr_assert(!memcmp(nn_parameter_named(k, "0.weight")->data, nn_parameter_named(m, "0.weight")->data,
                      24 * sizeof(ag_real)));
    ag_tape *tape = ag_tape_new(1);
    cr_assert(!ag_tensor_error(nn_forward(k, ag_ones(tape, AG_SHAPE(1, 6)))), "%s", ag_error(tape));
    ag_tape_free(tape);
    cr_assert(!nn_load(k, path_of("none"), true, &why) && strstr(why.text, "none: No such file"), "%s", why.text);
    cr_assert(!nn_load(k, NULL, true, &why) && !nn_load(NULL, path_of("m"), true, &why) &&
              !nn_save(NULL, path_of("m"), &why));
    cr_assert(!nn_save(k, NULL, &why) && !nn_save(k, "", &why) && !nn_save(k, "/nonexistent/x", &why));
    nn_module_free(m), nn_module_free(k);
}

/* A count is a whole number that a double holds. */
Test(checkpoint, counts_have_bounds)
{
    static const char *const counts[] = {"\xff\xff\xff\xff\xff\xff\xff\x7f", "\xff\xff\xff\xff\xff\xff\xff\xff"};
    nn_module               *m = make_net(4);
    nn_safetensors           s;
    nn_reset_parameters(m, 1);
    cr_assert(nn_save(m, path_of("counts"), &why) && nn_safetensors_read(path_of("counts"), &s, &why), "%s", why.text);
    for (int i = 0; i < 2; i++) {
        for (int64_t k = 0; k < s.n_tensors; k++)
            if (s.tensor[k].dtype == NN_I64)
                s.tensor[k].data = counts[i];
        cr_assert(nn_safetensors_write(path_of("other"), s.n_tensors, s.tensor, 0, NULL, &why), "%s", why.text);
        cr_assert(!nn_load(m, path_of("other"), true, &why) && strstr(why.text, "counts: 1.num_batches_tracked is"),
                  "%s", why.text);
    }
    nn_safetensors_free(&s), nn_module_free(m);
}

Test(checkpoint, other_dtypes_are_converted)
{
    const int64_t          two[] = {1, 2}, one[] = {1};
    const uint8_t          half[] = {0, 0x3c, 0, 0xc0};
    const double           bias = 0.25;
    const nn_stored_tensor t[] = {{"weight", NN_F16, 2, two, 2, half}, {"bias", NN_F64, 1, one, 1, &bias}};
    nn_module             *m = nn_linear(2, 1);
    cr_assert(nn_safetensors_write(path_of("half"), 2, t, 0, NULL, &why) && nn_load(m, path_of("half"), true, &why),
              "%s", why.text);
    const ag_real *w = nn_parameter_named(m, "weight")->data;
    cr_assert(w[0] == 1 && w[1] == -2 && nn_parameter_named(m, "bias")->data[0] == (ag_real)0.25);
    const nn_stored_tensor whole[] = {t[0], {"bias", NN_I64, 1, one, 1, &bias}};
    cr_assert(nn_safetensors_write(path_of("half"), 2, whole, 0, NULL, &why) &&
              !nn_load(m, path_of("half"), true, &why));
    cr_assert(strstr(why.text, "bias is I64, expected F32"), "%s", why.text);
    const int64_t          three[] = {1, 3};
    const nn_stored_tensor longer[] = {{"weight", NN_F32, 2, three, 3, (float[]){1, 2, 3}}, t[1]},
                           flat[] = {{"weight", NN_F16, 1, two, 1, half}, t[1]};
    cr_assert(nn_safetensors_write(path_of("half"), 2, longer, 0, NULL, &why) &&
              !nn_load(m, path_of("half"), true, &why));
    cr_assert(strstr(why.text, "weight is (1, 3) in the file, (1, 2) in the model"), "%s", why.text);
    cr_assert(nn_safetensors_write(path_of("half"), 2, flat, 0, NULL, &why) &&
              !nn_load(m, path_of("half"), true, &why));
    cr_assert(strstr(why.text, "weight is (1) in the file"), "%s", why.text);
    const nn_stored_tensor twice[] = {t[0], t[0]};
    cr_assert(!nn_safetensors_write(path_of("twice"), 2, twice, 0, NULL, &why) &&
              strstr(why.text, "weight is there twice"));
    const nn_stored_tensor odd = {"\xff", NN_F16, 2, two, 2, half},
                           reserved = {"__metadata__", NN_F16, 2, two, 2, half};
    cr_assert(!nn_safetensors_write(path_of("odd"), 1, &odd, 0, NULL, &why) &&
              strstr(why.text, "is no name for a tensor"));
    cr_assert(!nn_safetensors_write(path_of("odd"), 1, &reserved, 0, NULL, &why) &&
              strstr(why.text, "is no name for a tensor"));
    cr_assert(!nn_safetensors_write(path_of("odd"), 1, t, 1, &(nn_stored_text){"k", "\xc3"}, &why) &&
              strstr(why.text, "the text of k is not UTF-8"));
    cr_assert(!nn_save_checkpoint(m, 0, NULL, 1, &(nn_stored_text){"format", "x"}, path_of("odd"), &why) &&
              strstr(why.text, "format is there twice"));
    cr_assert(!nn_load_checkpoint(m, 0, NULL, NULL, true, &why) && !nn_safetensors_text(NULL, "k") &&
              !nn_save(m, "/nonexistent/x", NULL));
    nn_module    *small = nn_linear(1, 1), *net = make_net(4);
    nn_optimizer *of_small = nn_adam(small, nn_adam_defaults(0.1));
    cr_assert(!nn_save_checkpoint(net, 1, &(nn_named_optimizer){"o", of_small}, 0, NULL, path_of("odd"), &why) &&
                  strstr(why.text, "of another model"),
              "%s", why.text);
    nn_optimizer_free(of_small), nn_module_free(small), nn_module_free(net);
    nn_module_free(m);
}

typedef nn_optimizer *make_fn(nn_module *m);

static nn_optimizer *make_sgd(nn_module *m)
{
    return nn_sgd(m, (nn_sgd_options){.lr = 0.1, .momentum = 0.9});
}
static nn_optimizer *make_plain(nn_module *m)
{
    return nn_sgd(m, nn_sgd_defaults(0.1));
}
static nn_optimizer *make_adam(nn_module *m)
{
    return nn_adam(m, nn_adam_defaults(0.01));
}
static nn_optimizer *make_adamw(nn_module *m)
{
    return nn_adamw(m, nn_adamw_defaults(0.01));
}
static nn_optimizer *make_adagrad(nn_module *m)
{
    return nn_adagrad(m, nn_adagrad_defaults(0.1));
}
static nn_optimizer *make_rmsprop(nn_module *m)
{
    return nn_rmsprop(m,
                      (nn_rmsprop_options){.lr = 0.01, .alpha = 0.9, .eps = 1e-8, .momentum = 0.5, .centered = true});
}

/* Three steps, a checkpoint, three steps: the same from the checkpoint, bit for bit, with every optimizer. */
Test(checkpoint, training_goes_on_to_the_same_bits)
{
    static make_fn *const all[] = {make_sgd, make_plain, make_adam, make_adamw, make_adagrad, make_rmsprop};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        nn_module *m = make_net(4), *k = make_net(4);
        nn_reset_parameters(m, 1), nn_reset_parameters(k, 2);
        nn_optimizer *o = all[i](m), *p = all[i](k);
        ag_tape      *tape = ag_tape_new(9), *other = ag_tape_new(8);
        nn_set_lr(o, 0.07);
        for (int s = 0; s < 3; s++)
            cr_assert(step(m, o, tape), "%s", ag_error(tape));
        cr_assert(
            nn_save_checkpoint(m, 1, &(nn_named_optimizer){"o", o}, 1, &(nn_stored_text){"k", "v"}, path_of("c"), &why),
            "%s", why.text);
        nn_safetensors file;
        cr_assert(nn_safetensors_read(path_of("c"), &file, &why) &&
                      nn_load_checkpoint(k, 1, &(nn_named_optimizer){"o", p}, &file, true, &why),
                  "%s", why.text);
        cr_assert(!strcmp(nn_safetensors_text(&file, "k"), "v") && nn_lr(p) == 0.07);
        *ag_tape_rng(other) = *ag_tape_rng(tape);
        for (int s = 0; s < 3; s++)
            cr_assert(step(m, o, tape) && step(k, p, other));
        cr_assert(nn_fingerprint(m) == nn_fingerprint(k), "optimizer %d", (int)i);
        nn_optimizer *wrong = all[i] == make_adam ? make_sgd(k) : make_adam(k);
        cr_assert(!nn_load_checkpoint(k, 1, &(nn_named_optimizer){"o", wrong}, &file, true, &why) &&
                      strstr(why.text, "the file's optimizer o is"),
                  "%s", why.text);
        cr_assert(nn_load(k, path_of("c"), true, &why), "%s", why.text); /* the weights alone */
        nn_safetensors_free(&file);
        nn_optimizer_free(o), nn_optimizer_free(p), nn_optimizer_free(wrong);
        nn_module_free(m), nn_module_free(k);
        ag_tape_free(tape), ag_tape_free(other);
    }
}

#ifndef PLAIN_RUNNER
/* A full disk: what was there before stays, and nothing else. */
Test(checkpoint, a_full_disk_leaves_the_old_file)
{
    nn_module *m = make_net(100);
    char       part[300];
    nn_reset_parameters(m, 1);
    cr_assert(nn_save(m, path_of("full"), &why));
    snprintf(part, sizeof part, "%s.part", path_of("full"));
    uint64_t before = nn_fingerprint(m);
    cr_assert(io_limit_files(1024));
    nn_reset_parameters(m, 2);
    cr_assert(!nn_save(m, path_of("full"), &why) && strstr(why.text, "full: cannot be written"), "%s", why.text);
    cr_assert(access(part, F_OK) != 0 && nn_load(m, path_of("full"), true, &why) && nn_fingerprint(m) == before);
    nn_module_free(m);
}
#endif
