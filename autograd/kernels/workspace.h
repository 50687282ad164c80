/* Workspace: memory of a thread, for kernels that copy what they multiply. Internal. */
#ifndef AG_WORKSPACE_H
#define AG_WORKSPACE_H

#include "autograd/real.h"

/* AGK_WORKSPACE reals of the calling thread, aligned to 64 bytes, made at the first call and freed when the thread
 * ends. NULL if memory runs out: kernels then make do with a little of the stack, and give the same bits. */
ag_real *agk_workspace(void);

/* Frees that of the calling thread before it ends: for the thread pool's, which may end after the library's other
 * parts. */
void agk_workspace_free(void);

#endif
