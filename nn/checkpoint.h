/* Models in files: safetensors with PyTorch's names. What nn_save writes, safetensors.torch.load_file and load_state_dict read,
 * and the other way round.
 *
 * A checkpoint is the same with the optimiser's state, under names that begin with "optimizer/", and texts of the caller's. */
#ifndef NN_CHECKPOINT_H
#define NN_CHECKPOINT_H

#include "nn/module.h"
#include "nn/optimizer.h"
#include "nn/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes parameters and buffers, whole or not at all: when it fails, a file that was there is as it was. */
bool nn_save(nn_module *m, const char *path, nn_message *why);

/* Reads them: torch.nn.Module.load_state_dict. F64, F32, F16 and BF16 are converted. With `strict` the names in the file must be
 * those of the model; without it, only what both have is read. Sizes must agree in any case. On failure *why names all that is
 * missing, unexpected or of another shape, and the model is as it was. An optimiser's state in the file is passed over. */
bool nn_load(nn_module *m, const char *path, bool strict, nn_message *why);

/* The same with the state of an optimiser, and texts. */
bool nn_save_checkpoint(nn_module *m, const nn_optimizer *o, int64_t n_texts, const nn_stored_text *text, const char *path,
                        nn_message *why);

/* Reads model, and optimiser if not NULL, from a file that was opened with nn_safetensors_read. */
bool nn_load_checkpoint(nn_module *m, nn_optimizer *o, const nn_safetensors *file, bool strict, nn_message *why);

#ifdef __cplusplus
}
#endif
#endif
