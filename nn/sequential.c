/* Sequential and ModuleList. */
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

static const nn_type list_type = {"ModuleList", sizeof(nn_module), NULL, NULL, NULL};

nn_module *nn_append(nn_module *list, nn_module *module)
{
    char          name[24];
    const int64_t i = nn_children(list);
    snprintf(name, sizeof name, "%lld", (long long)i);
    return nn_add_child(list, name,
                        module ? module
                               : nn_failed(list ? list->type->name : "append", "module %lld is NULL", (long long)i));
}

static nn_module *list_of(const nn_type *type, int n, nn_module *const *modules)
{
    nn_module *m = nn_new(type);
    if (!m)
        m = nn_failed(type->name, "out of memory");
    for (int i = 0; modules && i < n; i++)
        nn_append(m, modules[i]);
    return m;
}

nn_module *nn_sequential_of(int n, nn_module *const *modules)
{
    return list_of(&sequential_type, n, modules);
}

nn_module *nn_module_list_of(int n, nn_module *const *modules)
{
    return list_of(&list_type, n, modules);
}
