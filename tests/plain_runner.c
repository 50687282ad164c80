#ifdef PLAIN_RUNNER
#include "tests/plain_runner.h"

#include <stdarg.h>
#include <string.h>

static struct {
    const char    *suite, *name;
    plain_test_fn *f;
} tests[1024];
static int     count, failures;
static jmp_buf out;

void plain_register(const char *suite, const char *name, plain_test_fn *f)
{
    tests[count].suite = suite;
    tests[count].name = name;
    tests[count++].f = f;
}

void plain_fail(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list args;
    failures++;
    fprintf(stderr, "%s:%d: %s ", file, line, condition);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void plain_leave(void)
{
    longjmp(out, 1);
}

void plain_skip(void)
{
    longjmp(out, 2);
}

/* With an argument, only the tests of that suite. */
int main(int argc, char **argv)
{
    static int passed, failed, skipped, i; /* static: longjmp comes back here */
    for (i = 0; i < count; i++) {
        if (argc > 1 && strcmp(argv[1], tests[i].suite))
            continue;
        int before = failures, left = setjmp(out);
        if (left == 0)
            tests[i].f();
        if (failures > before)
            fprintf(stderr, "failed: %s %s\n", tests[i].suite, tests[i].name);
        failed += failures > before;
        skipped += failures == before && left == 2;
        passed += failures == before && left != 2;
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed > 0;
}
#else
typedef int nothing_here;
#endif
