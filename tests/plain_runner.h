/* Criterion's macros, as far as the tests use them, for a runner of some lines, which needs no library. */
#ifndef TESTS_PLAIN_RUNNER_H
#define TESTS_PLAIN_RUNNER_H

#include <setjmp.h>
#include <stdio.h>

typedef void plain_test_fn(void);

void           plain_register(const char *suite, const char *name, plain_test_fn *f);
void           plain_fail(const char *file, int line, const char *condition, const char *format, ...);
_Noreturn void plain_leave(void);
_Noreturn void plain_skip(void);

/* Criterion's macros take further arguments, options or a message; what is added here ends the list. */
#define Test(...) PLAIN_TEST(__VA_ARGS__, 0)
#define PLAIN_TEST(suite, name, ...)                                                                                   \
    static void                              suite##_##name(void);                                                     \
    __attribute__((constructor)) static void suite##_##name##_register(void)                                           \
    {                                                                                                                  \
        plain_register(#suite, #name, suite##_##name);                                                                 \
    }                                                                                                                  \
    static void suite##_##name(void)

#define cr_expect(...)               PLAIN_EXPECT(__VA_ARGS__, "", 0)
#define PLAIN_EXPECT(condition, ...) ((condition) ? (void)0 : plain_fail(__FILE__, __LINE__, #condition, __VA_ARGS__))

#define cr_assert(...) PLAIN_ASSERT(__VA_ARGS__, "", 0)
#define PLAIN_ASSERT(condition, ...)                                                                                   \
    ((condition) ? (void)0 : (plain_fail(__FILE__, __LINE__, #condition, __VA_ARGS__), plain_leave()))

#define cr_skip_test(...) plain_skip()

#endif
