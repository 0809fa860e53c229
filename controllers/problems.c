/* problems: see problems.h. */
#include "controllers/problems.h"

#include <stdio.h>

#include "core/base/buf.h"
#include "core/base/limits.h"

void problems_init(struct problems *p, struct arena *a)
{
    *p = (struct problems){.arena = a};
    list_init(&p->list);
}

void problems_add(struct problems *p, const char *field, const char *fmt, ...)
{
    char text[LIMIT_MESSAGE];
    struct problem *it;
    va_list ap;

    if (p->n == PROBLEMS_MAX)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut text is still a text */
    va_end(ap);
    str_mend_utf8(text);
    it = arena_alloc(p->arena, sizeof(*it));
    it->field = arena_strdup(p->arena, field);
    it->text = arena_strdup(p->arena, text);
    list_add_tail(&p->list, &it->link);
    p->n++;
}

const char *problems_join(const struct problems *p)
{
    struct buf out;
    const char *text;

    buf_init(&out, LIMIT_MESSAGE);
    LIST_EACH (it, &p->list)
        buf_printf(&out, "%s%s", out.len ? "; " : "", LIST_ENTRY(it, struct problem, link)->text);
    text = arena_strdup(p->arena, out.data);
    buf_done(&out);
    return text;
}
