/*
 * push_page: the page that /metrics shows: the operator's own families and the pushed ones, ordered by name, each once.
 * A client that pushes its whole registry brings process_* along: those series join the operator's own family, since a
 * family that came twice would spoil the page for its readers.
 *
 * To take the snapshot holds the loop, so it makes no text: of each series it notes where it is, in the order of the
 * page. Pushed families may be as many as series, and to sort those takes longer than all the rest: they stand in a
 * heap, and each costs its share when its turn comes. The operator's own are few.
 */
#include <stdlib.h>

#include "core/base/mem.h"
#include "metrics/push_store.h"

enum { PIECE = 64 * 1024, TIMES_HEADS = 1024 };

struct page_own {
    struct str name;
    struct str text; /* its lines as the operator wrote them, in page.own */
};

struct page_family {
    const struct push_family *family; /* n and n_of of it go on to change: not for the page */
    uint32_t start, n;                /* its series in page.lines */
    enum text_type type;
};

struct page_line {
    const struct push_series *series;
    const struct push_set *set;
};

struct page_group {
    struct push_group *group;
    int64_t failed_ms; /* the group's own goes on to change */
};

struct push_page {
    struct push *push;
    struct buf own;
    struct page_own *owns; /* in order */
    size_t n_owns, cap_owns, at_own;
    struct page_family *heap; /* those to come, by name */
    size_t n_heap;
    struct page_group *groups;
    size_t n_groups;
    struct page_line *lines; /* family by family, in each in order of the groups */
    /* What is to come of the family that is being written: */
    struct str text;
    const char *times; /* its name, when it has those of groups[at_group] and so on; else NULL */
    size_t at_group, at_line, end_line;
    unsigned types; /* bits: of which types series are shown */
};

/* ---- the operator's own part ---- */

static const char pushed_name[] = "push_time_seconds", failed_name[] = "push_failure_time_seconds";

static struct page_own *own_of(struct push_page *g, struct map *names, struct str name)
{
    uintptr_t at = (uintptr_t)map_get(names, name);

    if (at)
        return &g->owns[at - 1];
    if (g->n_owns == g->cap_owns) {
        g->cap_owns = g->cap_owns ? g->cap_owns * 2 : 64;
        g->owns = mem_realloc(g->owns, g->cap_owns * sizeof(*g->owns));
    }
    g->owns[g->n_owns++] = (struct page_own){.name = name};
    (void)map_put(names, name, (void *)(uintptr_t)g->n_owns); // NOLINT(performance-no-int-to-ptr): an index
    return &g->owns[g->n_owns - 1];
}

/* Cuts the text at its "# HELP name" and "# TYPE name" lines. */
static void cut_own(struct push_page *g)
{
    struct str own = buf_str(&g->own), line, name;
    struct page_own *f = NULL;
    struct map names;

    map_init_borrowing(&names, g->push->seed);
    while (own.n && str_cut(&own, '\n', &line)) {
        struct str rest = line;

        if (str_starts(line, STR("# HELP ")) || str_starts(line, STR("# TYPE "))) {
            rest = (struct str){line.p + 7, line.n - 7};
            (void)str_cut(&rest, ' ', &name);
            if (!f || !str_eq(f->name, name)) {
                f = own_of(g, &names, name);
                f->text = (struct str){line.p, 0};
            }
        }
        if (f)
            f->text.n = (size_t)(line.p + line.n - f->text.p);
    }
    map_done(&names);
}

static int compare(struct str x, struct str y)
{
    size_t n = x.n < y.n ? x.n : y.n;
    int c = memcmp(x.p, y.p, n);

    return c ? c : (x.n > y.n) - (x.n < y.n);
}

static int by_name(const void *a, const void *b)
{
    return compare(((const struct page_own *)a)->name, ((const struct page_own *)b)->name);
}

