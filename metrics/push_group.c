/*
 * push_group: one group in memory. While it grows its parts are arrays of their own; at its end they become one block,
 * of exactly their size.
 */
#include "core/base/mem.h"
#include "metrics/push_store.h"

/* A value and what stands around it, and two push times without labels, in the bytes of the page that are counted. */
enum { VALUE_BYTES = 24, TIMES_BYTES = 84 };

void push_draft_init(struct push_draft *d, struct push *p, struct push_owner *owner)
{
    *d = (struct push_draft){.push = p, .owner = owner};
    map_init_borrowing(&d->sets, p->seed);
}

static struct push_set *set_of(struct push_draft *d, struct str labels)
{
    struct push_set *s = d->n_runs ? d->runs[d->n_runs - 1].set : NULL;

    if (s && str_eq(push_set_text(s), labels))
        return s;
    s = map_get(&d->sets, labels);
    if (s)
        return s;
    s = mem_alloc(sizeof(*s) + labels.n);
    *s = (struct push_set){.first = (uint32_t)d->n_runs, .last = (uint32_t)d->n_runs, .len = (uint32_t)labels.n};
    memcpy(s->text, labels.p, labels.n);
    (void)map_put(&d->sets, push_set_text(s), s);
    return s;
}

static void start_run(struct push_draft *d, struct push_set *s)
{
    if (d->n_runs == d->cap_runs) {
        d->cap_runs = d->cap_runs ? d->cap_runs * 2 : 4;
        d->runs = mem_realloc(d->runs, d->cap_runs * sizeof(*d->runs));
    }
    if (s->first != d->n_runs)
        d->runs[s->last].next = (uint32_t)d->n_runs;
    s->last = (uint32_t)d->n_runs;
    d->runs[d->n_runs++] = (struct push_run){.set = s};
}

void push_draft_add(struct push_draft *d, struct push_metric *metric, struct str labels, double value)
{
    struct push_set *s = set_of(d, labels);

    if (!d->n_runs || d->runs[d->n_runs - 1].set != s)
        start_run(d, s);
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 16;
        d->series = mem_realloc(d->series, d->cap * sizeof(*d->series));
    }
    d->series[d->n++] = (struct push_series){metric, value};
    d->runs[d->n_runs - 1].end = (uint32_t)d->n;
    d->bytes += metric->name.n + labels.n + VALUE_BYTES;
}

/* job="x" among the labels of a key: a value that looks like it stands in quotes. */
static struct str find_job(struct str labels)
{
    size_t start = 0;
    bool quoted = false;

    for (size_t i = 0; i < labels.n; i++) {
        if (labels.p[i] == '\\')
            i++;
        else if (labels.p[i] == '"')
            quoted = !quoted;
        else if (labels.p[i] == ',' && !quoted && str_starts((struct str){labels.p + start, i - start}, STR("job=")))
            return (struct str){labels.p + start, i - start};
        else if (labels.p[i] == ',' && !quoted)
            start = i + 1;
    }
    return (struct str){labels.p + start, labels.n - start}; /* the last one: each group has a job */
}

struct push_group *push_draft_end(struct push_draft *d, struct str key)
{
    size_t n_series = d->n * sizeof(*d->series), n_runs = d->n_runs * sizeof(*d->runs);
    struct push_group *g = mem_alloc(sizeof(*g) + n_series + n_runs + key.n);
    char *text;

    *g = (struct push_group){
        .owner = d->owner, .n = (uint32_t)d->n, .n_runs = (uint32_t)d->n_runs, .bytes = d->bytes};
    g->bytes += TIMES_BYTES + 2 * key.n;
    g->series = (void *)(g + 1);
    g->runs = (void *)(g->series + d->n);
    text = (char *)(g->runs + d->n_runs);
    if (n_series) {
        memcpy(g->series, d->series, n_series);
        memcpy(g->runs, d->runs, n_runs);
    }
    memcpy(text, key.p, key.n);
    g->key = (struct str){text, key.n};
    g->job = find_job(push_group_labels(g));
    for (size_t i = 0; i < d->n_runs; i++)
        g->runs[i].set->group = g;
    map_done(&d->sets);
    mem_free(d->series);
    mem_free(d->runs);
    return g;
}

static void free_blocks(struct push_group *g)
{
    for (uint32_t i = g->n_runs; i-- > 0;) /* a set's first run comes last */
        if (g->runs[i].set->first == i)
            mem_free(g->runs[i].set);
    mem_free(g);
}

void push_group_free(struct push *p, struct push_group *g)
{
    if (!g)
        return;
    for (uint32_t i = 0; i < g->n; i++) {
        if (g->n_pages)
            push_metric_leave(g->series[i].metric);
        push_metric_put(p, g->series[i].metric);
    }
    push_owner_put(p, g->owner);
    g->owner = NULL;
    if (!g->n_pages)
        free_blocks(g);
}

void push_group_show(struct push_group *g)
{
    g->n_pages++;
}

void push_group_hide(struct push *p, struct push_group *g)
{
    if (--g->n_pages || g->owner)
        return;
    for (uint32_t i = 0; i < g->n; i++)
        push_metric_left(p, g->series[i].metric);
    free_blocks(g);
}

bool push_next(const struct push_group *g, struct push_at *at)
{
    if (at->i == g->n)
        return false;
    if (at->i == g->runs[at->run].end)
        at->run++;
    at->series = &g->series[at->i++];
    at->set = g->runs[at->run].set;
    return true;
}

static struct push_at start_of(const struct push_set *s, uint32_t run)
{
    return (struct push_at){.set = s, .i = run ? s->group->runs[run - 1].end : 0, .run = run};
}

struct push_at push_set_start(const struct push_set *s)
{
    return start_of(s, s->first);
}

bool push_set_next(const struct push_set *s, struct push_at *at)
{
    const struct push_run *r = &s->group->runs[at->run];

    if (at->i == r->end) {
        if (!r->next)
            return false;
        *at = start_of(s, r->next);
    }
    at->series = &s->group->series[at->i++];
    return true;
}
