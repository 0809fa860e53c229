/*
 * push_store: see push_store.h. A push is parsed into a group of its own first, checked against all others, and only
 * then put in place, so that a refused one changes nothing.
 *
 * Two groups have one series when they have its labels and its name. Labels differ between groups, nearly always: so it
 * is labels that the store finds, and names are compared where they are the same. What that costs is bounded by the
 * series that have them, and those by the page.
 */
#include "metrics/push_store.h"

#include "core/base/mem.h"

/* ---- what the store knows of its groups ---- */

static void note_set(struct push *p, struct push_set *s)
{
    s->next = map_put(&p->sets, push_set_text(s), s);
}

static void forget_set(struct push *p, struct push_set *s)
{
    struct push_set *o = map_get(&p->sets, push_set_text(s));

    if (o != s) {
        while (o->next != s)
            o = o->next;
        o->next = s->next;
    } else if (s->next) {
        (void)map_put(&p->sets, push_set_text(s->next), s->next);
    } else {
        (void)map_del(&p->sets, push_set_text(s));
    }
}

static void note_job(struct push *p, struct push_group *g)
{
    g->next = map_put(&p->jobs, g->job, g);
    if (g->next)
        g->next->prev = g;
}

static void forget_job(struct push *p, struct push_group *g)
{
    if (g->next)
        g->next->prev = g->prev;
    if (g->prev)
        g->prev->next = g->next;
    else if (g->next)
        (void)map_put(&p->jobs, g->next->job, g->next);
    else
        (void)map_del(&p->jobs, g->job);
}

/* Into the store; the group that had its place has been forgotten. */
static void note_group(struct push *p, struct push_group *g)
{
    for (uint32_t i = 0; i < g->n; i++) {
        const struct push_metric *m = g->series[i].metric;

        m->family->n_of[m->type]++;
        m->family->n++;
    }
    for (uint32_t i = 0; i < g->n_runs; i++)
        if (g->runs[i].set->first == i)
            note_set(p, g->runs[i].set);
    note_job(p, g);
    list_add_tail(&g->owner->groups, &g->link);
    g->owner->n_groups++;
    g->owner->bytes += g->bytes;
    p->bytes += g->bytes;
    (void)map_put(&p->groups, g->key, g);
}

static void forget_group(struct push *p, struct push_group *g)
{
    for (uint32_t i = 0; i < g->n; i++) {
        const struct push_metric *m = g->series[i].metric;

        m->family->n_of[m->type]--;
        m->family->n--;
    }
    for (uint32_t i = 0; i < g->n_runs; i++)
        if (g->runs[i].set->first == i)
            forget_set(p, g->runs[i].set);
    forget_job(p, g);
    list_del(&g->link);
    g->owner->n_groups--;
    g->owner->bytes -= g->bytes;
    p->bytes -= g->bytes;
}

/* ---- what may come in ---- */

static void mark_families(const struct push_group *g, size_t mark)
{
    for (uint32_t i = 0; i < g->n; i++)
        g->series[i].metric->family->mark = mark;
}

/* Its first series of a family whose mark is the family's type + 1 in a push, and that is of another type. */
static const struct push_metric *other_type(const struct push_group *g)
{
    for (uint32_t i = 0; i < g->n; i++) {
        const struct push_metric *m = g->series[i].metric;

        if (m->family->mark && m->family->mark != m->type + 1)
            return m;
    }
    return NULL;
}

/* Does another group of the owner than the one that is replaced hold a family as another type? Only those are looked at
 * that anybody has as another. */
static int check_types(const struct push_group *in, const struct push_group *old, struct error *e)
{
    const struct push_metric *other = NULL;
    struct str labels = STR_NONE;
    bool is_any = false;

    for (uint32_t i = 0; i < in->n; i++) {
        const struct push_metric *m = in->series[i].metric;

        m->family->mark = m->family->n_of[m->type] != m->family->n ? m->type + 1 : 0;
        is_any = is_any || m->family->mark;
    }
    if (!is_any)
        return 0;
    LIST_EACH (it, &in->owner->groups) {
        const struct push_group *g = LIST_ENTRY(it, struct push_group, link);

        if (g != old && (other = other_type(g))) {
            labels = push_group_labels(g);
            break;
        }
    }
    if (other)
        (void)error_set(e, ERR_CONFLICT, "%.*s is a %s in group {%.*s}, not a %s", push_cut(other->family->name, 60),
                        other->family->name.p, text_type_name(other->type), push_cut(labels, 120), labels.p,
                        text_type_name((enum text_type)(other->family->mark - 1)));
    mark_families(in, 0);
    return other ? ERR_CONFLICT : 0;
}

