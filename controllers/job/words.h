/*
 * words: a text to argument words by the quoting rules of a shell: blanks separate, 'single' and "double" quotes and
 * backslash protect; nothing is expanded.
 */
#ifndef STASHD_WORDS_H
#define STASHD_WORDS_H

#include "core/base/error.h"
#include "core/base/str.h"

struct words {
    char **items; /* NULL-terminated once something is there */
    size_t n;
};

/* Appends. ERR_INVALID: a quote that is not closed, a backslash at the end. */
int words_split(struct words *w, struct str text, struct error *e) NODISCARD;
/* Could it be split? The same errors. */
int words_check(struct str text, struct error *e) NODISCARD;
void words_add(struct words *w, const char *word);
void words_addf(struct words *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void words_done(struct words *w);
static inline const char *const *words_argv(const struct words *w)
{
    return (const char *const *)w->items;
}

#endif
