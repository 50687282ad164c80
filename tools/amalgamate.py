#!/usr/bin/env python3
"""Writes the library as one file: FOLDER/hourglass.c and FOLDER/hourglass.h.

    tools/amalgamate.py VERSION FOLDER --build BUILD --headers H ... --sources C ... --simd C ... --isas NAME ...

The public headers follow each other in hourglass.h, in the order in which they include each other; hourglass.c has the internal
headers where they are first included, the sources, and the sources of the kernels once per instruction set, between pragmas that
say what the CPU has. What two files both call by one name (static functions, types, constants) gets the file's name after it, and
what the kernels define the instruction set's. Macros of a source end with it.
"""
import argparse
import os
import re

TOKEN = re.compile(r'''
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<directive>^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)
  | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<space>\s+)
  | (?P<mark>->|\#\#|.)
''', re.X | re.S | re.M)
INCLUDE = re.compile(r'[ \t]*#[ \t]*include[ \t]+(?:"([^"]+)"|(<[^>]+>))')
DEFINE = re.compile(r'[ \t]*#[ \t]*define[ \t]+(\w+)')

# What a compiler must be told of a CPU, as the Makefile's ISA_FLAGS_* tell it.
TARGETS = {
    'avx512': ('x86_64', 'avx512f,avx512bw,avx512dq,avx512vl,avx2,fma', 64),
    'avx2': ('x86_64', 'avx2,fma', 32),
    'neon': ('aarch64', '', 16),
    'portable': ('', '', 16),
}

HEADER_TOP = '''/* Hourglass {version}: the library's headers in one file, made by tools/amalgamate.py. Every file of a program, hourglass.c
 * included, is compiled with AG_DOUBLE or none is. With HOURGLASS_STATIC defined, a file that includes hourglass.c has all of
 * the library to itself. */
#ifndef HOURGLASS_H
#define HOURGLASS_H

'''
LINKAGE = '''
#ifdef HOURGLASS_STATIC
#define HOURGLASS_API static
#define HOURGLASS_EXTERN static
#else
#define HOURGLASS_API
#define HOURGLASS_EXTERN extern
#endif
'''
SOURCE_TOP = '''/* Hourglass {version}: the library in one file, made by tools/amalgamate.py.
 *
 *     cc -O3 -c hourglass.c
 *
 * The kernels of all instruction sets are inside, and the best one is chosen at run time. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifdef __FAST_MATH__
#error "hourglass.c is not compiled with -ffast-math or -Ofast: the same seed would no longer give the same bits"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("no-math-errno", "no-trapping-math", "fp-contract=off")
#endif
#include "hourglass.h"

'''
AFTER_INCLUDES = '''
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Without errno, which -fno-math-errno says for a whole file only: then a loop over roots becomes one over vectors. */
float  sqrtf(float) __attribute__((const));
double sqrt(double) __attribute__((const));

/* What gcc suspects when it sees all of it at once. */
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wnonnull"
#endif
#ifdef HOURGLASS_STATIC
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
'''


def tokens_of(text):
    return [(m.lastgroup, m.group()) for m in TOKEN.finditer(text)]


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def without_guard(text):
    """A header without the three lines that let it be included twice."""
    m = re.search(r'^#ifndef (\w+_H)\n#define \1\n', text, re.M)
    if not m:
        return text
    return text[:m.start()] + text[m.end():text.rindex('#endif')]


