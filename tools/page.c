#include "tools/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/page_parts_internal.h"
#include "tools/text.h"

static void put_lines(FILE *f, const char *const *lines)
{
    for (; *lines; lines++) {
        fputs(*lines, f);
        fputc('\n', f);
    }
}

/* RFC 4648, section 4. */
static void put_base64(FILE *f, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char              text[4096];
    size_t            filled = 0;
    for (size_t i = 0; i < n; i += 3) {
        const size_t   left = n - i;
        const uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                               (left > 2 ? bytes[i + 2] : 0);
        const char four[4] = {digits[three >> 18], digits[three >> 12 & 63], left > 1 ? digits[three >> 6 & 63] : '=',
                              left > 2 ? digits[three & 63] : '='};
        memcpy(text + filled, four, 4);
        filled += 4;
        if (filled == sizeof text || n - i <= 3) {
            fwrite(text, 1, filled, f);
            filled = 0;
        }
    }
}

static FILE *stream(tl_page *p)
{
    return p && !p->failure ? p->file.stream : NULL;
}

/* The stream for a part of a page, if the part is all there. */
static FILE *stream_for(tl_page *p, bool there)
{
    FILE *f = stream(p);
    if (f && !there)
        p->failure = "a part of the page has no values";
    return f && there ? f : NULL;
}

/* ---- The page. ---- */

bool tl_page_open(tl_page *p, const char *path, const char *title, int patience, tl_error *why)
{
    if (!p)
        return tl_fail(why, "no page");
    *p = (tl_page){0};
    if (!tl_output_open(&p->file, path, why))
        return false;
    FILE *f = p->file.stream;
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>",
          f);
    tl_print_markup(f, title);
    fputs("</title>\n<style>\n", f);
    put_lines(f, tl__page_style);
    fprintf(f, "</style>\n</head>\n<body data-written=\"%" PRId64 "\" data-patience=\"%d\">\n<main>\n<h1>",
            (int64_t)time(NULL), patience);
    tl_print_markup(f, title);
    fputs("</h1>\n", f);
    return true;
}

static void end_section(tl_page *p)
{
    if (p->in_section)
        fputs("</section>\n", p->file.stream);
    p->in_section = false;
}

bool tl_page_close(tl_page *p, tl_error *why)
{
    if (!p || !p->file.stream)
        return tl_fail(why, "no page");
    if (p->failure) {
        tl_fail_at(why, p->file.path, "not written: %s", p->failure);
        tl_page_abandon(p);
        return false;
    }
    end_section(p);
    fputs("</main>\n<script>\n'use strict';\n", p->file.stream);
    put_lines(p->file.stream, tl__page_script);
    fputs("</script>\n</body>\n</html>\n", p->file.stream);
    return tl_output_close(&p->file, why);
}

void tl_page_abandon(tl_page *p)
{
    if (p && p->file.stream)
        tl_output_abandon(&p->file);
}

/* ---- Text. ---- */

void tl_page_section(tl_page *p, const char *heading)
{
    FILE *f = stream(p);
    if (!f)
        return;
    end_section(p);
    fputs("<section>\n<h2>", f);
    tl_print_markup(f, heading);
    fputs("</h2>\n", f);
    p->in_section = true;
}

static void put_element(tl_page *p, const char *open, const char *text, const char *close)
{
    FILE *f = stream(p);
    if (!f)
        return;
    fputs(open, f);
    tl_print_markup(f, text);
    fputs(close, f);
}

void tl_page_text(tl_page *p, const char *text)
{
    put_element(p, "<p>", text, "</p>\n");
}

void tl_page_verbatim(tl_page *p, const char *text)
{
    put_element(p, "<pre tabindex=\"0\">", text, "</pre>\n");
}

void tl_page_facts(tl_page *p, int n, const tl_fact *facts)
{
    put_element(p, "<table><tbody>\n", "", "");
    for (int i = 0; facts && i < n; i++) {
        put_element(p, "<tr><th scope=\"row\">", facts[i].name, "</th>");
        put_element(p, "<td>", facts[i].value, "</td></tr>\n");
    }
    put_element(p, "</tbody></table>\n", "", "");
}

/* ---- Charts. ---- */

