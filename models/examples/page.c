/* A page with a chart and a table, for results of your own: one file that needs nothing else and fetches nothing.
 * Compiles as C++ too.
 *
 *     cc page.c $(pkg-config --cflags --libs hourglass) -lm -o page && ./page
 *
 * It prints:
 *
 *     page.html is written
 */
#include <math.h>
#include <stdio.h>
#include <tools/page.h>

enum { POINTS = 50 };

int main(void)
{
    static double x[POINTS], falling[POINTS], wavy[POINTS];
    for (int i = 0; i < POINTS; i++) {
        x[i] = i + 1;
        falling[i] = 1 / x[i];
        wavy[i] = falling[i] * (1.2 + 0.2 * sin(x[i]));
    }
    const tl_line  lines[] = {{"training", POINTS, x, falling}, {"test", POINTS, x, wavy}};
    const tl_chart chart = {"Loss", "epoch", "nats", true, 2, lines};
    const tl_fact  facts[] = {{"Learning rate", "0.001"}, {"Batch", "128"}};

    tl_page  page;
    tl_error why;
    if (!tl_page_open(&page, "page.html", "My results", 0, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    tl_page_section(&page, "Loss");
    tl_page_chart(&page, &chart); /* with a switch to a linear axis */
    tl_page_section(&page, "What was run");
    tl_page_facts(&page, 2, facts);
    if (!tl_page_close(&page, &why)) { /* only now is page.html there, whole */
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    puts("page.html is written");
    return 0;
}
