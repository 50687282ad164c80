/* The recipes of the zoo, from recipes.def. */
#ifndef MODELS_RECIPES_H
#define MODELS_RECIPES_H

#include "models/train/images.h"

enum { RECIPE_SIZES = 6 };

typedef struct recipe {
    char            id; /* 'a', 'b', ...: the workloads' letters */
    const char     *program, *variant;
    int64_t         size[RECIPE_SIZES];   /* of the model; 0 after the last */
    int64_t         batch, epochs, steps; /* steps above 0 in place of epochs */
    double          lr;
    train_image_use use;
} recipe;

/* By letter; by a program's variant. If there is none, a recipe of no sizes and a batch of 0, which every model and run
 * refuses. */
const recipe *recipe_of(char id);
const recipe *recipe_named(const char *program, const char *variant);

/* How many sizes it has. */
int recipe_sizes(const recipe *r);

/* The recipe as the defaults of a program. */
void recipe_defaults(const recipe *r, train_options *o, train_image_use *use);

#endif
