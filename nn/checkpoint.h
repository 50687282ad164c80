/* Models in files: safetensors with PyTorch's names. What nn_save writes, safetensors.torch.load_file and
 * load_state_dict read, and the other way round.
 *
 * A checkpoint is the same with the state of optimizers, each under a name of its own, and texts of the caller's.
 * Optimizer NAME's state of a parameter is in the tensors "optimizer/NAME/<parameter>/step" and ".../exp_avg"
 * (torch.optim's names), its kind and learning rate in the texts "optimizer.NAME" and "optimizer.NAME.lr". */
#ifndef NN_CHECKPOINT_H
#define NN_CHECKPOINT_H

#include "nn/module.h"
#include "nn/optimizer.h"
#include "nn/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Atomically writes parameters and buffers: on failure a file that was there is as it was. */
bool nn_save(nn_module *m, const char *path, tl_error *why);

/* Reads them: torch.nn.Module.load_state_dict. F64, F32, F16 and BF16 are converted. With `strict` the names in the
 * file must be those of the model; without it, only what both have is read. Shapes must agree in any case, and are
 * compared before the model takes memory. On failure *why names all that is missing, unexpected or of another shape,
 * and the model is as it was. The state of optimizers in the file is passed over. */
bool nn_load(nn_module *m, const char *path, bool strict, tl_error *why);

/* An optimizer over the model, or over a part of it, and its name in a checkpoint. */
typedef struct nn_named_optimizer {
    const char   *name; /* without a '/' */
    nn_optimizer *optimizer;
} nn_named_optimizer;

/* The same with the state of n optimizers, and texts. */
bool nn_save_checkpoint(nn_module *m, int n, const nn_named_optimizer *optimizers, int64_t n_texts,
                        const nn_stored_text *text, const char *path, tl_error *why);

/* Reads the model, and the optimizers if n is above 0, from a file that was opened with nn_safetensors_read. */
bool nn_load_checkpoint(nn_module *m, int n, const nn_named_optimizer *optimizers, const nn_safetensors *file,
                        bool strict, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
