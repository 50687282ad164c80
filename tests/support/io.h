/* Calls to the system under control: those by which the library opens, reads, writes, syncs, closes and renames
 * files. */
#ifndef TESTS_IO_H
#define TESTS_IO_H

#include <stdbool.h>

/* Counts from now on. Call number `at` (from 0) fails with EIO, once; -1: none. */
void io_watch(long at);

/* Stops; returns how many calls there were. */
long io_unwatch(void);

/* From now on no file of this process grows beyond `bytes`, as on a full disk: writing says EFBIG. */
bool io_limit_files(long bytes);

#endif
