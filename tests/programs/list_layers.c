/* Prints the table of layer samples, for tests/golden/make_layers.py: name, number, domain and shape of the input. */
#include <stdio.h>

#include "tests/support/layers.h"

int main(void)
{
    for (int i = 0; i < layer_sample_count; i++) {
        const layer_sample *s = &layer_samples[i];
        printf("%s %d %s", s->name, layer_sample_number(i), s->is_index ? "index" : "real");
        for (int d = 0; d < s->rank; d++)
            printf("%s%lld", d ? "," : ":", (long long)s->dim[d]);
        putchar('\n');
    }
    return 0;
}