static const struct push_set *other_holder(const struct push_set *s, const struct push_group *old)
{
    while (s && s->group == old)
        s = s->next;
    return s;
}

/* Are there series of the same labels in other groups, and one with a name that is among ours? */
static int check_set(const struct push *p, const struct push_set *mine, const struct push_group *old, struct error *e)
{
    const struct push_set *other = other_holder(map_get(&p->sets, push_set_text(mine)), old);
    struct map names;
    int rc = 0;

    if (!other)
        return 0;
    map_init_borrowing(&names, p->seed);
    for (struct push_at at = push_set_start(mine); push_set_next(mine, &at);)
        (void)map_put(&names, at.series->metric->name, at.series->metric);
    for (; other && rc == 0; other = other_holder(other->next, old))
        for (struct push_at at = push_set_start(other); rc == 0 && push_set_next(other, &at);) {
            struct str name = at.series->metric->name, labels = push_group_labels(other->group);

            if (map_get(&names, name))
                rc = error_set(e, ERR_CONFLICT, "%.*s%.*s is in group {%.*s} already", push_cut(name, 60), name.p,
                               push_cut(push_set_text(other), 100), other->text, push_cut(labels, 60), labels.p);
        }
    map_done(&names);
    return rc;
}

/* instance="" given and left out are two groups, but they look the same: each would have the other's push times. */
static bool has_twin(const struct push *p, const struct push_group *in)
{
    AUTO_FREE char *key = mem_strndup(in->key.p, in->key.n);

    key[0] = key[0] == '+' ? '-' : '+';
    return map_get(&p->groups, (struct str){key, in->key.n}) != NULL;
}

/* Has a namespace with `mine` more than half of what the others leave, when all have `all`? Clients that nobody knows
 * have no share. */
static bool is_over_share(const struct push_owner *o, size_t mine, size_t all, size_t limit)
{
    return o->name.n && all + mine > limit;
}

static int check_group(const struct push *p, const struct push_owner *o, struct error *e)
{
    size_t all = map_size(&p->groups) + 1, limit = p->limits.groups;

    if (all > limit)
        return error_set(e, ERR_THROTTLED, "there are %zu groups already", limit);
    if (is_over_share(o, o->n_groups + 1, all, limit))
        return error_set(e, ERR_THROTTLED, "namespace %.*s has %zu groups already, half of the %zu that others leave",
                         push_cut(o->name, 63), o->name.p, o->n_groups, limit - (all - o->n_groups - 1));
    return 0;
}

/* The helps that go with a group, of all and of its owner: those of which it has every series. */
static void count_going(const struct push_group *g, size_t *all, size_t *mine)
{
    for (uint32_t i = 0; i < g->n; i++)
        g->series[i].metric->n--;
    for (uint32_t i = 0; i < g->n; i++) {
        struct push_metric *m = g->series[i].metric;

        if (m->n == 0 && m->owner == g->owner)
            *mine += m->help.n;
        if (m->n++ == 0)
            *all += m->help.n;
    }
}

/* Is there room for `now` in the place of `old`? */
static int check_room(const struct push *p, const struct push_group *now, const struct push_group *old, struct error *e)
{
    const struct push_owner *o = now->owner;
    size_t limit = p->room, all_gone = 0, my_gone = 0, all, mine;

    if (old) {
        count_going(old, &all_gone, &my_gone);
        all_gone += old->bytes;
        my_gone += old->bytes;
    }
    all = p->bytes + p->help_bytes + now->bytes - all_gone;
    mine = o->bytes + o->help_bytes + now->bytes - my_gone;
    if (old && mine <= p->before)
        return 0;
    if (all > limit)
        return error_set(e, ERR_TOOBIG, "all pushed series and their helps would be over %zu bytes", limit);
    if (is_over_share(o, mine, all, limit))
        return error_set(e, ERR_TOOBIG, "namespace %.*s would have %zu bytes, over half of the %zu that others leave",
                         push_cut(o->name, 63), o->name.p, mine, limit - (all - mine));
    return 0;
}

