/* safetensors files: named tensors and a few texts, as Hugging Face's library reads and writes them
 * (https://github.com/huggingface/safetensors). The reader refuses whatever breaks the format's rules, and needs memory
 * for the file and a few times its header. */
#ifndef NN_SAFETENSORS_H
#define NN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "tools/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nn_dtype {
    NN_BOOL,
    NN_U8,
    NN_I8,
    NN_F8_E5M2,
    NN_F8_E4M3,
    NN_F8_E8M0,
    NN_I16,
    NN_U16,
    NN_F16,
    NN_BF16,
    NN_I32,
    NN_U32,
    NN_F32,
    NN_C64,
    NN_F64,
    NN_I64,
    NN_U64,
    NN_DTYPES
} nn_dtype;

const char *nn_dtype_name(nn_dtype t);
int64_t     nn_dtype_size(nn_dtype t); /* bytes */

typedef struct nn_stored_tensor {
    const char    *name;
    nn_dtype       dtype;
    int            rank;
    const int64_t *dim;
    int64_t        count; /* of elements */
    const void    *data;  /* little-endian, not aligned */
} nn_stored_tensor;

typedef struct nn_stored_text {
    const char *key, *value;
} nn_stored_text;

typedef struct nn_safetensors {
    int64_t           n_tensors, n_texts;
    nn_stored_tensor *tensor; /* by name */
    nn_stored_text   *text;   /* by key: the file's __metadata__ */
    void             *memory[5];
} nn_safetensors;

/* Reads a file, or `size` bytes that must outlive *s. False with the reason, and nothing to free, when they are no
 * safetensors. */
bool nn_safetensors_read(const char *path, nn_safetensors *s, tl_error *why);
bool nn_safetensors_parse(const void *bytes, size_t size, nn_safetensors *s, tl_error *why);
void nn_safetensors_free(nn_safetensors *s);

/* The tensor of a name, and the text of a key, or NULL. */
const nn_stored_tensor *nn_safetensors_tensor(const nn_safetensors *s, const char *name);
const char             *nn_safetensors_text(const nn_safetensors *s, const char *key);

/* "(400, 784)", cut to fit. Returns text. */
const char *nn_stored_shape(const nn_stored_tensor *t, char *text, size_t size);

/* Element i as a double; NaN for the kinds that are no single number (C64). */
double nn_stored_value(const nn_stored_tensor *t, int64_t i);

/* Writes a file atomically. Names and keys must be UTF-8, and differ, and no name may be "__metadata__". */
bool nn_safetensors_write(const char *path, int64_t n_tensors, const nn_stored_tensor *tensor, int64_t n_texts,
                          const nn_stored_text *text, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
