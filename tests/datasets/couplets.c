/* Couplets: characters, punctuation, and what is wrong with a file, by line. */
#include "datasets/couplets.h"

#include <stdio.h>
#include <string.h>

#include "tests/test.h"

static bool parse(const char *text, ds_couplets *c, tl_error *why)
{
    return ds_couplets_parse(text, strlen(text), "poems.txt", c, why);
}

Test(couplets, are_tokens_by_frequency)
{
    ds_couplets c;
    tl_error    why;
    cr_assert(parse("天地玄黃，宇宙天荒。\n\n天天 a玄,b宇宙天\r\n", &c, &why), "%s", why.text);
    cr_assert(c.count == 2 && c.length == 8 && c.characters == 9);
    cr_assert(c.character[0] == 0x5929 && c.token[0] == 0 && c.token[6] == 0, "the most frequent is the first");
    cr_assert(c.character[1] == 0x5b87 && c.character[2] == 0x5b99 && c.character[3] == 0x7384, "then by code point");
    cr_assert(c.character[(int64_t)c.token[8 + 2]] == 'a');
    ds_couplets_free(&c);
    cr_assert(parse("ab\ncd", &c, &why) && c.count == 2 && c.length == 2, "no newline at the end");
    ds_couplets_free(&c);
}

Test(couplets, say_which_line_is_wrong)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "poems.txt: has no couplets: expected one a line"},
        {" ，。\n\n", "poems.txt: has no couplets: expected one a line"},
        {"天地，玄黃。\n天地，玄黃黃黃。\n", "poems.txt: line 2 has 6 characters, the couplets before it have 4"},
        {"天地，玄。\n", "poems.txt: line 1 has 3 characters; a couplet has an even number"},
        {"天地，玄黃。\n\n\xcc\xec\xb5\xd8\n", "poems.txt: line 3 is not UTF-8"}, /* GB 18030 */
        {"天地，玄黃。\n天地，玄\xe9\xbb\n", "poems.txt: line 2 is not UTF-8"},
        {"\xff\xfe\x29\x59", "poems.txt: line 1 is not UTF-8"}, /* UTF-16 */
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "line 1 has more than 64 characters"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ds_couplets c;
        tl_error    why;
        cr_assert(!parse(bad[i].text, &c, &why) && !c.token && !c.character, "text %zu was read", i);
        cr_assert(strstr(why.text, bad[i].message), "text %zu: %s", i, why.text);
    }
}

Test(couplets, characters_go_there_and_back)
{
    const uint32_t codes[] = {'a', 0xe9, 0x5929, 0x20000, 0x10ffff};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char        text[5];
        const int   length = ds_utf8(codes[i], text);
        const char *at = text;
        cr_assert(ds_next_character(&at, text + length) == codes[i] && at == text + length, "%x", (unsigned)codes[i]);
        cr_assert(ds_next_character(&at, text + length) == 0);
    }
}

Test(couplets, made_ones_are_the_same_for_one_seed)
{
    ds_couplets a, b;
    tl_error    why;
    cr_assert(ds_couplets_make(300, 1, &a, &why) && ds_couplets_make(200, 1, &b, &why), "%s", why.text);
    cr_assert(a.length == 10 && a.count == 300 && b.count == 200);
    for (int64_t i = 0; i < 2000; i++)
        cr_assert(a.character[(int64_t)a.token[i]] == b.character[(int64_t)b.token[i]], "character %d", (int)i);
    ds_couplets_free(&a);
    ds_couplets_free(&b);
    cr_assert(!ds_couplets_make(0, 1, &a, &why) && !ds_couplets_make((int64_t)1 << 40, 1, &a, &why));
}