/* The times of pushes are families of the operator's, whose lines are made when their turn comes. */
static void take_own(struct push_page *g, struct str own)
{
    buf_init(&g->own, own.n + TIMES_HEADS);
    buf_add_str(&g->own, own);
    if (own.n && own.p[own.n - 1] != '\n')
        buf_putc(&g->own, '\n');
    if (map_size(&g->push->groups))
        buf_printf(&g->own,
                   "# HELP %s When a push to this group last succeeded, Unix time.\n# TYPE %s gauge\n"
                   "# HELP %s When a push to this group last failed, Unix time.\n# TYPE %s gauge\n",
                   pushed_name, pushed_name, failed_name, failed_name);
    cut_own(g);
    if (g->n_owns)
        qsort(g->owns, g->n_owns, sizeof(*g->owns), by_name);
}

/* The type that the operator says; PUSH_TYPES: none. */
static enum text_type own_type(struct str own)
{
    struct str line;

    while (own.n && str_cut(&own, '\n', &line))
        for (int t = 0; str_starts(line, STR("# TYPE ")) && t < PUSH_TYPES; t++)
            if (str_ends(line, str_of(text_type_name((enum text_type)t))))
                return (enum text_type)t;
    return (enum text_type)PUSH_TYPES;
}

/* ---- what is pushed ---- */

/* That of all series; where namespaces do not agree, none. */
static enum text_type pushed_type(const struct push_family *f)
{
    for (int t = 0; t < PUSH_TYPES; t++)
        if (f->n_of[t] == f->n)
            return (enum text_type)t;
    return TEXT_UNTYPED;
}

static bool is_before(const struct page_family *a, const struct page_family *b)
{
    return compare(a->family->name, b->family->name) < 0;
}

/* Puts f where heap[at] is, or below. */
static void sift(struct push_page *g, size_t at, struct page_family f)
{
    for (size_t child; (child = 2 * at + 1) < g->n_heap; at = child) {
        if (child + 1 < g->n_heap && is_before(&g->heap[child + 1], &g->heap[child]))
            child++;
        if (!is_before(&g->heap[child], &f))
            break;
        g->heap[at] = g->heap[child];
    }
    g->heap[at] = f;
}

static struct page_family pop_family(struct push_page *g)
{
    struct page_family first = g->heap[0];

    g->n_heap--;
    if (g->n_heap)
        sift(g, 0, g->heap[g->n_heap]);
    return first;
}

/* Each family's lines begin where those of the one before end; a family's mark is where its next one goes. */
static void take_families(struct push_page *g)
{
    struct push *p = g->push;
    size_t at = 0;
    void *value;

    g->heap = mem_alloc(map_size(&p->families) * sizeof(*g->heap));
    for (size_t it = 0; map_next(&p->families, &it, NULL, &value);) {
        struct push_family *f = value;

        if (!f->n)
            continue; /* other pages alone show it */
        g->heap[g->n_heap++] = (struct page_family){f, (uint32_t)at, (uint32_t)f->n, pushed_type(f)};
        f->mark = at;
        at += f->n;
    }
    g->lines = mem_alloc(at * sizeof(*g->lines));
    for (size_t i = g->n_heap / 2; i-- > 0;)
        sift(g, i, g->heap[i]);
}

static void take_groups(struct push_page *g)
{
    struct push *p = g->push;
    void *value;

    g->groups = mem_alloc(map_size(&p->groups) * sizeof(*g->groups));
    for (size_t it = 0; map_next(&p->groups, &it, NULL, &value);) {
        struct push_group *group = value;

        push_group_show(group);
        g->groups[g->n_groups++] = (struct page_group){group, group->failed_ms};
        for (struct push_at at = {0}; push_next(group, &at);)
            g->lines[at.series->metric->family->mark++] = (struct page_line){at.series, at.set};
    }
    for (size_t it = 0; map_next(&p->families, &it, NULL, &value);)
        ((struct push_family *)value)->mark = 0;
}

struct push_page *push_page_new(struct push *p, struct str own)
{
    struct push_page *g = mem_zalloc(sizeof(*g));

