/* Couplets: texts of two lines with the same number of characters each, one couplet a line of a file in UTF-8. */
#ifndef DS_COUPLETS_H
#define DS_COUPLETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "autograd/real.h"
#include "tools/error.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DS_COUPLET_LENGTH = 64 }; /* characters of a couplet, at most */

typedef struct ds_couplets {
    int64_t   count, length; /* couplets; characters of each, an even number */
    int64_t   characters;    /* different ones */
    uint32_t *character;     /* (characters): their code points, the most frequent first */
    ag_real  *token;         /* (count, length): which of them, as whole numbers */
} ds_couplets;

void ds_couplets_free(ds_couplets *c);

/* Punctuation and spaces are left out: a couplet is what is left of a line, and all have the length of the first. Empty
 * lines are skipped. False with the reason and the number of the line: not UTF-8, another length, an odd one, one
 * of more than DS_COUPLET_LENGTH characters, or no couplets at all. */
bool ds_couplets_parse(const void *bytes, size_t size, const char *path, ds_couplets *c, tl_error *why);
bool ds_couplets_read(const char *path, ds_couplets *c, tl_error *why);

/* `count` couplets of 5 + 5 characters from a small grammar: landscape, verb, place. Couplet i is a function of (seed,
 * i) alone. */
bool ds_couplets_make(int64_t count, uint64_t seed, ds_couplets *c, tl_error *why);

/* The next character of a text that is neither punctuation nor a space, 0 at the end, or UINT32_MAX if the text is not
 * UTF-8. Moves *at past it. */
uint32_t ds_next_character(const char **at, const char *end);

/* A character as UTF-8, ended by 0. Returns its length. */
int ds_utf8(uint32_t code, char out[5]);

#ifdef __cplusplus
}
#endif
#endif
