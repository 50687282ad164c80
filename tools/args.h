/* Command-line options: one table gives the parsing, the checks and --help. */
#ifndef TOOLS_ARGS_H
#define TOOLS_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum args_kind {
    ARGS_FLAG,   /* bool: --name */
    ARGS_INT,    /* int64_t */
    ARGS_REAL,   /* double */
    ARGS_SEED,   /* uint64_t */
    ARGS_TEXT,   /* const char * */
} args_kind;

typedef struct args_option {
    const char *name;      /* without the dashes; NULL ends a table */
    args_kind   kind;
    void       *value;     /* where it goes; what is there before is the default */
    double      least, most; /* of numbers */
    const char *what;      /* "N", "DIR": the value in --help */
    const char *help;
} args_option;

typedef enum args_result { ARGS_OK, ARGS_HELP, ARGS_ERROR } args_result;

/* Reads --name VALUE and --name=VALUE from argv[1 ..] into the options of some tables, a list that NULL ends; a table in it may be
 * empty. Prints the help of `about` to stdout for --help; what is wrong to stderr for anything else that it does not understand. */
args_result args_parse(int argc, char **argv, const char *about, const args_option *const *tables);

/* The value of an option before all are read, or NULL when it is not given; of a flag, any text. */
const char *args_peek(int argc, char **argv, const char *name);

/* The value as text that args_set reads back exactly, or NULL when there is none. */
const char *args_text(const args_option *o, char *text, size_t size);

/* Sets a value as --name would. A text is kept, not copied. Complains on stderr and returns false when it is none. */
bool args_set(const args_option *o, const char *text);

#endif
