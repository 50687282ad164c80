#include "autograd/tape.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/tape_internal.h"

static ag_real no_tape_value = (ag_real)NAN;

static const ag_tape no_tape = {
    .failed = true,
    .poison = {.data = &no_tape_value, .tape = (ag_tape *)&no_tape},
    .error = "no input is on a tape: make one with ag_input, or put a parameter on a tape with ag_on_tape",
};

ag_tape *ag_no_tape(void)
{
    return (ag_tape *)&no_tape;
}

ag_tape *ag_tape_new(uint64_t seed)
{
    ag_tape *tape = calloc(1, sizeof *tape);
    if (!tape)
        return NULL;
    tape->rng.seed = seed;
    tape->training = tape->recording = true;
    tape->poison_value = (ag_real)NAN;
    tape->poison.data = &tape->poison_value;
    tape->poison.tape = tape;
    return tape;
}

void ag_tape_free(ag_tape *tape)
{
    if (!tape || tape == &no_tape)
        return;
    ag_arena_free(&tape->arena);
    free(tape);
}

void ag_tape_reset(ag_tape *tape)
{
    if (!tape || tape == &no_tape)
        return;
    ag_arena_reset(&tape->arena);
    tape->last = NULL;
    tape->failed = tape->backward_done = false;
    tape->error[0] = '\0';
    tape->poison_value = (ag_real)NAN;
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
        return "the tape is NULL: memory was out when it was made";
    return tape->failed ? tape->error : NULL;
}

const char *ag_tensor_error(const ag_tensor *t)
{
    if (!t)
        return "the tensor is NULL";
    return t->tape ? ag_error(t->tape) : NULL;
}

ag_tensor *ag_fail(ag_tape *tape, const char *format, ...)
{
    if (!tape)
        tape = ag_no_tape();
    if (!tape->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(tape->error, sizeof tape->error, format, args);
        va_end(args);
        tape->failed = true;
    }
    return &tape->poison;
}

size_t ag_tape_bytes(const ag_tape *tape)
{
    return tape ? sizeof *tape + ag_arena_bytes(&tape->arena) : 0;
}

void *ag_tape_alloc(ag_tape *tape, size_t size)
{
    if (!tape || tape->failed)
        return NULL;
    void *p = ag_arena_alloc(&tape->arena, size);
    if (!p)
        ag_fail(tape, "out of memory: %zu bytes wanted, %zu held by the tape", size, ag_arena_bytes(&tape->arena));
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
    if (t && t->tape && t->tape->listener)
        t->tape->listener(t->tape->listener_context, subject, t);
}