class Scope:
    """The names that a piece of C defines at file scope, by kind."""

    def __init__(self, text):
        self.names, self.macros = set(), []
        declaration = []  # tokens of the present one, outside of braces
        depth = 0
        body = None  # the keyword whose braces these are
        expect_constant = False
        for kind, token in tokens_of(text):
            if kind == 'directive':
                m = DEFINE.match(token)
                if m:
                    self.macros.append(m.group(1))
            if kind in ('comment', 'directive', 'space'):
                continue
            if token == '{':
                if depth == 0:
                    body = next((t for t in declaration if t in ('struct', 'union', 'enum')), None)
                    expect_constant = body == 'enum'
                    if 'typedef' in declaration:
                        self.add_tag(declaration)
                    elif '(' in declaration and body != 'enum':
                        self.add(declaration)
                    elif body:
                        self.add_tag(declaration)
                depth += 1
            elif token == '}':
                depth -= 1
                if depth == 0 and '(' in declaration and 'typedef' not in declaration and '=' not in declaration:
                    declaration = []  # a function's end
            elif depth == 1 and body == 'enum':
                if expect_constant and kind == 'name':
                    self.names.add(token)
                    expect_constant = False
                elif token == ',':
                    expect_constant = True
            elif depth == 0:
                if token == ';':
                    self.add(declaration)
                    declaration = []
                else:
                    declaration.append(token)

    def add_tag(self, declaration):
        for keyword in ('struct', 'union', 'enum'):
            if keyword in declaration:
                after = declaration[declaration.index(keyword) + 1:]
                if after and re.match(r'[A-Za-z_]', after[0]):
                    self.names.add(after[0])

    def add(self, declaration):
        """The name that a declaration gives: of a type, or of a function or variable that is no other file's business."""
        declaration = without_attributes(declaration)
        if declaration[:1] == ['typedef'] and len(declaration) == 4 and declaration[2] == declaration[3]:
            return  # of a struct that has been seen, or that another file defines
        if any(word in declaration for word in ('typedef', 'static', 'INLINE')):
            self.names.add(declared(declaration))
        elif declaration:
            self.add_tag(declaration)


def without_attributes(declaration):
    out, level, inside = [], 0, False
    for token in declaration:
        if token == '__attribute__':
            inside = True
        elif inside:
            level += {'(': 1, ')': -1}.get(token, 0)
            inside = level > 0
        else:
            out.append(token)
    return out


def declared(declaration):
    """Of `static int x[3] = ...`, `typedef bool (*f)(int)` and the like: the name. Uses of macros may stand before it."""
    begin = max(i for i, token in enumerate(declaration) if token in ('static', 'INLINE', 'typedef'))
    declaration = declaration[begin + 1:]
    end = next((i for i, token in enumerate(declaration) if token in '([=' and declaration[i - 1] != '__typeof__'), len(declaration))
    if declaration[end:end + 2] == ['(', '*']:  # a pointer to a function
        return next(t for t in declaration[end + 2:] if t != 'const')
    return declaration[end - 1] if '__typeof__' not in declaration else declaration[-1]


def renamed(text, new_names, paste_suffix=''):
    """The text with other names; members of structs keep theirs. `paste_suffix` goes to what ## makes."""
    out = []
    depth, struct_depths, pending_struct = 0, [], False
    tokens = tokens_of(text)
    solid = [i for i, (kind, _) in enumerate(tokens) if kind not in ('comment', 'space')]
    before = {b: a for a, b in zip(solid, solid[1:])}
    after = dict(zip(solid, solid[1:]))
    for i, (kind, token) in enumerate(tokens):
        if kind == 'directive' and not INCLUDE.match(token) and 'AGK_PASTE3(' not in token:
            head = re.match(r'[ \t]*#[ \t]*\w*', token).group()
            token = head + renamed(token[len(head):], new_names, paste_suffix)
        elif kind == 'name':
            previous = tokens[before[i]][1] if i in before else ''
            following = tokens[after[i]][1] if i in after else ''
            is_member = previous in ('.', '->') or (
                struct_depths and depth == struct_depths[-1] and following in (';', ',', '[', ':', ')'))
            is_kernel = re.search(r'\b(?:AGK\(|KERNEL\(\w+, )$', ''.join(out[-6:]))
            pasted = previous == '##' or following == '##'
            if token in ('struct', 'union'):
                pending_struct = True
            if token in new_names and not (is_member or pasted or is_kernel):
                token = new_names[token]
            if previous == '##' and following != '##':
                token += paste_suffix
        elif token == '{':
            depth += 1
            if pending_struct:
                struct_depths.append(depth)
            pending_struct = False
        elif token == '}':
            if struct_depths and struct_depths[-1] == depth:
                struct_depths.pop()
            depth -= 1
        elif token in (';', '(', ')', '='):
            pending_struct = False
        out.append(token)
    return ''.join(out)


