/* Criterion's macros, as far as the tests use them, for a runner in one process. */
#ifndef TESTS_PLAIN_RUNNER_H
#define TESTS_PLAIN_RUNNER_H

#include <setjmp.h>
#include <stdio.h>

typedef void plain_test_fn(void);

void plain_register(const char *suite, const char *name, plain_test_fn *f);
void plain_fail(const char *file, int line, const char *condition);
_Noreturn void plain_leave(void);
_Noreturn void plain_skip(void);

#define Test(suite, name, ...)                                                                        \
    static void suite##_##name(void);                                                                 \
    __attribute__((constructor)) static void suite##_##name##_register(void)                          \
    {                                                                                                 \
        plain_register(#suite, #name, suite##_##name);                                                \
    }                                                                                                 \
    static void suite##_##name(void)

#define cr_expect(condition, ...) ((condition) ? (void)0 : (plain_fail(__FILE__, __LINE__, #condition)))
#define cr_assert(condition, ...) \
    ((condition) ? (void)0 : (plain_fail(__FILE__, __LINE__, #condition), plain_leave()))
#define cr_skip_test(...) plain_skip()

#endif
