#include "tools/bench/op_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "128x784". False when it is anything else. */
static bool parse_shape(const char *text, ag_shape *shape)
{
    char *end;
    *shape = (ag_shape){0};
    for (const char *at = text;; at = end + 1) {
        if (shape->rank == AG_MAX_RANK)
            return false;
        shape->dim[shape->rank++] = strtoll(at, &end, 10);
        if (*end != 'x')
            break;
    }
    return *end == 0 && ag_numel(shape) > 0;
}

static bool parse_input(op_case *c, const char *word)
{
    static const char *const kinds[] = {
        [OP_REAL] = "", [OP_UNIT] = "unit:", [OP_DATA] = "data:", [OP_INDEX] = "index:", [OP_MASK] = "mask:"};
    if (c->inputs == OP_MAX_INPUTS)
        return false;
    int kind = OP_MASK;
    while (kind > OP_REAL && strncmp(word, kinds[kind], strlen(kinds[kind])) != 0)
        kind--;
    c->kind[c->inputs] = (op_kind)kind;
    return parse_shape(word + strlen(kinds[kind]), &c->shape[c->inputs++]);
}

static bool parse_word(op_case *c, char *word)
{
    char *equals = strchr(word, '=');
    if (strcmp(word, "forward") == 0)
        return c->forward_only = true;
    if (!equals)
        return parse_input(c, word);
    if (c->attributes == OP_MAX_ATTRIBUTES)
        return false;
    *equals = 0;
    c->key[c->attributes] = word;
    c->value[c->attributes++] = equals + 1;
    return true;
}

bool op_case_parse(op_case *c, const char *line)
{
    *c = (op_case){.line = line};
    if (snprintf(c->text, sizeof c->text, "%s", line) >= (int)sizeof c->text)
        return false;
    c->op = strtok(c->text, " ");
    bool ok = c->op != NULL;
    for (char *word; ok && (word = strtok(NULL, " "));)
        ok = parse_word(c, word);
    return ok;
}

const char *op_text(const op_case *c, const char *key, const char *otherwise)
{
    for (int i = 0; i < c->attributes; i++)
        if (strcmp(c->key[i], key) == 0)
            return c->value[i];
    return otherwise;
}

double op_number(const op_case *c, const char *key, double otherwise)
{
    const char *value = op_text(c, key, NULL);
    return value ? strtod(value, NULL) : otherwise;
}

ag_axes op_axes(const op_case *c, const char *key)
{
    const char *value = op_text(c, key, NULL);
    ag_axes     axes = {0};
    if (!value)
        return AG_ALL;
    for (; *value && axes.count < AG_MAX_RANK; value++)
        axes.axis[axes.count++] = *value - '0';
    return axes;
}

ag_shape op_shape(const op_case *c, const char *key)
{
    ag_shape shape;
    return parse_shape(op_text(c, key, ""), &shape) ? shape : (ag_shape){.rank = -1};
}

void op_pair(const op_case *c, const char *key, int64_t pair[2])
{
    const char *value = op_text(c, key, "0"), *second = strchr(value, 'x');
    pair[0] = strtoll(value, NULL, 10);
    pair[1] = second ? strtoll(second + 1, NULL, 10) : pair[0];
}
