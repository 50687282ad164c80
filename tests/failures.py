#!/usr/bin/env python3
"""Every way to ask the system for memory or a file fails, in every program: each place in the code that allocates, opens, syncs, closes
or renames, and each chain of calls that leads there, once alone and once with all that follow. A program must then say why it gave up,
by its exit status too, or end as if nothing had been; and what is in its folder can be read.

    tests/failures.py [--every N] [FOLDER]     FOLDER has models/ and tools/ with the programs in it; of the failures every Nth. With glibc.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

# Loaded before the C library: call FAIL_AT fails, and with FAIL_ON those after it; to FAIL_LOG goes a line for each call, its stack's hash.
CALLS = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size), *__libc_realloc(void *p, size_t n),
    *__libc_memalign(size_t alignment, size_t n);
extern ssize_t __write(int fd, const void *p, size_t n);

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int inside;
static long calls, at = -2;
static int log_to = -1, on;

static void begin(void)
{
    const char *text = getenv("FAIL_AT"), *log = getenv("FAIL_LOG");
    at = text ? atol(text) : -1;
    on = getenv("FAIL_ON") != NULL;
    log_to = log ? creat(log, 0666) : -1;
}

static void note(void)
{
    void    *frame[12];
    uint64_t hash = 1469598103934665603u;
    char     line[20];
    for (int n = backtrace(frame, 12), i = 2; i < n; i++) {
        Dl_info of;
        hash = (hash ^ (uintptr_t)((char *)frame[i] - (dladdr(frame[i], &of) ? (char *)of.dli_fbase : 0))) * 1099511628211u;
    }
    const int n = snprintf(line, sizeof line, "%016llx\n", (unsigned long long)hash);
    if (__write(log_to, line, (size_t)n) != n)
        _exit(99);
}

static int fails(int why)
{
    if (inside)
        return 0;
    inside = 1;
    pthread_mutex_lock(&one);
    if (at == -2)
        begin();
    const long n = calls++;
    if (log_to >= 0)
        note();
    pthread_mutex_unlock(&one);
    inside = 0;
    const int it = at >= 0 && (n == at || (on && n > at));
    if (it)
        errno = why;
    return it;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL(result, failed, why, name, declared, passed) \
    result name declared { if (fails(why)) return failed; return NEXT(name) passed; }

void *malloc(size_t n) { return fails(ENOMEM) ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails(ENOMEM) ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return fails(ENOMEM) ? NULL : __libc_realloc(p, n); }
void *aligned_alloc(size_t alignment, size_t n) { return fails(ENOMEM) ? NULL : __libc_memalign(alignment, n); }
CALL(FILE *, NULL, EIO, fopen, (const char *path, const char *mode), (path, mode))
CALL(FILE *, NULL, ENOMEM, fdopen, (int fd, const char *mode), (fd, mode))
CALL(int, -1, EIO, fstat, (int fd, struct stat *st), (fd, st))
CALL(int, -1, EIO, fsync, (int fd), (fd))
CALL(int, -1, EIO, rename, (const char *from, const char *to), (from, to))
CALL(int, -1, EIO, mkdir, (const char *path, mode_t mode), (path, mode))
CALL(DIR *, NULL, EIO, opendir, (const char *path), (path))
CALL(ssize_t, -1, EIO, read, (int fd, void *p, size_t n), (fd, p, n))

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    return fails(EIO) ? -1 : NEXT(open)(path, flags, mode);
}

int fflush(FILE *f)
{
    if (fails(ENOSPC))
        return EOF;
    return NEXT(fflush)(f);
}

int fclose(FILE *f)
{
    const int failed = fails(ENOSPC), result = NEXT(fclose)(f);
    errno = failed ? ENOSPC : errno;
    return failed ? EOF : result;
}
"""

SMALL = ["--batch", "20", "--quiet", "--out", "run"]
TWO = [*SMALL, "--steps", "2"]
MODEL = ["--load", "run/model.safetensors", "--quiet", "--output"]
DATA = ["--data", "data"]
# What is run, and the program whose trained model it finds in `run`, if any.
CASES = {
    "train": (["models/vae_mnist", *DATA, "--score", *TWO], None),
    "train by shards": (["models/vae_mnist", *DATA, "--shards", "2", *TWO], None),
    "resume": (["models/vae_mnist", *DATA, "--resume", "run/checkpoint.safetensors", "--epochs", "2", "--quiet"], "vae_mnist"),
    "generate": (["models/vae_mnist", "--generate", "4", *MODEL, "g.png"], "vae_mnist"),
    "encode": (["models/vae_mnist", "--encode", "data/t10k-images-idx3-ubyte", *MODEL, "c.npy"], "vae_mnist"),
    "edit": (["models/vae_mnist", *DATA, "--edit", "--load", "run/model.safetensors", "--quiet", "--out", "e"], "vae_mnist"),
    "inspect": (["tools/hourglass-inspect", "run/checkpoint.safetensors"], "vae_mnist"),
    "compare": (["tools/hourglass-compare", "--out", "c.html", "run", "run"], "vae_mnist"),
    "export": (["tools/hourglass", "export", "run/model.safetensors", "--output", "e.c"], "vae_mnist"),
    "conv": (["models/vae_mnist", *DATA, "--variant", "conv", *TWO], None),
    "poems": (["models/poem_vae", "--generate", "3", "--load", "run/model.safetensors", "--quiet"], "poem_vae"),
}
CASES.update({p: ([f"models/{p}", *([] if p == "poem_vae" else DATA), *TWO, *more], None) for p, more in {
    "adversarial_ae_mnist": ["--labels", "100"], "conv_ae_mnist": [], "cvae_mnist": [], "denoising_ae_mnist": [], "flow_vae_mnist": [],
    "iwae_mnist": [], "mlp_ae_mnist": [], "mlp_classifier_mnist": [], "poem_vae": [], "stacked_ae_mnist": ["--pretrain-epochs", "1"],
    "vae_gan_mnist": [], "vq_vae_mnist": ["--prior-epochs", "1"]}.items()})


