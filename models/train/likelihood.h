/* How likely a model with codes makes the test images, by importance sampling; for black and white pixels. */
#ifndef TRAIN_LIKELIHOOD_H
#define TRAIN_LIKELIHOOD_H

#include "models/train/images.h"

#ifdef __cplusplus
extern "C" {
#endif

/* log p(x, z) - log q(z | x) of k codes z drawn from q for each of the images x (N, pixels) of zeros and ones: (N, k).
 */
typedef ag_tensor *train_log_weights_fn(void *context, ag_tensor *x, int64_t k);

/* x drawn anew: a pixel is 1 with its grey value as probability. Pixels of 0 and 1 stay as they are. */
ag_tensor *train_binarise(ag_tensor *x);

/* nll.csv: -log of the mean of `samples` importance weights, as a mean over the test images, in nats: a bound, whose
 * distance from -log p(x) falls as one over their number (Burda, Grosse, Salakhutdinov: "Importance weighted
 * autoencoders", 2016, section 2). */
bool train_estimate_likelihood(train_images *images, int64_t samples, train_log_weights_fn *log_weights, void *context,
                               tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
