/* Workspace: memory of a thread, for kernels that copy what they multiply. */
#define _POSIX_C_SOURCE 200809L
#include "autograd/kernels/workspace.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "autograd/kernels/kernels.h"

static _Thread_local ag_real *workspace;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t  at_end;
static bool           has_key;

/* At the end of a thread; what still computes then takes new memory. */
static void forget(void *memory)
{
    free(memory);
    workspace = NULL;
}

static void make_key(void)
{
    has_key = pthread_key_create(&at_end, forget) == 0;
}

ag_real *agk_workspace(void)
{
    if (workspace || pthread_once(&once, make_key) != 0 || !has_key)
        return workspace;
    const size_t bytes = (AGK_WORKSPACE * sizeof(ag_real) + 63) / 64 * 64;
    ag_real     *memory = aligned_alloc(64, bytes);
    if (memory && pthread_setspecific(at_end, memory) != 0) {
        free(memory);
        memory = NULL;
    }
    return workspace = memory;
}

void agk_workspace_free(void)
{
    if (has_key)
        pthread_setspecific(at_end, NULL);
    free(workspace);
    workspace = NULL;
}

/* The library is unloaded: no thread may come back to it. */
__attribute__((destructor)) static void delete_key(void)
{
    agk_workspace_free();
    if (has_key)
        pthread_key_delete(at_end);
    has_key = false;
}
