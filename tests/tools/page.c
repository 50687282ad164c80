/* Charts and pages: what they hold, and what they do with bad input. */
#define _POSIX_C_SOURCE 200809L
#include "tools/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/io.h"
#include "tests/test.h"
#include "tools/png.h"

static const double xs[] = {1, 2, 3}, ys[] = {40, NAN, 5};

/* What a chart writes, to be freed. */
static char *svg_of(const tl_chart *chart, const tl_points *points)
{
    char  *text = NULL;
    size_t size;
    FILE  *f = open_memstream(&text, &size);
    cr_assert(f && (chart ? tl_chart_svg(f, chart) : tl_points_svg(f, points)) && fclose(f) == 0);
    return text;
}

Test(chart, lines)
{
    const tl_line  lines[] = {{"a <line>", 3, xs, ys}};
    const tl_chart chart = {"Title & more", "epoch", "loss", false, 1, lines};
    char          *text = svg_of(&chart, NULL);
    cr_expect(!strncmp(text, "<svg ", 5) && strstr(text, "</svg>") && strstr(text, "Title &amp; more"), "%s", text);
    cr_expect(strstr(text, "a &lt;line&gt;") && !strstr(text, "nan") && !strstr(text, "inf"), "%s", text);
    cr_expect(strstr(text, ">1</text>") && strstr(text, ">2</text>") && !strstr(text, ">1.5</text>"),
              "epochs have no halves: %s", text);
    free(text);
}

/* Every magnitude has a few ticks, on both kinds of axis, and nothing that is no number is drawn. */
Test(chart, of_any_magnitude)
{
    static const double scales[] = {5e-324, 1e-310, 1e-300, 1e-7, 1, 11.5, 12345, 1e12, 1e297, 1e300, 1.5e308};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        for (int logarithmic = 0; logarithmic < 2; logarithmic++)
            for (int kind = 0; kind < 6; kind++) {
                static const double times[] = {1, 1.001, 900, -1, -0.2, 1};
                const double   y[] = {scales[i], kind == 5 ? nextafter(scales[i], INFINITY) : scales[i] * times[kind]};
                const tl_line  line = {"y", 2, xs, y};
                const tl_chart chart = {"", "", "", logarithmic, 1, &line};
                char          *text = svg_of(&chart, NULL);
                cr_expect(!strstr(text, "nan") && !strstr(text, "inf") && !strstr(text, ">-0<"), "%g %d: %s", scales[i],
                          kind, text);
                cr_expect(strlen(text) < 20000);
                free(text);
            }
}

/* A curve that is all but flat: its ticks' numbers differ. */
Test(chart, ticks_can_be_told_apart)
{
    for (double range = 1; range > 1e-12; range /= 10) {
        const double   y[] = {1.2345678, 1.2345678 + range};
        const tl_line  line = {"y", 2, xs, y};
        const tl_chart chart = {"", "", "", false, 1, &line};
        char          *text = svg_of(&chart, NULL), last[32] = "";
        for (const char *at = text; (at = strstr(at, "text-anchor=\"end\">")); at++) {
            char number[32];
            cr_assert(sscanf(at, "text-anchor=\"end\">%31[^<]", number) == 1);
            cr_expect(strcmp(number, last) != 0, "range %g: two ticks at %s", range, number);
            memcpy(last, number, sizeof last);
        }
        cr_expect(range < 1e-4 || strtod(last, NULL) < 1.2345678 + 2 * range, "range %g: an axis up to %s", range,
                  last);
        cr_expect(*last, "range %g: no ticks", range);
        free(text);
    }
}

Test(chart, without_values)
{
    const tl_line  lines[] = {{"none", 0, xs, ys}, {"only NaN", 1, xs, ys + 1}};
    const tl_chart chart = {"", "", "", true, 2, lines}, empty = {"", "", "", false, 0, NULL};
    free(svg_of(&chart, NULL));
    free(svg_of(&empty, NULL));
}

Test(chart, points_have_the_number_of_their_class)
{
    const uint8_t   label[] = {7, 7, 3};
    const tl_points points = {"codes", "z1", "z2", 3, xs, xs, label};
    char           *text = svg_of(NULL, &points);
    cr_expect(strstr(text, "class=\"halo\">7<") && strstr(text, "class=\"halo\">3<") &&
                  !strstr(text, "class=\"halo\">1<"),
              "%s", text);
    const tl_axes a = tl_points_axes(&points);
    cr_expect(a.x_low < 1 && a.x_high > 3 && a.width > 0 && a.height > 0);
    free(text);
}