static int check(const struct push *p, const struct push_group *in, const struct push_group *old, struct error *e)
{
    struct str labels = push_group_labels(in);
    int rc;

    if (!old && has_twin(p, in))
        return error_set(e, ERR_CONFLICT, "there is a group {%.*s} already", push_cut(labels, 200), labels.p);
    if (!old && (rc = check_group(p, in->owner, e)) < 0)
        return rc;
    rc = check_types(in, old, e);
    for (uint32_t i = 0; i < in->n_runs && rc == 0; i++)
        if (in->runs[i].set->first == i)
            rc = check_set(p, in->runs[i].set, old, e);
    return rc;
}

/* ---- what goes in ---- */

static void add_series(struct push_draft *d, const struct push_at *at)
{
    at->series->metric->n++;
    push_draft_add(d, at->series->metric, push_set_text(at->set), at->series->value);
}

/* What `old` has, but of the families of `in` what that has. */
static struct push_group *merge(struct push *p, const struct push_group *old, const struct push_group *in)
{
    struct push_group *g;
    struct push_draft d;

    push_draft_init(&d, p, push_owner_ref(in->owner));
    mark_families(in, 1);
    for (struct push_at at = {0}; push_next(old, &at);)
        if (!at.series->metric->family->mark)
            add_series(&d, &at);
    mark_families(in, 0);
    for (struct push_at at = {0}; push_next(in, &at);)
        add_series(&d, &at);
    g = push_draft_end(&d, in->key);
    g->pushed_ms = in->pushed_ms;
    return g;
}

/* A series of one set, such as foo_count of a summary foo, may have the name of a family that was there before. */
static int check_names(const struct push *p, const struct push_set *s, struct error *e)
{
    struct map names;
    int rc = 0;

    map_init_borrowing(&names, p->seed);
    for (struct push_at at = push_set_start(s); rc == 0 && push_set_next(s, &at);) {
        struct str name = at.series->metric->name;

        if (map_put(&names, name, at.series->metric))
            rc = error_set(e, ERR_CONFLICT, "%.*s%.*s is in this group already", push_cut(name, 60), name.p,
                           push_cut(push_set_text(s), 100), s->text);
    }
    map_done(&names);
    return rc;
}

static int check_merged(const struct push *p, const struct push_group *g, struct error *e)
{
    int rc = 0;

    if (g->n > p->limits.series_per_group)
        return error_set(e, ERR_TOOBIG, "more than %zu series in one group", p->limits.series_per_group);
    for (uint32_t i = 0; i < g->n_runs && rc == 0; i++)
        if (g->runs[i].set->first == i)
            rc = check_names(p, g->runs[i].set, e);
    return rc;
}

int push_commit(struct push *p, struct push_group *in, bool replace, struct error *e)
{
    struct push_group *old = map_get(&p->groups, in->key), *now = in;
    int rc = check(p, in, old, e);

    if (rc < 0)
        return rc;
    if (old && !replace) {
        now = merge(p, old, in);
        rc = check_merged(p, now, e);
    }
    if (rc == 0)
        rc = check_room(p, now, old, e);
    if (now != in)
        push_group_free(p, rc < 0 ? now : in);
    if (rc < 0)
        return rc;
    if (old) {
        now->failed_ms = old->failed_ms;
        forget_group(p, old);
    }
    note_group(p, now);
    push_group_free(p, old);
    return 0;
}

struct push_group *push_keep_empty(struct push *p, struct push_group *in)
{
    if (!has_twin(p, in) && check_group(p, in->owner, NULL) == 0 && check_room(p, in, NULL, NULL) == 0) {
        note_group(p, in);
        return in;
    }
    push_group_free(p, in);
    return NULL;
}

void push_drop(struct push *p, struct push_group *g)
{
    forget_group(p, g);
    (void)map_del(&p->groups, g->key);
    push_group_free(p, g);
}
