#define _POSIX_C_SOURCE 200809L
#include "autograd/tape.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "autograd/runtime.h"
#include "autograd/tape_internal.h"

static ag_real no_tape_value = (ag_real)NAN;

static const ag_tape no_tape = {
    .failed = true,
    .poison = {{.data = &no_tape_value, .tape = (ag_tape *)&no_tape}},
    .error = "no input is on a tape: make one with ag_input, or put a parameter on a tape with ag_on_tape",
};

ag_tape *ag__no_tape(void)
{
    return (ag_tape *)&no_tape;
}

ag_tensor *ag__poison(ag_tape *tape)
{
    return &tape->poison[tape->pass % 2];
}

ag_tape *ag_tape_new(uint64_t seed)
{
    ag_tape *tape = calloc(1, sizeof *tape);
    if (!tape)
        return NULL;
    tape->rng.seed = seed;
    tape->training = tape->recording = true;
    tape->poison_value = (ag_real)NAN;
    tape->tensors[0].first_block = tape->tensors[1].first_block = 1 << 16;
    for (int i = 0; i < 2; i++)
        tape->poison[i] = (ag_tensor){.data = &tape->poison_value, .tape = tape};
    tape->unusable = !ag_environment_ok(tape->error, sizeof tape->error);
    tape->failed = tape->unusable;
    return tape;
}

void ag_tape_free(ag_tape *tape)
{
    if (!tape || tape == &no_tape)
        return;
    ag__arena_free(&tape->arena);
    ag__arena_free(&tape->tensors[0]);
    ag__arena_free(&tape->tensors[1]);
    free(tape);
}

void ag_tape_reset(ag_tape *tape)
{
    if (!tape || tape == &no_tape)
        return;
    tape->pass++;
    ag__arena_reset(&tape->arena);
    ag__arena_reset(&tape->tensors[tape->pass % 2]);
    tape->last = NULL;
    ag__poison(tape)->pass = tape->pass;
    tape->poison_value = (ag_real)NAN;
    tape->backward_done = tape->retained = tape->located = false;
    if (tape->unusable)
        return;
    tape->failed = false;
    tape->error[0] = '\0';
}

void ag_set_training(ag_tape *tape, bool training)
{
    if (tape && tape != &no_tape)
        tape->training = training;
}

void ag_set_grad_enabled(ag_tape *tape, bool enabled)
{
    if (tape && tape != &no_tape)
        tape->recording = enabled;
}

bool ag_is_training(const ag_tape *tape)
{
    return tape && tape->training;
}

bool ag_is_grad_enabled(const ag_tape *tape)
{
    return tape && tape->recording;
}

ag_rng *ag_tape_rng(ag_tape *tape)
{
    return tape && tape != &no_tape ? &tape->rng : NULL;
}

bool ag_backward_done(const ag_tape *tape)
{
    return tape && tape->backward_done && !tape->failed;
}

const char *ag_error(const ag_tape *tape)
{
    if (!tape)
        return "the tape is NULL: memory ran out when it was made";
    return tape->failed ? tape->error : NULL;
}

const char *ag_tensor_error(const ag_tensor *t)
{
    if (!t)
        return "the tensor is NULL";
    if (t->tape && t->pass != t->tape->pass)
        return "the tensor is of a pass that ag_tape_reset has ended";
    return t->tape ? ag_error(t->tape) : NULL;
}

ag_tensor *ag_fail(ag_tape *tape, const char *format, ...)
{
    if (!tape)
        tape = ag__no_tape();
    if (!tape->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(tape->error, sizeof tape->error, format, args);
        va_end(args);
        tape->failed = true;
        if (tape->recording)
            tape->failed_at = ag__now();
    }
    return ag__poison(tape);
}

bool ag__is_stale(const ag_tensor *t, const char *who)
{
    if (!t->tape || t->pass == t->tape->pass)
        return false;
    ag_fail(t->tape,
            "%s: a tensor of a pass that ag_tape_reset has ended was used; make it anew, or keep its values elsewhere",
            who);
    return true;
}

ag_tensor *ag__tensor_new(ag_tape *tape)
{
    ag_arena             *own = &tape->tensors[tape->pass % 2];
    const ag_arena_block *block = own->current;
    ag_tensor            *t = tape->failed ? NULL : ag__arena_alloc(own, sizeof *t);
    if (own->current != block) /* the next pass will need as much: warm steps call no malloc */
        ag__arena_reserve(&tape->tensors[1 - tape->pass % 2], ag__arena_bytes(own));
    if (t)
        *t = (ag_tensor){.tape = tape, .pass = tape->pass};
    else
        ag_fail(tape, "out of memory: %zu bytes wanted, %zu held by the tape", sizeof *t, ag_tape_bytes(tape));
    return t;
}

int64_t ag__now(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void ag__locate_error(ag_tape *tape, const char *where)
{
    char text[sizeof tape->error];
    if (!tape || !tape->failed || tape->located || tape == &no_tape)
        return;
    snprintf(text, sizeof text, "%s: %.*s", where, (int)(sizeof text - 200), tape->error);
    memcpy(tape->error, text, sizeof text);
    tape->located = true;
}

size_t ag_tape_bytes(const ag_tape *tape)
{
    if (!tape)
        return 0;
    return sizeof *tape + ag__arena_bytes(&tape->arena) + ag__arena_bytes(&tape->tensors[0]) +
           ag__arena_bytes(&tape->tensors[1]);
}

void *ag_tape_alloc(ag_tape *tape, size_t size)
{
    if (!tape || tape->failed)
        return NULL;
    void *p = ag__arena_alloc(&tape->arena, size);
    if (!p)
        ag_fail(tape, "out of memory: %zu bytes wanted, %zu held by the tape", size, ag__arena_bytes(&tape->arena));
    return p;
}

void ag_set_trace(ag_tape *tape, ag_trace_fn *listener, void *context)
{
    if (!tape || tape == &no_tape)
        return;
    tape->listener = listener;
    tape->listener_context = context;
}

void ag_trace(const ag_tensor *t, const void *subject)
{
    if (t && t->tape && t->pass == t->tape->pass && t->tape->listener)
        t->tape->listener(t->tape->listener_context, subject, t);
}
