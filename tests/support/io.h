/* Calls to the system under control: those by which the library opens, reads, writes, syncs, closes and renames
 * files. */
#ifndef TESTS_IO_H
#define TESTS_IO_H

/* Counts from now on. Call number `at` (from 0) fails with EIO, once; -1: none. */
void io_watch(long at);

/* Stops; returns how many calls there were. */
long io_unwatch(void);

#endif