PROTOTYPE = re.compile(r'^(?!typedef\b|static\b|__attribute__|struct \w+ \{|enum\b|extern\b|INLINE\b|return\b|else\b)(?=(?:const |struct |unsigned |_Noreturn )*\w+[ *\n]+\w+\()',
                       re.M)


def with_linkage(text):
    """Prototypes and the few variables that files share: static where the user wants all of it static."""
    out, outside, depth, previous = [], [], 0, ''
    for kind, token in tokens_of(text) + [('mark', '{')]:
        opens = token == '{' and previous != '"C"'  # what extern "C" holds is still outside
        if depth == 0 and opens:
            out.append(prefixed(''.join(outside)))
            outside = []
        (outside if depth == 0 and not opens else out).append(token)
        depth = max(0, depth + opens - (token == '}'))
        if kind != 'space':
            previous = token
    return ''.join(out[:-1])


def prefixed(piece):
    """What stands outside of braces, with linkage."""
    piece = PROTOTYPE.sub('HOURGLASS_API ', piece)
    piece = re.sub(r'^extern (?!")', 'HOURGLASS_EXTERN ', piece, flags=re.M)
    piece = re.sub(r'^(const [\w *]+(?:\(\w+\)|\[\w*\])? = )', r'HOURGLASS_API \1', piece, flags=re.M)
    piece = re.sub(r'^(#define \w+\([\w, ]*\) +)(ag_tensor \*ag_##)', r'\1HOURGLASS_API \2', piece, flags=re.M)
    return re.sub(r'^(#define KERNEL\([\w, ]*\) )(result AGK)', r'\1HOURGLASS_API \2', piece, flags=re.M)


class Amalgamation:
    def __init__(self, seen=(), build=''):
        self.build = build  # where generated files are
        self.seen = set(seen)  # own headers
        self.system = []  # <headers>

    def place_of(self, path):
        return path if os.path.exists(path) else os.path.join(self.build, path)

    def expand(self, path):
        """The file, with the project's headers where they are first included."""
        text = without_guard(read(path)) if path.endswith('.h') else read(path)
        out = []
        for line in text.split('\n'):
            m = INCLUDE.match(line)
            if not m:
                out.append(line)
            elif m.group(2):
                if m.group(2) in ('<sanitizer/asan_interface.h>', '<immintrin.h>', '<arm_neon.h>'):
                    out.append(line)
                elif m.group(2) not in self.system:
                    self.system.append(m.group(2))
            elif m.group(1).endswith('.def'):  # wherever it is included; its comments once are enough
                out.append(re.sub(r'/\*.*?\*/\n?', '', read(m.group(1)), flags=re.S))
            elif m.group(1) not in self.seen:
                self.seen.add(m.group(1))
                out.append(self.expand(self.place_of(m.group(1))))
        return re.sub(r'^#define _\w+_SOURCE\b.*\n', '', '\n'.join(out), flags=re.M)


def undefined(macros):
    return ''.join(f'#undef {m}\n' for m in dict.fromkeys(macros))


def stem(path):
    folder, name = os.path.split(path)
    return os.path.basename(folder) + '_' + name.rsplit('.', 1)[0]