    g->push = p;
    p->n_pages++;
    take_own(g, own);
    take_families(g);
    take_groups(g);
    return g;
}

void push_page_free(struct push_page *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_groups; i++)
        push_group_hide(g->push, g->groups[i].group);
    g->push->n_pages--;
    buf_done(&g->own);
    mem_free(g->owns);
    mem_free(g->heap);
    mem_free(g->groups);
    mem_free(g->lines);
    mem_free(g);
}

/* ---- writing ---- */

/* Of the helps that groups gave it, the last one's. */
static void put_head(const struct push_page *g, const struct page_family *f, struct buf *out)
{
    struct str help = g->lines[f->start + f->n - 1].series->metric->help;

    if (help.n) {
        buf_puts(out, "# HELP ");
        buf_add_str(out, f->family->name);
        buf_putc(out, ' ');
        text_put_escaped(out, help, false);
        buf_putc(out, '\n');
    }
    buf_puts(out, "# TYPE ");
    buf_add_str(out, f->family->name);
    buf_printf(out, " %s\n", text_type_name(f->type));
}

static void put_time(const struct push_page *g, const struct page_group *at, struct buf *out)
{
    int64_t ms = g->times == failed_name ? at->failed_ms : at->group->pushed_ms;
    char number[32];

    buf_printf(out, "%s{", g->times);
    buf_add_str(out, push_group_labels(at->group));
    buf_printf(out, "} %s\n", text_format_value((double)ms / 1000, number));
}

static void put_series(const struct page_line *l, struct buf *out)
{
    char number[32];

    buf_add_str(out, l->series->metric->name);
    buf_add_str(out, push_set_text(l->set));
    buf_putc(out, ' ');
    buf_puts(out, text_format_value(l->series->value, number));
    buf_putc(out, '\n');
}

/* The next line of the family that is being written. False: it has no more. */
static bool put_line(struct push_page *g, struct buf *out)
{
    const struct page_line *l;
    struct str line;

    if (g->text.n && str_cut(&g->text, '\n', &line)) {
        buf_add_str(out, line);
        buf_putc(out, '\n');
    } else if (g->times && g->at_group < g->n_groups) {
        put_time(g, &g->groups[g->at_group++], out);
    } else if (g->at_line < g->end_line) {
        l = &g->lines[g->at_line++];
        if (g->types >> l->series->metric->type & 1)
            put_series(l, out);
    } else {
        return false;
    }
    return true;
}

static void start_own(struct push_page *g, const struct page_own *f)
{
    g->text = f->text;
    g->at_group = 0;
    g->times = str_is(f->name, pushed_name) ? pushed_name : str_is(f->name, failed_name) ? failed_name : NULL;
}

/* The family of the next name, which both may have. False: there is none. */
static bool start_family(struct push_page *g, struct buf *out)
{
    const struct page_own *own = g->at_own < g->n_owns ? &g->owns[g->at_own] : NULL;
    struct page_family f;
    int c;

    if (!own && !g->n_heap)
        return false;
    c = !own ? 1 : !g->n_heap ? -1 : compare(own->name, g->heap[0].family->name);
    if (c <= 0) {
        start_own(g, own);
        g->at_own++;
    }
    if (c >= 0) {
        f = pop_family(g);
        g->at_line = f.start;
        g->end_line = f.start + f.n;
        /* Of another type than our own: no reader could make sense of both. */
        g->types = c == 0 ? 1u << own_type(own->text) : ~0u;
        if (c > 0)
            put_head(g, &f, out);
    }
    return true;
}

bool push_page_next(struct push_page *g, struct buf *out)
{
    size_t enough = out->len + PIECE;
    bool more = true;

    while (more && out->len < enough)
        more = put_line(g, out) || start_family(g, out);
    return more;
}

void push_write(struct push *p, struct str own, struct buf *out)
{
    struct push_page *g = push_page_new(p, own);

    while (push_page_next(g, out))
        ;
    push_page_free(g);
}
