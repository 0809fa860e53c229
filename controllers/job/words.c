/* words: see words.h. */
#include "controllers/job/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

void words_add(struct words *w, const char *word)
{
    w->items = mem_realloc(w->items, (w->n + 2) * sizeof(*w->items));
    w->items[w->n++] = mem_strdup(word);
    w->items[w->n] = NULL;
}

void words_addf(struct words *w, const char *fmt, ...)
{
    char *word = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&word, fmt, ap) < 0)
        word = NULL;
    va_end(ap);
    words_add(w, word ? word : "");
    free(word);
}

void words_done(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        mem_free(w->items[i]);
    mem_free(w->items);
    *w = (struct words){0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One word from *i on; its quotes are gone. False: text ended inside a quote. */
static bool take_word(struct str s, size_t *i, struct buf *word)
{
    char quote = 0;

    for (; *i < s.n && (quote || !is_blank(s.p[*i])); ++*i) {
        char c = s.p[*i];

        if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? 0 : c;
        } else if (c == '\\' && quote != '\'') {
            if (++*i == s.n)
                return false;
            /* Inside double quotes a backslash protects only what is special there. */
            if (quote && !strchr("\"\\$`", s.p[*i]))
                buf_putc(word, '\\');
            buf_putc(word, s.p[*i]);
        } else {
            buf_putc(word, c);
        }
    }
    return !quote;
}

int words_split(struct words *w, struct str text, struct error *e)
{
    struct buf word;
    size_t i = 0;
    int rc = 0;

    buf_init(&word, LIMIT_STRING);
    while (rc == 0) {
        while (i < text.n && is_blank(text.p[i]))
            i++;
        if (i == text.n)
            break;
        buf_clear(&word);
        if (!take_word(text, &i, &word))
            rc = error_set(e, ERR_INVALID, "arguments end inside a quote or after a backslash");
        else
            words_add(w, word.data);
    }
    buf_done(&word);
    return rc;
}

int words_check(struct str text, struct error *e)
{
    struct words w = {0};
    int rc = words_split(&w, text, e);

    words_done(&w);
    return rc;
}
