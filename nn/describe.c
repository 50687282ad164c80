/* The arguments of layers as text, as PyTorch's constructors take them: "1, 16, kernel_size=3, padding=(1, 2)". */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nn/module_internal.h"

void nn__describe(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    size_t  n = strlen(text);
    if (n > 0 && n + 2 < size)
        n += (size_t)snprintf(text + n, size - n, ", ");
    va_start(arguments, format);
    vsnprintf(text + n, size - n, format, arguments);
    va_end(arguments);
}

void nn__describe_sizes(char *text, size_t size, const char *name, int axes, const int64_t *given, const int64_t *usual)
{
    int64_t v[2] = {given[0] ? given[0] : usual[0], axes < 2 || !given[1] ? usual[axes - 1] : given[1]};
    if (v[0] == usual[0] && (axes < 2 || v[1] == usual[1]))
        return;
    if (axes < 2 || v[0] == v[1])
        nn__describe(text, size, "%s=%" PRId64, name, v[0]);
    else
        nn__describe(text, size, "%s=(%" PRId64 ", %" PRId64 ")", name, v[0], v[1]);
}
