/* A reader under libFuzzer: READER is safetensors, npy, idx, png, pgm or couplets, of files, history, of a checkpoint's
 * metrics, or args, of command lines and of the options in a checkpoint. `make fuzz` builds and runs all of them. In a
 * build with FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION, as it makes, the PNG reader compares no checksums. */
#include "tests/fuzz/readers.h"

#define PASTE2(a, b) a##b
#define PASTE(a, b)  PASTE2(a, b)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    PASTE(try_, READER)(bytes, size);
    return 0;
}
