/*
 * push_page: the page that /metrics shows: the operator's own families and the pushed ones, ordered by name, each once.
 * A client that pushes its whole registry brings process_* along: those series join the operator's own family, since a
 * family that came twice would spoil the page for its readers.
 */
#include <stdlib.h>

#include "core/base/mem.h"
#include "metrics/push_store.h"

struct page_family {
    struct str name;
    struct str own; /* its lines as the operator wrote them */
    const struct push_family *pushed;
    size_t start; /* its pushed series in page.lines */
};

struct page_line {
    const struct push_series *series;
    const struct push_set *set;
};

struct page {
    struct page_family *list;
    size_t n, cap;
    struct map by_name; /* to index + 1 */
    struct page_line *lines; /* family by family, in each in order of the groups */
};

static struct page_family *family_of(struct page *g, struct str name)
{
    uintptr_t at = (uintptr_t)map_get(&g->by_name, name);

    if (at)
        return &g->list[at - 1];
    if (g->n == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 64;
        g->list = mem_realloc(g->list, g->cap * sizeof(*g->list));
    }
    g->list[g->n++] = (struct page_family){.name = name};
    (void)map_put(&g->by_name, name, (void *)(uintptr_t)g->n); // NOLINT(performance-no-int-to-ptr): an index
    return &g->list[g->n - 1];
}

/* Cuts the operator's page at its "# HELP name" and "# TYPE name" lines. */
static void take_own(struct page *g, struct str own)
{
    struct str line, name;
    struct page_family *f = NULL;

    while (own.n && str_cut(&own, '\n', &line)) {
        struct str rest = line;

        if (str_starts(line, STR("# HELP ")) || str_starts(line, STR("# TYPE "))) {
            rest = (struct str){line.p + 7, line.n - 7};
            (void)str_cut(&rest, ' ', &name);
            if (!f || !str_eq(f->name, name)) {
                f = family_of(g, name);
                f->own = (struct str){line.p, 0};
            }
        }
        if (f)
            f->own.n = (size_t)(line.p + line.n - f->own.p);
    }
}

/* The type that the operator says; PUSH_TYPES: none. */
static enum text_type own_type(const struct page_family *f)
{
    struct str own = f->own, line;

    while (own.n && str_cut(&own, '\n', &line))
        for (int t = 0; str_starts(line, STR("# TYPE ")) && t < PUSH_TYPES; t++)
            if (str_ends(line, str_of(text_type_name((enum text_type)t))))
                return (enum text_type)t;
    return (enum text_type)PUSH_TYPES;
}

/* That of all series; where namespaces do not agree, none. */
static enum text_type pushed_type(const struct push_family *f)
{
    for (int t = 0; t < PUSH_TYPES; t++)
        if (f->n_of[t] == f->n)
            return (enum text_type)t;
    return TEXT_UNTYPED;
}

/* Each family's lines begin where those of the one before end; a family's mark is where its next one goes. */
static void place_families(struct page *g, const struct push *p)
{
    size_t at = 0;
    void *value;

    for (size_t it = 0; map_next(&p->families, &it, NULL, &value);) {
        struct push_family *pushed = value;
        struct page_family *f = family_of(g, pushed->name);

        f->pushed = pushed;
        f->start = pushed->mark = at;
        at += pushed->n;
    }
    g->lines = mem_alloc(at * sizeof(*g->lines));
}

static void take_pushed(struct page *g, const struct push *p)
{
    void *value;

    place_families(g, p);
    for (size_t it = 0; map_next(&p->groups, &it, NULL, &value);)
        for (struct push_at at = {0}; push_next(value, &at);)
            g->lines[at.series->metric->family->mark++] = (struct page_line){at.series, at.set};
    for (size_t it = 0; map_next(&p->families, &it, NULL, &value);)
        ((struct push_family *)value)->mark = 0;
}

static int by_name(const void *a, const void *b)
{
    const struct page_family *x = a, *y = b;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int c = memcmp(x->name.p, y->name.p, n);

    return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

/* Of the helps that groups gave it, the last one's. */
static void put_head(const struct page *g, const struct page_family *f, struct buf *out)
{
    struct str help;

    if (f->own.n) {
        buf_add_str(out, f->own);
        buf_putc(out, '\n');
        return;
    }
    help = g->lines[f->start + f->pushed->n - 1].series->metric->help;
    if (help.n) {
        buf_puts(out, "# HELP ");
        buf_add_str(out, f->name);
        buf_putc(out, ' ');
        text_put_escaped(out, help, false);
        buf_putc(out, '\n');
    }
    buf_puts(out, "# TYPE ");
    buf_add_str(out, f->name);
    buf_printf(out, " %s\n", text_type_name(pushed_type(f->pushed)));
}

static void put_family(const struct page *g, const struct page_family *f, struct buf *out)
{
    enum text_type own = own_type(f);
    char number[32];

    put_head(g, f, out);
    for (size_t i = 0; f->pushed && i < f->pushed->n; i++) {
        const struct page_line *l = &g->lines[f->start + i];

        if (f->own.n && l->series->metric->type != own)
            continue; /* of another type than our own: no reader could make sense of both */
        buf_add_str(out, l->series->metric->name);
        buf_add_str(out, push_set_text(l->set));
        buf_putc(out, ' ');
        buf_puts(out, text_format_value(l->series->value, number));
        buf_putc(out, '\n');
    }
}

/* push_time_seconds and its sister, as a page of our own. */
static void put_times(const struct push *p, const char *name, const char *help, bool failed, struct buf *out)
{
    char number[32];
    void *value;

    buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
    for (size_t it = 0; map_next(&p->groups, &it, NULL, &value);) {
        const struct push_group *g = value;

        buf_printf(out, "%s{", name);
        buf_add_str(out, push_group_labels(g));
        buf_printf(out, "} %s\n", text_format_value((double)(failed ? g->failed_ms : g->pushed_ms) / 1000, number));
    }
}

void push_write(const struct push *p, struct str own, struct buf *out)
{
    struct page g = {0};
    struct buf times;

    buf_init(&times, out->max);
    if (map_size(&p->groups)) {
        put_times(p, "push_time_seconds", "When a push to this group last succeeded, Unix time.", false, &times);
        put_times(p, "push_failure_time_seconds", "When a push to this group last failed, Unix time.", true, &times);
    }
    map_init_borrowing(&g.by_name, p->seed);
    take_own(&g, own);
    take_own(&g, buf_str(&times));
    take_pushed(&g, p);
    if (g.n)
        qsort(g.list, g.n, sizeof(*g.list), by_name);
    for (size_t i = 0; i < g.n; i++)
        put_family(&g, &g.list[i], out);
    map_done(&g.by_name);
    mem_free(g.list);
    mem_free(g.lines);
    buf_done(&times);
}
