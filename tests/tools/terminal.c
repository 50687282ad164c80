/* What the environment says of the terminal, and pictures drawn in one. */
#define _POSIX_C_SOURCE 200809L
#include "tools/terminal.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static void say(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static bool utf8_of(const char *all, const char *type, const char *lang)
{
    say("LC_ALL", all);
    say("LC_CTYPE", type);
    say("LANG", lang);
    return tl_terminal_utf8();
}

/* The first variable that is set and not empty counts. */
Test(terminal, names_its_encoding)
{
    cr_expect(utf8_of("en_US.UTF-8", NULL, NULL) && utf8_of(NULL, "C.utf8", NULL) && utf8_of("", "", "de_DE.Utf-8"));
    cr_expect(!utf8_of(NULL, NULL, NULL) && !utf8_of("", "", "") && !utf8_of("C", "C.UTF-8", "C.UTF-8"));
    cr_expect(!utf8_of("de_DE.UTF-16", NULL, NULL) && !utf8_of("ja_JP.eucJP", NULL, NULL) &&
              !utf8_of("C.UTF", NULL, NULL));
}

static tl_shades shades_of(const char *none, const char *colour, const char *term)
{
    say("NO_COLOR", none);
    say("COLORTERM", colour);
    say("TERM", term);
    return tl_terminal_shades();
}

Test(terminal, names_its_shades)
{
    utf8_of("C.UTF-8", NULL, NULL);
    cr_expect(shades_of(NULL, NULL, "xterm") == TL_SHADES_256 && shades_of("", "yes", "xterm") == TL_SHADES_256);
    cr_expect(shades_of(NULL, "truecolor", "xterm") == TL_SHADES_24_BIT &&
              shades_of(NULL, "24bit", "xterm") == TL_SHADES_24_BIT);
    cr_expect(shades_of("1", "truecolor", "xterm") == TL_SHADES_LETTERS &&
              shades_of(NULL, "truecolor", "dumb") == TL_SHADES_LETTERS &&
              shades_of(NULL, "truecolor", NULL) == TL_SHADES_LETTERS);
    utf8_of("C", NULL, NULL);
    cr_expect(shades_of(NULL, "truecolor", "xterm") == TL_SHADES_LETTERS);
}

/* Of four columns of which three are drawn, and three rows: the fourth is black. */
static const char *preview(tl_shades shades)
{
    static const uint8_t pixels[] = {0, 255, 128, 9, 255, 255, 0, 9, 255, 0, 128, 9};
    static char          text[2000];
    FILE                *f = tmpfile();
    cr_assert(f);
    tl_preview(f, pixels, 3, 3, 4, shades);
    rewind(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

Test(terminal, draws_pixels)
{
    cr_expect(!strcmp(preview(TL_SHADES_LETTERS), "=@:\n= :\n"), "%s", preview(TL_SHADES_LETTERS));
    const char *more = preview(TL_SHADES_24_BIT);
    cr_expect(!strncmp(more, "\x1b[38;2;0;0;0m\x1b[48;2;255;255;255m\xe2\x96\x80", 34), "%s", more);
    const char *grey = preview(TL_SHADES_256);
    cr_expect(!strncmp(grey, "\x1b[38;5;232m\x1b[48;5;255m\xe2\x96\x80", 25), "%s", grey);
    tl_preview(NULL, (const uint8_t[]){1}, 1, 1, 1, TL_SHADES_256);
    tl_preview(stdout, NULL, 1, 1, 1, TL_SHADES_256);
}