def kernels(all_of_it, sources, isa):
    """The kernels of one instruction set."""
    machine, target, vector_bytes = TARGETS[isa]
    part = Amalgamation(all_of_it.seen)
    pieces = [(path, part.expand(path)) for path in sources]
    all_of_it.system += [h for h in part.system if h not in all_of_it.system]
    out, macros, shared = [], ['AGK_ISA', 'VECTOR_BYTES'], {}
    out.append('\n#define AGK_ISA ' + isa + f'\n#define VECTOR_BYTES {vector_bytes}\n')
    if target:
        out.append(f'''#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("{target}"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("{target}")
#endif
''')
    for path, text in pieces:
        scope = Scope(text)
        own = {n: f'{n}__{stem(path)}_{isa}' for n in scope.names}
        # Headers that this source is the first to include serve the later ones, too.
        for header in re.findall(r'#include "(autograd/kernels/simd/\w+\.h)"', read(path)):
            for name in header_names(header):
                shared.setdefault(name, f'{name}_{isa}')
        own.update(shared)
        out.append(f'\n/* ==== {path}, {isa} ==== */\n')
        out.append(with_linkage(renamed(text, own, '##_' + isa)))
        file_macros = own_macros(path, scope)
        macros += [m for m in scope.macros if m not in file_macros]
        out.append(undefined(file_macros))
    out.append(undefined(macros))
    if target:
        out.append('''#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
''')
    text = ''.join(out)
    return f'\n#if defined(__{machine}__)\n{text}#endif\n' if machine else text


def header_names(path, seen=None):
    seen = set() if seen is None else seen
    if path in seen:
        return set()
    seen.add(path)
    text = read(path)
    names = set(Scope(text).names)
    for header in re.findall(r'#include "(autograd/kernels/simd/\w+\.h)"', text):
        names |= header_names(header, seen)
    return names


def own_macros(path, scope):
    """Of the macros of a source and what it includes, those that the source itself defines."""
    own = DEFINE.findall(read(path))
    return [m for m in scope.macros if m in own]


def header_of(version, parts, public):
    body = []
    for path in public:
        if path not in parts.seen:
            parts.seen.add(path)
            body.append(f'\n/* ==== {path} ==== */\n' + parts.expand(path))
    return (HEADER_TOP.format(version=version) + ''.join(f'#include {s}\n' for s in sorted(parts.system)) + LINKAGE
            + with_linkage(''.join(body)) + '\n#endif\n')


def source_of(version, parts, sources, simd, isas, header):
    pieces = [(path, parts.expand(path)) for path in sources]
    scopes = {path: Scope(text) for path, text in pieces}
    used = {}
    for path, scope in scopes.items():
        for name in scope.names:
            used.setdefault(name, []).append(path)
    global_names = Scope(header).names
    out = []
    for path, text in pieces:
        clash = {n: f'{n}__{stem(path)}' for n in scopes[path].names if len(used[n]) > 1 or n in global_names}
        out.append(f'\n/* ==== {path} ==== */\n' + with_linkage(renamed(text, clash))
                   + undefined(own_macros(path, scopes[path])))
    out += [kernels(parts, simd, isa) for isa in isas]
    return (SOURCE_TOP.format(version=version) + ''.join(f'#include {s}\n' for s in sorted(parts.system)) + AFTER_INCLUDES
            + ''.join(out))


def main():
    p = argparse.ArgumentParser(description='the library as one file')
    p.add_argument('version')
    p.add_argument('folder')
    p.add_argument('--build', default='build')
    for option in ('--headers', '--sources', '--simd', '--isas'):
        p.add_argument(option, nargs='+', required=True)
    a = p.parse_args()
    headers = Amalgamation()
    header = header_of(a.version, headers, [h for h in a.headers if h.endswith('.h')])
    source = source_of(a.version, Amalgamation(headers.seen, a.build), a.sources, a.simd, a.isas, header)
    os.makedirs(a.folder, exist_ok=True)
    for name, content in (('hourglass.h', header), ('hourglass.c', source)):
        content = re.sub(r'\n{3,}', '\n\n', content)
        with open(os.path.join(a.folder, name), 'w', encoding='utf-8') as f:
            f.write(content)
        print(f'  {os.path.join(a.folder, name)}: {content.count(chr(10))} lines, {len(content.encode()) // 1024} KiB')


if __name__ == '__main__':
    main()