class Sweep:
    def __init__(self, programs, at):
        self.programs, self.at, self.loaded, self.wrong = programs, at, f"{at}/calls.so", []
        with open(f"{at}/calls.c", "w") as f:
            f.write(CALLS)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", self.loaded, f"{at}/calls.c", "-ldl", "-lpthread"], check=True)
        subprocess.run([f"{os.path.dirname(os.path.abspath(__file__))}/small_data.sh", f"{at}/data"], check=True)

    def run(self, folder, words, **variables):
        """One run in a folder; None if it does not end."""
        command = [f"{self.programs}/{words[0]}", *words[1:]]
        env = dict(os.environ, HOURGLASS_THREADS="1", **variables)
        try:
            return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, errors="replace", timeout=120)
        except subprocess.TimeoutExpired:
            return None

    def folder(self, trained):
        folder = tempfile.mkdtemp(dir=self.at)
        os.symlink(f"{self.at}/data", f"{folder}/data")
        if trained:
            shutil.copytree(f"{self.at}/{trained}/run", f"{folder}/run")
        return folder

    def train(self, program):
        """A model, for those that use one."""
        os.mkdir(f"{self.at}/{program}")
        data = [] if program == "poem_vae" else ["--data", f"{self.at}/data"]
        done = self.run(f"{self.at}/{program}", [f"models/{program}", *data, *SMALL, "--steps", "4"])
        assert done.returncode == 0, done.stderr

    def judge(self, folder, done, good, files):
        """What is wrong with a run that met a failure, or None."""
        if done is None:
            return "does not end"
        if done.returncode not in (0, 1, 2):
            return f"exit status {done.returncode}"
        if done.returncode and not done.stderr.strip():
            return "says nothing"
        if done.returncode == 0 and done.stdout != good:
            return f"exit status 0, but prints {done.stdout!r}"
        if done.returncode == 0 and listing(folder) != files:
            return f"exit status 0, but leaves {sorted(listing(folder) ^ files)} or lacks them"
        for name in ("checkpoint", "model"):
            path = f"{folder}/run/{name}.safetensors"
            if os.path.exists(path) and self.run(folder, ["tools/hourglass-inspect", path]).returncode:
                return f"{name}.safetensors cannot be read"
        return None

    def fail(self, name, words, trained, good, files, call, on):
        folder = self.folder(trained)
        done = self.run(folder, words, LD_PRELOAD=self.loaded, FAIL_AT=str(call), **({"FAIL_ON": "1"} if on else {}))
        wrong = self.judge(folder, done, good, files)
        shutil.rmtree(folder)
        if wrong:
            said = done.stderr.strip()[-200:] if done else ""
            self.wrong.append(f"{name}: call {call}{' and all after it' if on else ''} fails: {wrong}; {said}")

    def case(self, name, words, trained, every, pool):
        """The failures of a case, on their way: of each chain of calls the first."""
        folder = self.folder(trained)
        log = f"{folder}.log"
        done = self.run(folder, words, LD_PRELOAD=self.loaded, FAIL_LOG=log)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        stacks = open(log).read().split()
        first = sorted({stack: i for i, stack in reversed(list(enumerate(stacks)))}.values())
        files = listing(folder)
        return [pool.submit(self.fail, name, words, trained, done.stdout, files, call, on)
                for i, call in enumerate(first) for on in (False, True) if (i + on * (every // 2)) % every == 0]


def listing(folder):
    return {os.path.join(at, name)[len(folder):] for at, _, names in os.walk(folder) for name in names if not name.startswith(".")}


def main(arguments):
    every = 1
    if arguments[:1] == ["--every"]:
        every = int(arguments[1])
        arguments = arguments[2:]
    with tempfile.TemporaryDirectory() as at, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        sweep = Sweep(os.path.abspath(arguments[0] if arguments else "."), at)
        for program in sorted({trained for _, trained in CASES.values() if trained}):
            sweep.train(program)
        runs = [run for name, (words, trained) in CASES.items() for run in sweep.case(name, words, trained, every, pool)]
        for run in runs:
            run.result()
    for line in sweep.wrong:
        print(f"  wrong: {line}", file=sys.stderr)
    print(f"failures: {len(runs)} of {len(CASES)} programs and uses, {len(sweep.wrong)} wrong")
    return 1 if sweep.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
