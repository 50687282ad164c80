/* Workspace: memory of a thread, for kernels that copy what they multiply. Internal. */
#ifndef AG_WORKSPACE_H
#define AG_WORKSPACE_H

#include "autograd/real.h"

/* AGK_WORKSPACE reals of the calling thread, aligned to 64 bytes, made at the first call and freed when the thread ends. NULL if
 * memory runs out: kernels then make do with a little of the stack, and give the same bits. */
ag_real *agk_workspace(void);

#endif
