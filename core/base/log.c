/* log: see log.h. A line is built on its own and written with one call, so that lines of several processes on one
 * stderr never mix. */
#include "core/base/log.h"

#include <stdio.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/limits.h"

static const char *const levels[] = {"debug", "info", "warn", "error"};

/* User text is cut at 256 bytes (multitenancy.md 9), ours is not that long; error texts are ours and stay whole. */
enum { TEXT_MAX = 256, ERROR_TEXT_MAX = 1024 };

static void put_json_text(struct buf *b, struct str s, size_t max)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n && i < max; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_puts(b, "\\n");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\u%04x", c);
        else
            buf_putc(b, (char)c);
    }
    if (s.n > max)
        buf_puts(b, "...");
    buf_putc(b, '"');
}

/* The longest known credential that begins at p; 0: none. Short ones (< 6 bytes) would tear ordinary words apart. */
static size_t credential_at(const struct log *sink, const char *p, size_t left)
{
    size_t longest = 0;

    for (size_t i = 0; i < sink->n_secrets; i++) {
        struct str s = sink->secrets[i];

        if (s.n >= 6 && s.n > longest && s.n <= left && memcmp(p, s.p, s.n) == 0)
            longest = s.n;
    }
    return longest;
}

/* A text without credentials: before it is escaped, which would hide one with a quote in it, and before it is cut,
 * which would leave the half of one. */
static void put_text(struct buf *b, const struct log *sink, struct str s, size_t max)
{
    struct buf plain;

    if (!sink->n_secrets) {
        put_json_text(b, s, max);
        return;
    }
    buf_init(&plain, LIMIT_LINE);
    for (size_t i = 0; i < s.n && plain.len <= max;) {
        size_t n = credential_at(sink, s.p + i, s.n - i);

        if (n)
            buf_puts(&plain, "[redacted]");
        else
            buf_putc(&plain, s.p[i]);
        i += n ? n : 1;
    }
    put_json_text(b, buf_str(&plain), max);
    buf_done(&plain);
}

static void put_value(struct buf *b, const struct log *sink, const struct log_field *f)
{
    switch (f->type) {
    case LOG_F_STR:
        put_text(b, sink, f->u.s, TEXT_MAX);
        break;
    case LOG_F_INT:
        buf_printf(b, "%lld", (long long)f->u.i);
        break;
    case LOG_F_BOOL:
        buf_puts(b, f->u.b ? "true" : "false");
        break;
    case LOG_F_ERR:
        put_text(b, sink, str_of(f->u.e->msg), ERROR_TEXT_MAX);
        break;
    }
}

static void put_fields(struct buf *b, const struct log *sink, const struct log_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (sink->plain)
            buf_printf(b, " %s=", fields[i].key);
        else
            buf_printf(b, ",\"%s\":", fields[i].key);
        put_value(b, sink, &fields[i]);
    }
}

static void put_parents(struct buf *b, const struct log *sink, const struct log *l)
{
    if (!l)
        return;
    put_parents(b, sink, l->parent);
    put_fields(b, sink, l->fields, l->n_fields);
}

static void put_head(struct buf *b, const struct log *sink, enum log_level level, const char *msg)
{
    int64_t ms = sink->env ? env_wall_ms(sink->env) : 0;
    char when[32] = "";

    if (sink->env)
        (void)str_format_time(ms / 1000, when);
    if (sink->plain) {
        buf_printf(b, "%.8s %-5s %s", when[0] ? when + 11 : "", levels[level], msg);
        return;
    }
    buf_putc(b, '{');
    if (sink->env)
        buf_printf(b, "\"ts\":\"%.19s.%03dZ\",", when, (int)(ms % 1000));
    buf_printf(b, "\"level\":\"%s\",\"msg\":", levels[level]);
    put_json_text(b, str_of(msg), TEXT_MAX);
}

void log_write(const struct log *l, enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
    const struct log *sink = l;
    struct buf line;

    while (sink && sink->parent)
        sink = sink->parent;
    if (!sink || level < sink->min)
        return;
    buf_init(&line, LIMIT_LINE);
    put_head(&line, sink, level, msg);
    put_parents(&line, sink, l);
    put_fields(&line, sink, fields, n);
    buf_puts(&line, sink->plain ? "" : "}");
    buf_putc(&line, '\n');
    if (sink->write)
        sink->write(sink->ctx, buf_str(&line));
    else if (write(STDERR_FILENO, line.data, line.len) < 0) {
        /* Nobody reads our stderr: there is no better place to say so. */
    }
    buf_done(&line);
}
