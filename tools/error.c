#include "tools/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/text.h"

static bool fail(tl_error *why, const char *path, const char *format, va_list args)
{
    if (!why)
        return false;
    char text[sizeof why->text];
    int  n = path ? snprintf(text, sizeof text, "%.*s: ", (int)(sizeof text / 2), path) : 0;
    if (n >= 0 && (size_t)n < sizeof text)
        vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    tl_escape(text, why->text, sizeof why->text);
    return false;
}

bool tl_fail(tl_error *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(why, NULL, format, args);
    va_end(args);
    return false;
}

bool tl_fail_at(tl_error *why, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(why, path ? path : "NULL", format, args);
    va_end(args);
    return false;
}
