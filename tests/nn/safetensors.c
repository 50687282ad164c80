/* safetensors files good and bad. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/nn.h"
#include "tests/test.h"

static tl_error why;

/* A file of this header and so many bytes of data. */
static size_t make_file(const char *header, size_t data, uint8_t *file)
{
    const size_t length = strlen(header), begin = sizeof(uint64_t) + length;
    memcpy(file, &(uint64_t){length}, sizeof(uint64_t));
    memcpy(file + sizeof(uint64_t), header, length);
    for (size_t i = 0; i < data; i++)
        file[begin + i] = (uint8_t)(i + 1);
    return begin + data;
}

/* Parses from memory that ends where the file ends, so that tools see what is read beyond. */
static bool parses(const uint8_t *file, size_t size, nn_safetensors *s)
{
    uint8_t *exact = malloc(size + !size);
    memcpy(exact, file, size);
    bool ok = nn_safetensors_parse(exact, size, s, &why);
    if (ok)
        nn_safetensors_free(s);
    free(exact);
    return ok;
}

static void check_refused(const char *header, size_t data, const char *part)
{
    uint8_t        file[4096];
    nn_safetensors s;
    cr_assert(!parses(file, make_file(header, data, file), &s), "not refused: %s", header);
    cr_assert(strstr(why.text, part), "%s: \"%s\", expected \"%s\"", header, why.text, part);
}

static void check_read(const char *header, size_t data)
{
    uint8_t        file[4096];
    nn_safetensors s;
    cr_assert(parses(file, make_file(header, data, file), &s), "%s: %s", header, why.text);
}

#define T(name, dtype, shape, offsets)                                                                                 \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

Test(safetensors, reads_what_is_allowed)
{
    check_read("{}", 0);
    check_read("{}    ", 0);
    check_read("{ " T("a", "F32", "[]", "[0,4]") "\t,\r\n" T("b", "U8", "[2,3]", "[4,10]") " } ", 10);
    check_read("{" T("b", "U8", "[1]", "[4,5]") "," T("a", "F32", "[1]", "[0,4]") "}", 5); /* any order */
    check_read("{" T("a", "F64", "[3,0,2]", "[0,0]") "," T("b", "I8", "[]", "[0,1]") "}", 1);
    check_read("{" T("a", "F64", "[0,9223372036854775807]", "[0,0]") "}", 0);
    check_read("{\"__metadata__\":{\"a\":\"b\",\"c\":\"\"}," T("", "BOOL", "[1]", "[0,1]") "}", 1);
    check_read("{" T("\xc3\xa9\\u00e9\\ud83d\\ude00\\n\\\"", "BF16", "[1]", "[0,2]") "}", 2);
    check_read("{\"a\":{\"data_offsets\":[0,2],\"shape\":[1],\"dtype\":\"F16\"}}", 2);
}

Test(safetensors, decodes_names_and_texts)
{
    uint8_t        file[4096];
    char           header[2048] = "{\"__metadata__\":{";
    nn_safetensors s;
    for (int i = 0; i < 40; i++)
        snprintf(header + strlen(header), 40, "\"k%d\":\"v%d\",", i, i);
    strcat(header, "\"e\":\"\"}," T("\\u0080\\u07ff\\u0800\\uFFFD\\ud800\\udc00\\r\\t", "U8", "[1]",
                                    "[0,1]") "," T("0", "F32", "[0]", "[0,0]") "}");
    size_t size = make_file(header, 1, file);
    cr_assert(nn_safetensors_parse(file, size, &s, &why), "%s", why.text);
    cr_assert(nn_safetensors_tensor(&s, "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbd\xf0\x90\x80\x80\r\t"));
    cr_assert(s.n_texts == 41 && !strcmp(nn_safetensors_text(&s, "k39"), "v39") &&
              !strcmp(nn_safetensors_text(&s, "e"), ""));
    nn_safetensors_free(&s);
}

Test(safetensors, refuses_what_is_no_object)
{
    check_refused("", 0, "expected '{'");
    check_refused(" {}", 0, "expected '{'");
    check_refused("{", 0, "expected '\"'");
    check_refused("{} x", 0, "more than one value");
    check_refused("[]", 0, "expected '{'");
    check_refused("{\"a\":1}", 0, "expected '{'");
    check_refused("{" T("a", "F32", "[1]", "[0,4]") ",}", 4, "expected '\"'");
}

