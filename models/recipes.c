#include "models/recipes.h"

#include <string.h>

#define SIZES(...)                                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define RECIPE(id, program, variant, sizes, batch, epochs, steps, lr, pixels, order, last)                             \
    {#id[0], #program, #variant, sizes, batch, epochs, steps, lr, {pixels, order, last, 0}},
static const recipe recipes[] = {
#include "models/recipes.def"
};

static const recipe none = {.program = "none", .variant = "none"};

const recipe *recipe_of(char id)
{
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        if (recipes[i].id == id)
            return &recipes[i];
    return &none;
}

const recipe *recipe_named(const char *program, const char *variant)
{
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        if (!strcmp(recipes[i].program, program) && !strcmp(recipes[i].variant, variant))
            return &recipes[i];
    return &none;
}

int recipe_sizes(const recipe *r)
{
    int n = 0;
    while (n < RECIPE_SIZES && r->size[n] > 0)
        n++;
    return n;
}

void recipe_defaults(const recipe *r, train_options *o, train_image_use *use)
{
    o->batch = r->batch;
    o->epochs = r->epochs;
    o->steps = r->steps;
    o->lr = r->lr;
    *use = r->use;
}
