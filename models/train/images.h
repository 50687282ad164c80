/* Labelled images: what a program on them is, and the images as sources. image_program.h has its main function. */
#ifndef TRAIN_IMAGES_H
#define TRAIN_IMAGES_H

#include "datasets/dataset.h"
#include "models/train/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The range of the pixels that a model sees: 0..1, -1..1, or mean 0 and deviation 1 of each pixel over the training
 * images. */
typedef enum train_pixels { TRAIN_UNIT, TRAIN_SIGNED, TRAIN_STANDARD } train_pixels;

/* How a recipe uses the images. */
typedef struct train_image_use {
    train_pixels pixels;
    train_order  order;
    int64_t      last; /* if above 0, only so many training images, the last */
    int64_t held_out;  /* if above 0, the last 1 / held_out of the training images validate, in place of the test's */
} train_image_use;

typedef struct train_image_program train_image_program;

/* The images of a program under way. */
typedef struct train_images {
    const train_image_program *program;
    train_job                 *job;
    int64_t                    height, width;
    ds_dataset                 train, test; /* empty when a loaded model needs none */
    ds_dataset                 validation;  /* with --keep-best, if the data have such images */
    int64_t                    trained;     /* training images in use, without those that are held out */
    train_image_use            use;
    train_phase                phase;        /* one phase over all images, as the options say */
    int64_t                    code;         /* set by build: numbers of an image's code */
    bool                       encodes_only; /* set by build: this model of the program's has no decoder */
    bool                       symbols; /* set by build: codes are numbers of a codebook's vectors, not quantities */
    int64_t class_at;                   /* set by build of a conditional model: where in a code its class is, one-hot */
    int64_t classes;                    /* ..., and of how many; 0 if the model is none */
    int64_t columns;                    /* of --generate's picture; 16 if build leaves it */

    /* ---- Private. ---- */
    const char          *data, *encode, *decode, *reconstruct, *denoise, *exported, *output, *classifier;
    int64_t              generate;
    bool                 add_noise, score, edit, preview;
    ag_real             *mean, *deviation; /* of each pixel: x = (byte / 255 - mean) / deviation */
    train_source         training, testing;
    tl_option            data_options[2], extras[5], uses[9];
    struct train_frames *frames;
    tl_png              *sprite;
} train_images;

struct train_image_program {
    const char *name, *about;
    tl_option  *options; /* its own; NULL for none */
    tl_option  *uses;    /* its own beside --load; NULL for none */
    const char *(*variant)(void *context);
    void (*defaults)(void *context, train_options *o, train_image_use *use);
    bool (*check)(void *context, const train_job *job, tl_error *why);
    /* Makes the model for images->height x images->width pixels, without values, and its optimizers, in
     * images->job->plan; sets images->code. */
    bool (*build)(void *context, train_images *images, tl_error *why);
    train_step_fn *step; /* batches have x (N, pixels) and the labels y (N) */
    bool (*draw)(void *context, train_images *images, tl_error *why);
    /* After the last pictures of a run that was not stopped: what takes long. NULL for nothing. */
    bool (*finish)(void *context, train_images *images, tl_error *why);
    /* What to add to report.html. NULL for nothing. */
    bool (*show)(void *context, train_images *images, tl_page *page, tl_error *why);
    /* Images x (N, pixels) to codes (N, code), and back to images in the program's range; NULL if the model cannot. y
     * is NULL for images without labels. */
    ag_tensor *(*encode)(void *context, const train_batch *b);
    ag_tensor *(*decode)(void *context, ag_tensor *code);
    /* The KL divergence of each number of the images' codes from the prior (N, code), for report.html. NULL for none.
     */
    ag_tensor *(*divergence)(void *context, const train_batch *b);
    bool edits; /* sums and differences of codes are codes: --edit works along directions */
    /* n codes drawn from the model's prior, for new images; NULL if it has none. */
    ag_tensor *(*sample)(void *context, ag_tape *tape, int64_t n);
    /* Adds a denoiser's noise. */
    ag_tensor *(*corrupt)(void *context, ag_tensor *x);
    void *context;
};

/* Test images first .. first+n-1 and their labels, in the program's range, on the job's tape, which is reset and set to
 * evaluate. Fewer if the set has fewer; x and y are poison if that fails. */
train_batch train_test_images(train_images *images, int64_t first, int64_t n);

/* The same, but the tape's random numbers go on, so that what is drawn differs from batch to batch. */
train_batch train_next_test_images(train_images *images, int64_t first, int64_t n);

/* The job's tape, reset and set to evaluate, with the same random numbers each time. */
ag_tape *train_image_tape(train_images *images);

/* The path of a result: in the run's folder, or for --load a new file beside the model, or in --out; false if it is
 * there already, unless --overwrite is given. */
bool train_result_path(train_images *images, const char *name, char *path, size_t size, tl_error *why);

/* Rows of pixels to the program's range, and back to 0..1, in place. */
void train_to_range(const train_images *images, int64_t rows, ag_real *x);
void train_to_unit(const train_images *images, int64_t rows, ag_real *x);

#ifdef __cplusplus
}
#endif
#endif
