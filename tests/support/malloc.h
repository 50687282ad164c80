/* malloc under control: the linker sends the allocations of the library and of the tests here. */
#ifndef TESTS_MALLOC_H
#define TESTS_MALLOC_H

/* Counts from now on. Without a limit of -1, allocation number `limit` (from 0) and all later ones fail. */
void malloc_watch(long limit);

/* Stops; returns how many allocations there were. */
long malloc_unwatch(void);

#endif
