/* The library without MPI: every program is alone. */
#include <stddef.h>

#include "models/train/ranks.h"

train_ranks train_ranks_world(void)
{
    return (train_ranks){0, 1, NULL, NULL};
}
