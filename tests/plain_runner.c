#ifdef PLAIN_RUNNER
#define _POSIX_C_SOURCE 200809L
#include "tests/plain_runner.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    const char    *suite, *name;
    plain_test_fn *f;
} plain_test;

static plain_test tests[1024];
static int        count, failures;
static jmp_buf    out;

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

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { PASSED, FAILED, SKIPPED };

/* Each test runs in a process of its own, as Criterion's do: what one leaves behind, or its crash, does not reach the
 * next. And as many at once as there are CPUs. */
static struct running {
    pid_t             pid; /* 0: none */
    const plain_test *test;
    double            start;
} running[16];

static FILE *tap;
static int   tally[3];

static void start(const plain_test *test)
{
    struct running *r = running;
    while (r->pid)
        r++;
    fflush(NULL);
    *r = (struct running){fork(), test, now()};
    if (r->pid == 0) {
        int left = setjmp(out);
        if (left == 0)
            test->f();
        exit(failures > 0 ? FAILED : left == 2 ? SKIPPED : PASSED);
    }
    if (r->pid < 0) {
        perror(test->name);
        exit(2);
    }
}

static void finish_one(void)
{
    int             status = 0;
    pid_t           pid = wait(&status);
    struct running *r = running;
    while (r->pid != pid)
        r++;
    const plain_test *test = r->test;
    const int         result = !WIFEXITED(status) || WEXITSTATUS(status) > SKIPPED ? FAILED : WEXITSTATUS(status);
    if (WIFSIGNALED(status))
        fprintf(stderr, "signal %d: ", WTERMSIG(status));
    if (result == FAILED)
        fprintf(stderr, "failed: %s %s\n", test->suite, test->name);
    if (tap && result == SKIPPED)
        fprintf(tap, "ok - %s::%s  # SKIP\n", test->suite, test->name);
    else if (tap)
        fprintf(tap, "%sok - %s::%s  (%.2fs)\n", result == FAILED ? "not " : "", test->suite, test->name,
                now() - r->start);
    tally[result]++;
    r->pid = 0;
}

/* With a name, only the tests of that suite; --tap=FILE writes results and times as Criterion's option does. */
int main(int argc, char **argv)
{
    const char *suite = NULL;
    const long  cpus = sysconf(_SC_NPROCESSORS_ONLN), most = (long)(sizeof running / sizeof *running);
    const long  at_once = cpus < 1 ? 1 : cpus < most ? cpus : most;
    long        started = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--tap=", 6))
            suite = argv[i];
        else if (!(tap = fopen(argv[i] + 6, "w")))
            return perror(argv[i]), 2;
    }
    for (int i = 0; i < count; i++) {
        if (suite && strcmp(suite, tests[i].suite))
            continue;
        if (started++ >= at_once)
            finish_one();
        start(&tests[i]);
    }
    for (long left = started < at_once ? started : at_once; left > 0; left--)
        finish_one();
    if (tap)
        fclose(tap);
    printf("%d passed, %d failed, %d skipped\n", tally[PASSED], tally[FAILED], tally[SKIPPED]);
    return tally[FAILED] > 0;
}
#else
typedef int nothing_here;
#endif
