#define _DEFAULT_SOURCE /* struct winsize */
#include "tools/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>

/* en_US.UTF-8, C.utf8, ... */
static bool names_utf8(const char *locale)
{
    for (const char *c = locale; *c; c++)
        if (!strncasecmp(c, "utf", 3))
            return c[3 + (c[3] == '-')] == '8';
    return false;
}

bool tl_terminal_utf8(void)
{
    const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char       *locale = NULL;
    for (int i = 0; i < 3 && !(locale && *locale); i++)
        locale = getenv(names[i]);
    return locale && names_utf8(locale);
}

int tl_terminal_columns(int descriptor)
{
    struct winsize w;
    return ioctl(descriptor, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

tl_shades tl_terminal_shades(void)
{
    const char *none = getenv("NO_COLOR"), *colour = getenv("COLORTERM"), *term = getenv("TERM");
    if (!tl_terminal_utf8() || (none && *none) || !term || !strcmp(term, "dumb"))
        return TL_SHADES_LETTERS;
    return colour && (strstr(colour, "truecolor") || strstr(colour, "24bit")) ? TL_SHADES_24_BIT : TL_SHADES_256;
}

/* Sets the colour of the foreground (3) or the background (4). */
static void set_shade(FILE *f, int ground, uint8_t grey, tl_shades shades)
{
    if (shades == TL_SHADES_24_BIT)
        fprintf(f, "\x1b[%d8;2;%d;%d;%dm", ground, grey, grey, grey);
    else
        fprintf(f, "\x1b[%d8;5;%dm", ground, 232 + grey * 23 / 255);
}

void tl_preview(FILE *f, const uint8_t *pixels, int64_t width, int64_t height, int64_t stride, tl_shades shades)
{
    static const char ramp[] = " .:-=+*#%@";
    if (!f || !pixels)
        return;
    for (int64_t y = 0; y < height; y += 2) {
        for (int64_t x = 0; x < width; x++) {
            const uint8_t upper = pixels[y * stride + x], lower = y + 1 < height ? pixels[(y + 1) * stride + x] : 0;
            if (shades == TL_SHADES_LETTERS) {
                fputc(ramp[(upper + lower) / 2 * 9 / 255], f);
                continue;
            }
            set_shade(f, 3, upper, shades);
            set_shade(f, 4, lower, shades);
            fputs("▀", f);
        }
        fputs(shades == TL_SHADES_LETTERS ? "\n" : "\x1b[0m\n", f);
    }
}
