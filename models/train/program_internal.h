/* The options of a program, for its run, and its report. */
#ifndef TRAIN_PROGRAM_INTERNAL_H
#define TRAIN_PROGRAM_INTERNAL_H

#include "models/train/program.h"

/* The tables of options, in the order in which --help shows them. */
void train__shared_options(train_job *job);

/* Reads the command line; opens job->file for --resume or --load. -1, or the exit status if the program ends here. */
int train__read_command(train_job *job, tl_error *why);

/* Whether the options make sense together. */
bool train__check_options(train_job *job, tl_error *why);

/* Puts those that make a result among the checkpoint's texts. */
bool train__keep_options(train_job *job, tl_error *why);

/* Makes the observer that writes report.html and loss.svg in the job's folder. */
bool train__open_report(train_job *job, train_observer *observer, tl_error *why);

/* Writes the page for the last time, with the pictures that were drawn after the run. `state` says how it ended. */
bool train__finish_report(train_job *job, const char *state, tl_error *why);
void train__close_report(train_job *job);

#endif
