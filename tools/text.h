/* Text that leaves or enters the program: numbers that do not depend on the locale, UTF-8, escapes, a hash. */
#ifndef TL_TEXT_H
#define TL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A short text by value. TL_NUMBER and TL_EXACT below live until the end of the expression they stand in. */
typedef struct tl_text {
    char s[48];
} tl_text;

/* x with up to `digits` significant digits (1 to 17), as printf's %g writes it in the C locale; "nan", "inf", "-inf".
 * 17 digits read back as the same double, 9 as the same float. */
tl_text tl_number_text(double x, int digits);
#define TL_NUMBER(x, digits) (tl_number_text(x, digits).s)

/* x exactly, in hexadecimal: "0x1.8p+1". */
tl_text tl_exact_text(double x);
#define TL_EXACT(x) (tl_exact_text(x).s)

/* Reads a number that is the whole of a text and is written as in C, whatever the locale. False if it is none. */
bool tl_parse_number(const char *text, double *x);

/* Reads a whole number, in decimal, that is the whole of a text. False if it is none or does not fit. */
bool tl_parse_int(const char *text, int64_t *n);
bool tl_parse_uint(const char *text, uint64_t *n);

/* The length of the UTF-8 character at `at`, or 0 if there is none: an overlong form, a surrogate, cut off, beyond
 * U+10FFFF. */
int  tl_utf8_length(const unsigned char *at, const unsigned char *end);
bool tl_is_utf8(const char *text); /* false for NULL */

/* Copies `text` into out[size], cut to fit, with everything that could act on a terminal made visible: control
 * characters
 * (\n, \x1b), directional overrides and other invisible characters (\u202e), bytes that are not UTF-8 (\xff). Returns
 * out. */
const char *tl_escape(const char *text, char *out, size_t size);

/* Prints a text so escaped, of any length. */
void tl_print_escaped(FILE *f, const char *text);

/* Prints a JSON string, quotes included, with all that tl_escape makes visible as \\u escapes. The text must be UTF-8.
 */
void tl_print_json(FILE *f, const char *text);

/* FNV-1a, 64 bits (Fowler, Noll, Vo). Start with TL_HASH. */
#define TL_HASH 0xcbf29ce484222325u
uint64_t tl_hash(uint64_t hash, const void *bytes, size_t n);

/* The same of n numbers of `size` bytes, up to 8, in little-endian order: one hash on every machine. */
uint64_t tl_hash_numbers(uint64_t hash, const void *numbers, int64_t n, size_t size);

/* A copy to be freed; NULL for NULL, or if memory runs out. */
char *tl_copy(const char *text);

/* Whether `text` ends with `end`. */
bool tl_ends_with(const char *text, const char *end);

#ifdef __cplusplus
}
#endif
#endif
