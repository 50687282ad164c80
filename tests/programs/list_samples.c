/* Prints the table of op samples, for tests/golden/make_ops.py: name/variant, set, then domain and shape of each input.
 */
#include <stdio.h>

#include "tests/support/samples.h"

int main(void)
{
    static const char *const domains[] = {"real", "positive", "unit", "index"};
    for (int i = 0; i < op_sample_count; i++)
        for (int k = 0; op_samples[i].sets[k].n; k++) {
            const op_sample *s = &op_samples[i];
            if (s->random)
                continue;
            printf("%s/%s %d", s->name, s->variant, k);
            for (int j = 0; j < s->sets[k].n; j++) {
                printf(" %s", domains[s->domain[j]]);
                for (int d = 0; d < s->sets[k].shape[j].rank; d++)
                    printf("%s%lld", d ? "," : ":", (long long)s->sets[k].shape[j].dim[d]);
            }
            putchar('\n');
        }
    return 0;
}
