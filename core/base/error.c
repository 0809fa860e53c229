/* error: see error.h. */
#include "core/base/error.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    "ok",       "canceled", "timeout", "net",    "throttled", "conflict", "exists",
    "notfound", "gone",     "denied",  "invalid", "toobig",   "bug",
};

int error_set(struct error *e, enum err code, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return code;
    e->code = code;
    e->retry_after_ms = 0;
    va_start(ap, fmt);
    (void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap); /* cut text is still a text */
    va_end(ap);
    return code;
}

int error_wrap(struct error *e, int code, const char *fmt, ...)
{
    char old[sizeof(e->msg)];
    va_list ap;
    int n;

    if (!e)
        return code;
    memcpy(old, e->msg, sizeof(old));
    e->code = code;
    va_start(ap, fmt);
    n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(e->msg))
        (void)snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %.*s", (int)(sizeof(old) - 1), old);
    return code;
}

const char *error_name(int code)
{
    if (code > 0 || -code >= (int)(sizeof(names) / sizeof(names[0])))
        return "unknown";
    return names[-code];
}