void tl_page_chart(tl_page *p, const tl_chart *chart)
{
    FILE *f = stream_for(p, chart);
    if (!f)
        return;
    tl_chart    c = *chart;
    const int   id = ++p->figures;
    const char *checked = c.logarithmic ? " checked" : "";
    fprintf(
        f, "<figure class=\"chart\"><input type=\"checkbox\" id=\"log%d\"%s><label for=\"log%d\">logarithmic</label>\n",
        id, checked, id);
    for (int i = 0; i < 2; i++) {
        c.logarithmic = i == 1;
        fprintf(f, "<div class=\"%s\">", i ? "log" : "linear");
        if (!tl_chart_svg(f, &c) && !ferror(f)) /* errors of the file are told when it is closed */
            p->failure = "a chart has no values";
        fputs("</div>\n", f);
    }
    fputs("</figure>\n", f);
}

/* ---- Pictures. ---- */

static void put_png(FILE *f, const tl_png *png)
{
    fputs("data:image/png;base64,", f);
    put_base64(f, png->bytes, png->size);
}

/* The sides are the first numbers in the file, at bytes 16 and 20; those of pictures fit two bytes. */
static void put_image(FILE *f, const tl_png *png, int scale, const char *more)
{
    const int width = png->size > 24 ? png->bytes[18] << 8 | png->bytes[19] : 0;
    const int height = png->size > 24 ? png->bytes[22] << 8 | png->bytes[23] : 0;
    fprintf(f, "<img %swidth=\"%d\" height=\"%d\" alt=\"", more, width * scale, height * scale);
    tl_print_markup(f, png->caption);
    fputs("\" src=\"", f);
    put_png(f, png);
    fputs("\">\n", f);
}

void tl_page_picture(tl_page *p, const tl_png *picture, int scale)
{
    FILE *f = stream_for(p, picture && picture->bytes);
    if (!f)
        return;
    fputs("<figure>", f);
    put_image(f, picture, scale, "");
    put_element(p, "<figcaption>", picture->caption, "</figcaption></figure>\n");
}

void tl_page_frames(tl_page *p, const char *title, int n, const tl_png *frames, int scale)
{
    bool there = frames && n > 0;
    for (int i = 0; there && i < n; i++)
        there = frames[i].bytes != NULL;
    FILE *f = stream_for(p, there);
    if (!f)
        return;
    const int id = ++p->figures;
    fputs("<figure class=\"frames\">", f);
    for (int i = 0; i < n; i++)
        put_image(f, &frames[i], scale, i + 1 < n ? "hidden " : "");
    if (n > 1)
        fprintf(f,
                "<div class=\"controls\"><button type=\"button\">Play</button><label for=\"frame%d\">Epoch</label>"
                "<input type=\"range\" id=\"frame%d\" min=\"0\" max=\"%d\" value=\"%d\"></div>",
                id, id, n - 1, n - 1);
    put_element(p, "<figcaption>", title, ": ");
    fputs("<output>", f);
    tl_print_markup(f, frames[n - 1].caption);
    fputs("</output></figcaption>\n", f);
    fputs("</figure>\n", f);
}

/* ---- Points. ---- */

/* What the script needs: where each point is, in the picture's units, and its class. */
static void put_places(FILE *f, const tl_points *points)
{
    const tl_axes a = tl_points_axes(points);
    fprintf(f, "<script type=\"application/json\">[");
    for (int64_t i = 0; i < points->n; i++) {
        double x = -1, y = -1;
        tl_points_place(points, &a, i, &x, &y);
        fprintf(f, "%s[%d,%d,%d]", i ? "," : "", (int)x, (int)y, points->label ? points->label[i] : 0);
    }
    fputs("]</script>\n", f);
}

