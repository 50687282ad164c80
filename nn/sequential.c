/* Sequential. */
#include <stdio.h>

#include "autograd/ops.h"
#include "nn/layers.h"

static ag_tensor *sequential_forward(nn_module *m, ag_tensor *x)
{
    for (nn_module *c = m->first_child; c; c = c->next)
        x = nn_forward(c, x);
    return x;
}

static const nn_type sequential_type = {"Sequential", sizeof(nn_module), sequential_forward, NULL, NULL};

nn_module *nn_sequential_of(int n, nn_module *const *modules)
{
    nn_module *m = nn_new(&sequential_type);
    if (!m)
        m = nn_failed("Sequential", "out of memory");
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        nn_add_child(m, name, modules[i] ? modules[i] : nn_failed("Sequential", "module %d is NULL", i));
    }
    return m;
}
