/* The thread pool. Internal. */
#ifndef AG_THREADPOOL_H
#define AG_THREADPOOL_H

#include <stdint.h>

/* Reals whose copying is worth a thread: the grain is so many over the reals of an item. */
enum { AGK_THREAD_COPIES = 16384 };

/* Works on items begin .. end-1. */
typedef void agk_body(void *context, int64_t begin, int64_t end);

/* Runs body over items 0 .. n-1, cut into one contiguous part per thread, of about `grain` items at least; parts
 * begin at multiples of 64 items where they have at least 1024, of 8 where they have at least 64. Returns when
 * all is done. Called from within a body, or while another thread uses the pool, it runs on the calling thread alone.
 */
void agk_parallel(int64_t n, int64_t grain, agk_body *body, void *context);

/* The thread count that a text names, or 0 when it names none. */
int agk_threads_from(const char *text);

#endif
