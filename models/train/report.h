/* report.html: a page about a run, written while it goes on. What was run, the loss and its parts, the norms of weights
 * and gradients, and what the program adds. tools/page.h has what it is made of. */
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "models/train/run.h"
#include "tools/page.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct train_report_page {
    const char    *path, *title;
    const char    *chart_path; /* of the first metric's chart as a file of its own, loss.svg; NULL for none */
    int            n_facts;    /* what was run; they must outlive the observer */
    const tl_fact *facts;
    ag_shape       input; /* of a batch, for the model's summary; rank -1 for none */
    /* What the program adds: after each epoch, for what is shown over time, and when the page is written. NULL for
     * nothing. */
    bool (*collect)(void *context, train_run *run, const train_record *record);
    bool (*show)(void *context, train_run *run, tl_page *page);
    void *context;
    bool  goes_on; /* after a run that did not fail train_report_write is called: the observer leaves the end to it */

    /* ---- Private. ---- */
    char   *summary;
    double  begun, written, cost; /* seconds: when the run began, the page was written, and what that took */
    int     n_norms;              /* parameters */
    int64_t n_epochs, every;
    double *norms; /* (epochs, 1 + 2 * parameters): the epoch, then weight and gradient of each */
} train_report_page;

/* Writes the page after an epoch, though not so often that it takes over a fiftieth of the time, and at the end of the
 * run. */
train_observer train_report_observer(train_report_page *r);

/* Writes it now: for what is known only after the run. */
bool train_report_write(train_report_page *r, train_run *run, const char *state);
void train_report_free(train_report_page *r);

#ifdef __cplusplus
}
#endif
#endif