Test(safetensors, refuses_entries_that_break_a_rule)
{
    check_refused("{" T("a", "F33", "[1]", "[0,4]") "}", 4, "F33 is no dtype");
    check_refused("{" T("a", "f32", "[1]", "[0,4]") "}", 4, "f32 is no dtype");
    check_refused("{" T("a", "F32", "[-1]", "[0,4]") "}", 4, "expected a whole number");
    check_refused("{" T("a", "F32", "[1.0]", "[0,4]") "}", 4, "expected ',' or ']'");
    check_refused("{" T("a", "F32", "[01]", "[0,4]") "}", 4, "expected a whole number");
    check_refused("{" T("a", "F32", "[1,]", "[0,4]") "}", 4, "expected a whole number");
    check_refused("{" T("a", "F32", "[9223372036854775808]", "[0,4]") "}", 4, "beyond 63 bits");
    check_refused("{" T("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "product of its shape is beyond");
    check_refused("{" T("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0, "product of its shape is beyond");
    check_refused("{" T("a", "F32", "[2]", "[0,4]") "}", 4, "4 bytes of data, its shape and dtype need 8");
    check_refused("{" T("a", "F32", "[1]", "[0,8]") "}", 8, "8 bytes of data, its shape and dtype need 4");
    check_refused("{" T("a", "F32", "[1]", "[4,0]") "}", 4, "its data end before they begin");
    check_refused("{" T("a", "F32", "[1]", "[4,8]") "}", 8, "its data begin at 4, expected 0");
    check_refused("{" T("a", "F32", "[1]", "[0,4]") "}", 3, "its data end at 4, the file has 3");
    check_refused("{" T("a", "F32", "[1]", "[0,4]") "}", 5, "the tensors end at 4, the file has 5");
    check_refused("{}", 1, "the tensors end at 0, the file has 1");
    check_refused("{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[1,3]") "}", 3,
                  "its data begin at 1, expected 2");
    check_refused("{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[1]", "[2,3]") "}", 3,
                  "its data begin at 2, expected 1");
    check_refused("{" T("a", "U8", "[1]", "[0,1]") "," T("a", "U8", "[1]", "[1,2]") "}", 2,
                  "the name a is there twice");
    check_refused("{" T("a", "U8", "[1]", "[0,1]") "," T("\\u0061", "U8", "[1]", "[1,2]") "}", 2,
                  "the name a is there twice");
    check_refused("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
                  "dtype is there twice");
    check_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 0, "dtype, shape and data_offsets are expected");
    check_refused("{\"a\":{\"kind\":\"U8\"}}", 0, "kind has no meaning");
    check_refused("{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "are expected");
    check_refused("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "are expected");
}

Test(safetensors, refuses_metadata_that_break_a_rule)
{
    check_refused("{\"__metadata__\":{\"a\":1}}", 0, "expected '\"'");
    check_refused("{\"__metadata__\":[]}", 0, "expected '{'");
    check_refused("{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, "the key a is there twice");
    check_refused("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice");
}

Test(safetensors, refuses_text_that_breaks_a_rule)
{
    check_refused("{\"\x80\":1}", 0, "bad UTF-8");
    check_refused("{\"\xc0\x80\":1}", 0, "bad UTF-8");     /* too long a form of NUL */
    check_refused("{\"\xed\xa0\x80\":1}", 0, "bad UTF-8"); /* a surrogate */
    static const char *const bad[] = {"\xf5\x80\x80\x80", "\xc1\xbf", "\xe0\x9f\x80", "\xf0\x8f\x80\x80",
                                      "\xf4\x90\x80\x80", "\xc3\xc3", "\xe2\x82Z"};
    static const char *const codes[] = {"\\udbff", "\\udfff", "\\ud800\\ud800", "\\ud800\\ue000"};
    char                     header[64];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(header, sizeof header, "{\"%s\":1}", bad[i]);
        check_refused(header, 0, "bad UTF-8");
    }
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        snprintf(header, sizeof header, "{\"%s\":1}", codes[i]);
        check_refused(header, 0, "a bad \\u escape");
    }
    check_refused("{\"\x1f\":1}", 0, "control character");
    check_refused("{\"\xe2\x82", 0, "bad UTF-8");
    check_refused("{\"a\tb\":1}", 0, "control character");
    check_refused("{\"\\x\":1}", 0, "a bad escape");
    check_refused("{\"\\u12g4\":1}", 0, "a bad \\u escape");
    check_refused("{\"\\ud800\":1}", 0, "a bad \\u escape");
    check_refused("{\"\\ude00\":1}", 0, "a bad \\u escape");
    check_refused("{\"\\u0000\":1}", 0, "NUL");
}

Test(safetensors, refuses_lengths_that_cannot_be)
{
    nn_safetensors s;
    uint8_t        file[64] = {0};
    const char    *header = "{" T("a", "F32", "[1]", "[0,4]") "}";
    for (size_t n = 0; n < 8; n++)
        cr_assert(!parses(file, n, &s) && strstr(why.text, "at least 8"));
    memcpy(file, &(uint64_t){100000001}, 8);
    cr_assert(!parses(file, sizeof file, &s) && strstr(why.text, "a header of 100000001 bytes in a file of 64"));
    memcpy(file, &(uint64_t){UINT64_MAX}, 8);
    cr_assert(!parses(file, sizeof file, &s));
    memcpy(file, &(uint64_t){57}, 8);
    cr_assert(!parses(file, sizeof file, &s) && strstr(why.text, "a header of 57 bytes in a file of 64"));
    uint8_t whole[256];
    size_t  size = make_file(header, 4, whole);
    for (size_t n = 0; n < size; n++) /* cut off anywhere */
        cr_assert(!parses(whole, n, &s));
    cr_assert(parses(whole, size, &s) && !nn_safetensors_parse(NULL, 8, &s, &why));
}

/* The fuzzer's seeds, which Hugging Face's own library wrote, but for the one with escapes. */
Test(safetensors, seeds_of_the_fuzzer)
{
    static const char *const seeds[] = {"two", "kinds", "escapes"};
    for (int i = 0; i < 3; i++) {
        char           path[64];
        nn_safetensors s;
        snprintf(path, sizeof path, "tests/fuzz/seeds/safetensors/%s", seeds[i]);
        cr_assert(nn_safetensors_read(path, &s, &why), "%s", why.text);
        for (int64_t k = 0; k < s.n_tensors; k++)
            for (int64_t e = 0; e < s.tensor[k].count; e++)
                cr_assert(isfinite(nn_stored_value(&s.tensor[k], e)));
        nn_safetensors_free(&s);
    }
}

/* A file of one bit less or more is another file or none: never a crash. */
Test(safetensors, any_bit_may_flip)
{
    uint8_t        file[256];
    size_t         size = make_file("{\"__metadata__\":{\"k\":\"v\"}," T("a", "F32", "[1]", "[0,4]") "}", 4, file);
    nn_safetensors s;
    int            read = 0;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        read += parses(file, size, &s);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cr_assert(read >= 32, "%d", read); /* the data may change at will */
}

static double value_of(nn_dtype dtype, const void *bytes)
{
    return nn_stored_value(&(nn_stored_tensor){.dtype = dtype, .count = 1, .data = bytes}, 0);
}

Test(safetensors, values_of_every_dtype)
{
    cr_assert(value_of(NN_U8, "\xff") == 255 && value_of(NN_I8, "\xff") == -1 && value_of(NN_BOOL, "\1") == 1);
    cr_assert(value_of(NN_I16, "\xfe\xff") == -2 && value_of(NN_U16, "\xfe\xff") == 65534);
    cr_assert(value_of(NN_I32, "\xfe\xff\xff\xff") == -2 && value_of(NN_U32, "\0\0\0\x80") == 2147483648.0);
    cr_assert(value_of(NN_I64, "\xfe\xff\xff\xff\xff\xff\xff\xff") == -2 &&
              value_of(NN_U64, "\0\0\0\0\0\0\0\x80") == 0x1p63);
    cr_assert(value_of(NN_F32, "\0\0\xc0\x3f") == 1.5 && value_of(NN_F64, "\0\0\0\0\0\0\xd0\xbf") == -0.25);
    cr_assert(value_of(NN_F16, "\0\x3c") == 1 && value_of(NN_F16, "\1\0") == 0x1p-24 &&
              value_of(NN_F16, "\xff\x7b") == 65504);
    cr_assert(value_of(NN_F16, "\0\xfc") == -INFINITY && isnan(value_of(NN_F16, "\1\x7c")));
    cr_assert(value_of(NN_BF16, "\x80\x3f") == 1 && value_of(NN_BF16, "\x80\xff") == -INFINITY);
    cr_assert(value_of(NN_F8_E4M3, "\x38") == 1 && value_of(NN_F8_E4M3, "\x7e") == 448 &&
              isnan(value_of(NN_F8_E4M3, "\x7f")));
    cr_assert(value_of(NN_F8_E5M2, "\x3c") == 1 && value_of(NN_F8_E5M2, "\x7c") == INFINITY &&
              value_of(NN_F8_E8M0, "\x80") == 2);
    cr_assert(isnan(value_of(NN_C64, "\0\0\0\0\0\0\0\0")));
}
