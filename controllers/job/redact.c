/* redact: see redact.h. */
#include "controllers/job/redact.h"

#include "core/base/http.h"
#include "core/base/mem.h"

static void add_value(struct redact *r, struct str value)
{
    if (value.n < REDACT_MIN_BYTES || r->n == REDACT_MAX)
        return;
    for (size_t i = 0; i < r->n; i++)
        if (str_eq(r->views[i], value))
            return;
    secret_set(&r->values[r->n], value);
    r->views[r->n] = secret_str(&r->values[r->n]);
    r->n++;
}

void redact_add(struct redact *r, struct str value)
{
    struct str rest = value, line;
    struct buf escaped;

    if (value.n && memchr(value.p, '\n', value.n)) {
        while (str_cut(&rest, '\n', &line))
            if (!str_starts(str_trim(line), STR("-----")))
                add_value(r, str_trim(line));
        return;
    }
    add_value(r, value);
    buf_init(&escaped, 3 * value.n + 1);
    http_escape(&escaped, value);
    add_value(r, buf_str(&escaped));
    if (escaped.len)
        mem_wipe(escaped.data, escaped.len);
    buf_done(&escaped);
}

void redact_done(struct redact *r)
{
    for (size_t i = 0; i < r->n; i++)
        secret_done(&r->values[i]);
    r->n = 0;
}

/* The longest known value that begins at p; 0: none. */
static size_t match(const struct redact *r, const char *p, size_t left)
{
    size_t longest = 0;

    for (size_t i = 0; i < r->n; i++)
        if (r->views[i].n > longest && r->views[i].n <= left && memcmp(p, r->views[i].p, r->views[i].n) == 0)
            longest = r->views[i].n;
    return longest;
}

void redact_text(const struct redact *r, struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n;) {
        size_t n = match(r, text.p + i, text.n - i);

        if (n)
            buf_puts(out, "[redacted]");
        else
            buf_putc(out, text.p[i]);
        i += n ? n : 1;
    }
}

void redact_message(const struct redact *r, char *text, size_t size)
{
    struct buf b;

    buf_init(&b, strlen(text) * 10 + 1);
    redact_text(r, &b, str_of(text));
    if (b.len >= size)
        b.len = size - 1;
    memcpy(text, b.data, b.len);
    text[b.len] = 0;
    buf_done(&b);
}

static bool names_a_credential(struct str name)
{
    static const char *const words[] = {"pass", "secret", "token", "key", "pwd", "credential"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (memmem(name.p, name.n, words[i], strlen(words[i])))
            return true;
    return false;
}

void redact_argv(const struct redact *r, struct buf *out, const char *const *argv)
{
    for (; *argv; argv++) {
        struct str word = str_of(*argv), name = word;
        const char *equals = strchr(word.p, '=');

        if (out->len)
            buf_putc(out, ' ');
        if (equals)
            name.n = (size_t)(equals - word.p);
        if (word.p[0] == '-' && equals && names_a_credential(name)) {
            buf_add_str(out, name);
            buf_puts(out, "=***");
        } else if (str_starts(word, STR("-p")) && word.n > 2) { /* the short password option of database clients */
            buf_puts(out, "-p***");
        } else {
            redact_text(r, out, word);
        }
    }
}