void tl_page_points(tl_page *p, const tl_points *points, const tl_png *images, int width, int height, int columns)
{
    FILE *f = stream_for(p, points && points->n >= 0 && (points->n == 0 || (points->x && points->y)));
    if (!f)
        return;
    fputs("<figure class=\"points\">", f);
    if (!tl_points_svg(f, points) && !ferror(f))
        p->failure = "out of memory";
    for (int class = 0; points->label && class < 10; class ++)
        fprintf(f, "%s<label><input type=\"checkbox\" value=\"%d\" checked>%d</label>%s",
                class ? "" : "<fieldset><legend>Classes</legend>", class, class, class < 9 ? "" : "</fieldset>\n");
    put_places(f, points);
    if (images && images->bytes) {
        fprintf(f, "<div class=\"peek\" hidden data-columns=\"%d\" data-width=\"%d\" data-height=\"%d\" data-src=\"",
                columns, width, height);
        put_png(f, images);
        fputs("\"><canvas></canvas><span></span></div>\n", f);
    }
    fputs("</figure>\n", f);
}

/* ---- A network. ---- */

/* Rounds to nearest, ties to even; too large becomes infinite, too small zero. */
static uint16_t to_half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const int      exponent = (int)(bits >> 23 & 255) - 127 + 15;
    if (exponent >= 31)
        return (uint16_t)(sign | 0x7c00 | (x != x));
    if (exponent < -10)
        return sign;
    const uint32_t digits = (bits & 0x7fffff) | 0x800000;
    const int      shift = exponent > 0 ? 13 : 14 - exponent;
    const uint32_t kept = digits >> shift, rest = digits & ((1u << shift) - 1), middle = 1u << (shift - 1);
    const uint32_t rounded = kept + (rest > middle || (rest == middle && (kept & 1)));
    return (uint16_t)(sign | ((exponent > 0 ? (uint32_t)(exponent - 1) << 10 : 0) + rounded));
}

/* In little-endian order, whatever the machine's. */
static void put_halves(tl_page *p, const char *name, const float *x, int64_t n)
{
    uint8_t *bytes = malloc((size_t)n * 2 + 1);
    if (!bytes)
        p->failure = "out of memory";
    for (int64_t i = 0; bytes && i < n; i++) {
        const uint16_t half = to_half(x[i]);
        bytes[2 * i] = (uint8_t)half;
        bytes[2 * i + 1] = (uint8_t)(half >> 8);
    }
    fprintf(p->file.stream, ",\"%s\":\"", name);
    if (bytes)
        put_base64(p->file.stream, bytes, (size_t)n * 2);
    fputc('"', p->file.stream);
    free(bytes);
}

static void put_layers(tl_page *p, const tl_network *net)
{
    FILE *f = p->file.stream;
    fprintf(f, "<script type=\"application/json\">{\"width\":%d,\"height\":%d,\"black\":%s,\"white\":%s,\"layers\":[",
            net->width, net->height, TL_NUMBER(net->black, 9), TL_NUMBER(net->white, 9));
    for (int i = 0; i < net->n_layers; i++) {
        const tl_layer *l = &net->layers[i];
        fprintf(f, "%s{\"op\":\"%s\",\"in\":%d,\"out\":%d", i ? ",\n" : "", l->op ? l->op : "", (int)l->in,
                (int)l->out);
        if (l->weight)
            put_halves(p, "weight", l->weight, l->in * l->out);
        if (l->bias)
            put_halves(p, "bias", l->bias, l->out);
        fputc('}', f);
    }
    fputs("]}</script>\n", f);
}

void tl_page_explorer(tl_page *p, const char *title, const tl_network *net)
{
    FILE *f = stream_for(p, net && net->n_layers > 0 && net->layers && net->least && net->most && net->start);
    if (!f)
        return;
    const int id = ++p->figures;
    fprintf(f, "<figure class=\"explorer\"><canvas width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"", net->width,
            net->height);
    tl_print_markup(f, title);
    fputs("\"></canvas><div class=\"sliders\">\n", f);
    for (int i = 0; i < net->inputs; i++) {
        fprintf(f, "<label for=\"z%d_%d\">z%d</label><input type=\"range\" id=\"z%d_%d\" step=\"any\"", id, i, i + 1,
                id, i);
        fprintf(f, " min=\"%s\"", TL_NUMBER((double)net->least[i], 5));
        fprintf(f, " max=\"%s\"", TL_NUMBER((double)net->most[i], 5));
        fprintf(f, " value=\"%s\"><output></output>\n", TL_NUMBER((double)net->start[i], 5));
    }
    fputs("</div>", f);
    put_layers(p, net);
    put_element(p, "<figcaption>", title, "</figcaption></figure>\n");
}
