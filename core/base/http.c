/* http: the helpers of http.h. */
#include "core/base/http.h"

#include <ctype.h>
#include <stdio.h>

#include "core/base/buf.h"

struct str http_header_find(const struct http_header *headers, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(headers[i].name, name))
            return headers[i].value;
    return STR_NONE;
}

void http_reply(struct http_serve *s, int status, const char *content_type, struct str body)
{
    char length[24];
    struct http_header headers[2];
    size_t n = 0;

    (void)snprintf(length, sizeof(length), "%zu", body.n);
    if (content_type)
        headers[n++] = (struct http_header){STR("content-type"), str_of(content_type)};
    headers[n++] = (struct http_header){STR("content-length"), str_of(length)};
    s->ops->head(s, status, headers, n);
    if (body.n)
        s->ops->write(s, body);
    s->ops->end(s);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool http_unescape(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%') {
            int hi = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1, lo = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;

            if (hi < 0 || lo < 0)
                return false;
            c = (char)(hi * 16 + lo);
            i += 2;
        }
        if (!c)
            return false;
        buf_putc(out, c);
    }
    return buf_error(out) == 0;
}

void http_escape(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
            c == '_' || c == '~')
            buf_putc(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

bool http_query(struct str query, const char *key, char *out, size_t size)
{
    struct str pair;

    while (str_cut(&query, '&', &pair)) {
        struct str value = pair, name;
        struct buf text;
        bool found;

        if (!str_cut(&value, '=', &name))
            continue;
        if (!str_is(name, key))
            continue;
        buf_init(&text, size - 1);
        for (size_t i = 0; i < value.n; i++) {
            /* In a query '+' is a blank (HTML forms; client libraries write it so). */
            if (value.p[i] == '+') {
                buf_putc(&text, ' ');
            } else {
                struct str one = {value.p + i, value.p[i] == '%' && i + 2 < value.n ? 3 : 1};

                (void)http_unescape(&text, one); /* a bad escape is left out */
                i += one.n - 1;
            }
        }
        found = true;
        (void)snprintf(out, size, "%.*s", (int)text.len, text.data);
        buf_done(&text);
        return found;
    }
    return false;
}

int http_parse_status(struct str b)
{
    static const char start[] = "HTTP/1.";
    size_t n = sizeof(start) - 1, have = b.n < n ? b.n : n;

    if (have && memcmp(b.p, start, have) != 0)
        return -1;
    if (b.n < n + 5 || !memmem(b.p, b.n, "\r\n\r\n", 4))
        return 0;
    b.p += n + 1; /* the minor version */
    if (b.p[0] != ' ' || !isdigit((unsigned char)b.p[1]) || !isdigit((unsigned char)b.p[2]) ||
        !isdigit((unsigned char)b.p[3]))
        return -1;
    return (b.p[1] - '0') * 100 + (b.p[2] - '0') * 10 + (b.p[3] - '0');
}
