/* What the writing of C files and the ops in them share. */
#ifndef AG_EXPORT_INTERNAL_H
#define AG_EXPORT_INTERNAL_H

#include "autograd/export.h"
#include "autograd/op.h"

enum { AG__C_NAME = 48 /* bytes of a name in the file */ };

typedef struct ag__writing {
    FILE            *to;
    const char      *name; /* of the function */
    const ag_tensor *in, *out;
    const ag_node  **nodes; /* of the tape, the newest first; then only those on the way */
    int64_t          n, capacity;
    char            *message;
    size_t           size;
} ag__writing;

/* An op: how its call is written, and what goes before it once: text that ops share, its own, or for an elementwise one
 * a function of its formula. */
typedef struct ag__c_op {
    const ag_op *op;
    void (*write)(const ag__writing *w, int64_t node, const char *out);
    const char *shared, *text, *head, *formula;
    bool        is_view; /* the result is the input's memory */
} ag__c_op;

/* NULL for an op that cannot be written. */
const ag__c_op *ag__c_op_of(const ag_node *node);

/* Whether a node can be; if not, ag__c_fail has said why. */
bool ag__c_can_write(const ag__writing *w, const ag_node *node);

/* x, t3 of a node or w3_1 of a node's constant: what the file calls a node's input. `text` has room for AG__C_NAME
 * bytes. */
const char *ag__c_name(const ag__writing *w, int64_t node, int input, char *text);

/* With as many digits as tell all reals apart. */
void ag__c_number(FILE *to, ag_real x);

/* Records the reason; returns false. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool ag__c_fail(const ag__writing *w, const char *format, ...);

#endif
