#!/usr/bin/env python3
"""Calls every public function, as the headers declare it, with NULL for each of its pointers, in turn with valid objects for the
others, and with numbers that are zero, negative, enormous or NaN. Each call runs in a process of its own; one that ends by a signal,
by a sanitizer that the library was built with, or not at all, is reported.

    python3 tests/null_calls.py [LIBRARY [CC ...]]      from the project's folder; LIBRARY is build/f32/libhourglass.a if not given
"""
import glob
import itertools
import os
import re
import subprocess
import sys
import tempfile

# Made new for each call. What takes ownership or frees gets one, too: the process ends after the call.
OBJECTS = {
    "ag_tape *": "ag_tape_new(1)",
    "ag_tensor *": "ag_zeros(ag_tape_new(1), AG_SHAPE(2, 3))",
    "nn_module *": "made_linear()",
    "nn_optimizer *": "nn_sgd(made_linear(), nn_sgd_defaults(0.1))",
    "ag_rng *": "&(ag_rng){1, 0}",
    "ag_shape *": "&(ag_shape){2, {2, 3}}",
    "tl_error *": "&(tl_error){{0}}",
    "char *": '(char[1000]){"x"}',
    "FILE *": "stderr_copy()",
}
NUMBERS = ["0", "-1", "INT64_MAX"]
REALS = ["0", "-1", "NAN"]

# With a variable number of arguments, or whose purpose is to end or to wait.
LEFT_OUT = {"ag_fail", "ag_op_fail", "nn_failed", "tl_fail", "tl_fail_at"}

# What is installed.
HEADERS = sorted(h for folder in ("autograd", "nn", "datasets", "tools", "models/train") for h in glob.glob(folder + "/*.h")
                 if not h.endswith("internal.h") and h != "autograd/arena.h")


def declarations(cc):
    """(name, result, types of the arguments) of the public functions."""
    text = "".join(f"#include <{h}>\n" for h in HEADERS)
    text = subprocess.run([*cc, "-E", "-P", "-I.", "-xc", "-"], input=text, capture_output=True, text=True, check=True).stdout
    text = re.sub(r"__attribute__ *\(\(.*?\)\)\)?", "", re.sub(r"\s+", " ", text))
    found = {}
    for result, name, arguments in re.findall(r"([\w ]+[ *])((?:ag|nn|ds|tl|train)_[a-z]\w*) *\(((?:[^();{}]|\([^()]*\))*)\) *;", text):
        if name in LEFT_OUT or "__" in name or "typedef" in result or "..." in arguments or "return" in result:
            continue
        types = [] if arguments.strip() == "void" else [type_of(a) for a in split(arguments)]
        found[name] = types
    return sorted(found.items())


def split(arguments):
    """At the commas that are not in parentheses."""
    parts, depth = [""], 0
    for c in arguments:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def type_of(argument):
    argument = argument.strip()
    if "(*" in argument:
        return "function"
    argument = re.sub(r"\b(const|restrict|volatile)\b", "", argument)
    argument = re.sub(r"\w*\[[^\]]*\]", "*", argument)
    match = re.match(r"((?:struct |unsigned |signed )?\w+)((?: *\*)*) *\w*$", argument.strip())
    return (match.group(1) + " " + "*" * match.group(2).count("*")).strip() if match else "function"


def choices(kind):
    """C expressions for an argument of a type: the hostile ones, then a valid one if there is one."""
    if kind == "function":
        return ["NULL"], None
    if kind.endswith("*"):
        return ["NULL"], OBJECTS.get(kind)
    if kind in ("double", "float", "ag_real"):
        return REALS, "1"
    if kind in ("bool", "_Bool"):
        return ["0"], "1"
    if re.fullmatch(r"u?int\d*(_t)?|size_t|long|long long|unsigned|unsigned int|int|char|unsigned char", kind):
        return NUMBERS, "1"
    return [f"zero_{kind}", f"ones_{kind}"], None


def calls(types):
    """Lists of arguments: all hostile in step, and each alone among valid ones."""
    sets = [choices(t) for t in types]
    lists = []
    for i in range(max([len(h) for h, _ in sets], default=1)):
        lists.append([h[min(i, len(h) - 1)] for h, _ in sets])
    for k, (hostile, _) in enumerate(sets):
        for h in hostile:
            lists.append([h if i == k else (valid or bad[0]) for i, (bad, valid) in enumerate(sets)])
    return [list(x) for x in dict.fromkeys(map(tuple, lists))]


PRELUDE = r"""
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
%(includes)s
static nn_module *made_linear(void) { nn_module *m = nn_linear(3, 2); nn_reset_parameters(m, 1); return m; }
static FILE *stderr_copy(void) { return fopen("/dev/null", "w"); }
%(values)s
%(functions)s
static const struct { const char *text; void (*call)(void); } all[] = {
%(table)s
};
int main(void)
{
    int bad = 0, n = (int)(sizeof all / sizeof *all);
    (void)made_linear, (void)stderr_copy;
    for (int i = 0; i < n; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            alarm(10);
            if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "r", stdin))
                _exit(0);
            all[i].call();
            exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (status != 0) { /* a sanitizer ends it with one of its own */
            printf("%%s: %%s\n", all[i].text, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "ended by a sanitizer");
            bad++;
        }
    }
    printf("%%d calls, %%d of them do not come back\n", n, bad);
    return bad > 0;
}
"""


def main():
    library = sys.argv[1] if len(sys.argv) > 1 else "build/f32/libhourglass.a"
    cc = sys.argv[2:] or ["cc"]
    functions, table, structs, number = [], [], set(), 0
    for name, types in declarations(cc):
        for arguments in calls(types):
            structs.update(a[5:] for a in arguments if re.match(r"(zero|ones)_", a))
            functions.append(f"static void call{number}(void) {{ (void){name}({', '.join(arguments)}); }}")
            text = f"{name}({', '.join(arguments)})".replace("\\", "\\\\").replace('"', '\\"')
            table.append(f'{{"{text}", call{number}}},')
            number += 1
    values = [f"static {s} zero_{s}, ones_{s};" for s in sorted(structs)]
    fill = "".join(f"memset(&ones_{s}, 0xff, sizeof ones_{s}); (void)zero_{s};" for s in sorted(structs))
    values.append(f"__attribute__((constructor)) static void fill_ones(void) {{ {fill} }}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "calls")
        with open(path + ".c", "w") as f:
            f.write(PRELUDE % {"includes": "".join(f"#include <{h}>\n" for h in HEADERS), "values": "\n".join(values),
                               "functions": "\n".join(functions), "table": "\n".join(table)})
        double = ["-DAG_DOUBLE"] if "f64" in library else []
        subprocess.run([*cc, "-std=gnu11", "-w", "-O0", "-I.", *double, path + ".c", library, "-lm", "-pthread", "-o", path], check=True)
        return subprocess.run([path], cwd=folder).returncode


sys.exit(main())