Test(chart, bad_input)
{
    const tl_chart no_lines = {"", "", "", false, 1, NULL};
    cr_expect(!tl_chart_svg(NULL, NULL) && !tl_points_svg(NULL, NULL) && !tl_chart_svg(stdout, &no_lines));
    cr_expect(!tl_points_svg(stdout, &(tl_points){"", "", "", 1, NULL, NULL, NULL}));
    const tl_line bad[] = {{NULL, 1, xs, ys}, {"", 1, NULL, ys}, {"", 1, xs, NULL}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect(!tl_chart_svg(stdout, &(tl_chart){"", "", "", false, 1, &bad[i]}), "line %zu", i);
    tl_print_markup(stdout, NULL);
}

/* ---- Pages. ---- */

/* The whole file, to be freed. */
static char *page_text(const char *path)
{
    size_t   n;
    tl_error why;
    char    *text = tl_read_file(path, &n, &why);
    cr_assert(text, "%s", why.text);
    return text;
}

static void fill(tl_page *p)
{
    static const float weight[] = {1, 0.5f, -2, 65504}, bias[] = {0, 1e-7f}, low[] = {-1, -1}, high[] = {1, 1};
    const tl_line      line = {"loss", 3, xs, ys};
    const tl_points    points = {"codes", "z1", "z2", 3, xs, xs, NULL};
    const tl_layer     layers[] = {{"linear", 2, 2, weight, bias}, {"relu", 0, 0, NULL, NULL}};
    const uint8_t      pixels[4] = {0, 80, 160, 255};
    tl_png             png = {.caption = "four <pixels>"};
    cr_assert(tl_png_bytes(pixels, 2, 2, 1, &png.bytes, &png.size));
    const tl_png two[] = {png, png};
    tl_page_section(p, "A <section>");
    tl_page_text(p, "text & more");
    tl_page_verbatim(p, "  as it\n is");
    tl_page_facts(p, 1, &(tl_fact){"name", "\"value\""});
    tl_page_chart(p, &(tl_chart){"loss", "epoch", "loss", false, 1, &line});
    tl_page_picture(p, &png, 3);
    tl_page_frames(p, "after", 2, two, 1);
    tl_page_points(p, &points, &png, 1, 1, 2);
    tl_page_explorer(p, "decoder", &(tl_network){2, 2, 2, 1, layers, low, high, low, 0, 1});
    free(png.bytes);
}

Test(page, holds_what_it_was_given)
{
    static const char *const parts[] = {
        "<title>A &lt;run&gt;</title>", "<h2>A &lt;section&gt;</h2>", "<p>text &amp; more</p>", "  as it\n is</pre>",
        "<th scope=\"row\">name</th><td>&quot;value&quot;</td>",
        "alt=\"four &lt;pixels&gt;\" src=\"data:image/png;base64,iVBOR", "width=\"6\" height=\"6\"",
        "max=\"1\" value=\"1\"", "\"op\":\"relu\"",
        /* 1, 0.5, -2 and 65504 as halves: 3c00 3800 c000 7bff; 0 and 1e-7, which rounds to 2 * 2^-24: 0000 0002 */
        "\"weight\":\"ADwAOADA/3s=\"", "\"bias\":\"AAACAA==\""};
    char     path[256];
    tl_error why;
    tl_page  p;
    snprintf(path, sizeof path, "%s/page.html", scratch_folder());
    cr_assert(tl_page_open(&p, path, "A <run>", 0, &why), "%s", why.text);
    fill(&p);
    cr_assert(tl_page_close(&p, &why), "%s", why.text);
    char *text = page_text(path);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cr_expect(strstr(text, parts[i]), "%s", parts[i]);
    cr_expect(!strstr(text, "http:") || strstr(text, "http://www.w3.org/2000/svg")); /* a name, not an address */
    cr_expect(!strstr(text, "src=\"http") && !strstr(text, "https:"), "something is fetched");
    free(text);
}

/* Whoever reads the page while it is written sees the one before. */
Test(page, takes_its_place_at_the_end)
{
    char     path[256];
    tl_error why;
    tl_page  p;
    snprintf(path, sizeof path, "%s/page.html", scratch_folder());
    cr_assert(tl_page_open(&p, path, "first", 0, &why) && tl_page_close(&p, &why));
    cr_assert(tl_page_open(&p, path, "second", 0, &why));
    fill(&p);
    char *text = page_text(path);
    cr_expect(strstr(text, "first") && !strstr(text, "second"));
    free(text);
    tl_page_abandon(&p);
    text = page_text(path);
    cr_expect(strstr(text, "first"));
    free(text);
}

Test(page, with_a_part_that_has_no_values)
{
    char            path[256];
    tl_error        why;
    tl_page         p;
    const tl_line   no_values = {"", 1, NULL, NULL};
    const tl_chart  chart = {"", "", "", false, 1, &no_values};
    const tl_points points = {"", "", "", 1, NULL, NULL, NULL};
    snprintf(path, sizeof path, "%s/page.html", scratch_folder());
    for (int i = 0; i < 6; i++) {
        cr_assert(tl_page_open(&p, path, "", 0, &why), "%s", why.text);
        switch (i) {
        case 0: tl_page_chart(&p, &chart); break;
        case 1: tl_page_chart(&p, NULL); break;
        case 2: tl_page_points(&p, &points, NULL, 1, 1, 1); break;
        case 3: tl_page_picture(&p, &(tl_png){0}, 1); break;
        case 4: tl_page_frames(&p, "", 1, &(tl_png){0}, 1); break;
        default: tl_page_explorer(&p, "", &(tl_network){.n_layers = 1, .inputs = 1}); break;
        }
        fill(&p); /* the rest of such a page goes nowhere */
        cr_expect(!tl_page_close(&p, &why) && strstr(why.text, "no values"), "%d: %s", i, why.text);
    }
}

/* What the system says is told, and not that values are missing. */
Test(page, on_a_full_disk)
{
    char     path[256];
    tl_error why;
    tl_page  p;
    snprintf(path, sizeof path, "%s/page.html", scratch_folder());
    cr_assert(io_limit_files(2000) && tl_page_open(&p, path, "", 0, &why));
    fill(&p);
    cr_expect(!tl_page_close(&p, &why) && strstr(why.text, "File too large"), "%s", why.text);
}

Test(page, bad_input)
{
    tl_error why;
    tl_page  p;
    cr_expect(!tl_page_open(&p, "/no/such/folder/page.html", "", 0, &why));
    fill(&p); /* of a page that could not be opened: nothing happens */
    cr_expect(!tl_page_close(&p, &why));
    cr_expect(!tl_page_open(NULL, "page.html", "", 0, &why) && !tl_page_close(NULL, &why));
    tl_page_section(NULL, "x");
    tl_page_chart(NULL, NULL);
    tl_page_frames(NULL, "x", 1, NULL, 1);
    tl_page_explorer(NULL, "x", NULL);
    tl_page_abandon(NULL);
}
