/* Command-line options: one table gives the parsing, the checks and --help. */
#ifndef TL_ARGS_H
#define TL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tl_option_kind {
    TL_FLAG, /* bool: --name */
    TL_INT,  /* int64_t */
    TL_REAL, /* double */
    TL_SEED, /* uint64_t */
    TL_TEXT, /* const char *; not empty */
} tl_option_kind;

typedef struct tl_option {
    const char    *name; /* without the dashes; NULL ends a table */
    tl_option_kind kind;
    void          *value;       /* where it goes; what is there before is the default */
    double         least, most; /* of numbers */
    const char    *what;        /* "N", "DIR": the value in --help; for texts with a few values, those: "a|b|c" */
    const char    *help;
    bool           given; /* set by tl_args_parse: it was on the command line */
} tl_option;

#define TL_OPTIONS_END                                                                                                 \
    {                                                                                                                  \
        NULL, TL_FLAG, NULL, 0, 0, NULL, NULL, false                                                                   \
    }

typedef enum tl_args_result { TL_ARGS_OK, TL_ARGS_HELP, TL_ARGS_VERSION, TL_ARGS_ERROR } tl_args_result;

/* Reads --name VALUE and --name=VALUE from argv[1 ..] into the options of some tables, a list that NULL ends; a table
 * in it may be empty. --help or -h gives TL_ARGS_HELP, --version TL_ARGS_VERSION, and nothing else is read; anything
 * that is not understood gives TL_ARGS_ERROR with the reason. */
tl_args_result tl_args_parse(int argc, char **argv, tl_option *const *tables, tl_error *why);

/* Prints how a program is used, with the options' present values as defaults. */
void tl_args_help(const char *program, const char *about, const tl_option *const *tables);

/* The option of that name in the tables, or NULL. */
tl_option *tl_option_named(tl_option *const *tables, const char *name);

/* The value as text that tl_option_set reads back exactly, or NULL when there is none. */
const char *tl_option_text(const tl_option *o, char *text, size_t size);

/* Sets a value as --name would. A text is kept, not copied. False with the reason when it is not a value of the option.
 */
bool tl_option_set(const tl_option *o, const char *text, tl_error *why);

#ifdef __cplusplus
}
#endif
#endif
