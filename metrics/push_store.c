/*
 * push_store: see push_store.h. A push is parsed into a group of its own first, checked against all others, and only
 * then put in place, so that a refused one changes nothing.
 */
#include "metrics/push_store.h"

#include <stdlib.h>

#include "core/base/mem.h"

enum { ID_MAX = 16 * 1024 };

void push_family_free(struct push_family *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++)
        mem_free(f->series[i].id);
    mem_free(f->series);
    mem_free(f->name);
    mem_free(f->help);
    mem_free(f);
}

void push_group_free(struct push_group *g)
{
    void *value;

    if (!g)
        return;
    for (size_t it = 0; map_next(&g->families, &it, NULL, &value);)
        push_family_free(value);
    map_done(&g->families);
    for (size_t i = 0; i < g->n_labels; i++) {
        mem_free((char *)(uintptr_t)g->labels[i].name.p);
        mem_free((char *)(uintptr_t)g->labels[i].value.p);
    }
    mem_free(g->labels);
    mem_free(g->key);
    mem_free(g);
}

static int by_name(const void *a, const void *b)
{
    const struct text_label *x = a, *y = b;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int c = memcmp(x->name.p, y->name.p, n);

    return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static void put_label(struct buf *out, const struct text_label *l)
{
    if (out->len && out->data[out->len - 1] != '{')
        buf_putc(out, ',');
    buf_add_str(out, l->name);
    buf_puts(out, "=\"");
    text_put_escaped(out, l->value, true);
    buf_putc(out, '"');
}

struct push_group *push_group_new(const struct text_label *labels, size_t n)
{
    struct push_group *g = mem_zalloc(sizeof(*g));
    struct buf key;

    map_init(&g->families, 1);
    g->labels = mem_alloc((n + 1) * sizeof(*labels));
    g->n_labels = n;
    for (size_t i = 0; i < n; i++) {
        g->labels[i].name = (struct str){mem_strndup(labels[i].name.p, labels[i].name.n), labels[i].name.n};
        g->labels[i].value =
            (struct str){mem_strndup(labels[i].value.n ? labels[i].value.p : "", labels[i].value.n), labels[i].value.n};
    }
    qsort(g->labels, n, sizeof(*labels), by_name);
    buf_init(&key, ID_MAX);
    for (size_t i = 0; i < n; i++)
        put_label(&key, &g->labels[i]);
    g->key = buf_take(&key);
    return g;
}

static const struct text_label *find_label(const struct text_label *labels, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(labels[i].name, name))
            return &labels[i];
    return NULL;
}

/* In order, with instance="" when nobody gave one. At most 2 * TEXT_LABELS_MAX. */
void push_put_labels(struct buf *out, const struct text_label *labels, size_t n)
{
    struct text_label all[2 * TEXT_LABELS_MAX + 1];

    memcpy(all, labels, n * sizeof(all[0]));
    if (!find_label(all, n, STR("instance")))
        all[n++] = (struct text_label){STR("instance"), STR("")};
    qsort(all, n, sizeof(all[0]), by_name);
    for (size_t i = 0; i < n; i++)
        put_label(out, &all[i]);
}

/* le and quantile are numbers, whatever way a client writes them: "1.0" is the bound 1. */
static void put_bound(struct buf *out, const struct text_label *l)
{
    char text[64], number[32], *end;
    double v;

    if (!l->value.n || l->value.n >= sizeof(text)) {
        put_label(out, l);
        return;
    }
    memcpy(text, l->value.p, l->value.n);
    text[l->value.n] = 0;
    v = strtod(text, &end);
    put_label(out, *end ? l : &(struct text_label){l->name, str_of(text_format_value(v, number))});
}

/* The labels as they are printed: own ones, those of the group over them; le and quantile stand last. */
static char *series_id(const struct push_group *g, const struct text_sample *s)
{
    struct text_label all[2 * TEXT_LABELS_MAX];
    const struct text_label *last = NULL;
    size_t n = 0;
    struct buf out;

    for (size_t i = 0; i < s->n_labels; i++) {
        bool bound = (s->type == TEXT_HISTOGRAM && str_is(s->labels[i].name, "le")) ||
                     (s->type == TEXT_SUMMARY && str_is(s->labels[i].name, "quantile"));

        if (bound)
            last = &s->labels[i];
        else if (!find_label(g->labels, g->n_labels, s->labels[i].name))
            all[n++] = s->labels[i];
    }
    for (size_t i = 0; i < g->n_labels && i < TEXT_LABELS_MAX; i++)
        all[n++] = g->labels[i];
    buf_init(&out, ID_MAX);
    buf_add_str(&out, s->name);
    buf_putc(&out, '{');
    push_put_labels(&out, all, n);
    if (last)
        put_bound(&out, last);
    buf_putc(&out, '}');
    if (buf_error(&out) < 0) {
        buf_done(&out);
        return NULL;
    }
    return buf_take(&out);
}

struct parse {
    const struct push *p;
    struct push_group *g;
    struct map ids;
    size_t n;
};

static int on_sample(void *ctx, const struct text_sample *s, struct error *e)
{
    struct parse *x = ctx;
    struct push_family *f = map_get(&x->g->families, s->family);
    char *id;

    if (s->has_timestamp)
        return error_set(e, ERR_CONFLICT, "pushed metrics must not have timestamps");
    if (str_is(s->family, "push_time_seconds") || str_is(s->family, "push_failure_time_seconds"))
        return 0; /* set here, whatever was pushed */
    if (++x->n > x->p->limits.series_per_group)
        return error_set(e, ERR_TOOBIG, "more than %zu series in one group", x->p->limits.series_per_group);
    if (!f) {
        f = mem_zalloc(sizeof(*f));
        f->name = mem_strndup(s->family.p, s->family.n);
        f->help = mem_strndup(s->help.n ? s->help.p : "", s->help.n);
        f->type = s->type;
        (void)map_put(&x->g->families, s->family, f);
    }
    id = series_id(x->g, s);
    if (!id)
        return error_set(e, ERR_TOOBIG, "the labels of %.*s are too long", (int)(s->name.n > 60 ? 60 : s->name.n),
                         s->name.p);
    if (map_put(&x->ids, str_of(id), x->g)) {
        int rc = error_set(e, ERR_CONFLICT, "%.200s was given twice", id);

        mem_free(id);
        return rc;
    }
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 4;
        f->series = mem_realloc(f->series, f->cap * sizeof(*f->series));
    }
    f->series[f->n++] = (struct push_series){.id = id, .value = s->value};
    x->g->bytes += strlen(id) + 24;
    return 0;
}

struct push_group *push_parse(const struct push *p, const struct text_label *labels, size_t n, struct str body,
                              struct error *e)
{
    struct parse x = {.p = p, .g = push_group_new(labels, n)};
    int rc;

    map_init(&x.ids, 1);
    rc = text_parse(body, on_sample, &x, e);
    map_done(&x.ids);
    if (rc == 0)
        return x.g;
    push_group_free(x.g);
    return NULL;
}

/* ---- all series by name ---- */

static void note_family(struct push *p, struct push_group *g, const struct push_family *f)
{
    struct push_type *t = map_get(&p->types, str_of(f->name));

    if (!t) {
        t = mem_zalloc(sizeof(*t));
        t->type = f->type;
        (void)map_put(&p->types, str_of(f->name), t);
    }
    t->n++;
    for (size_t i = 0; i < f->n; i++)
        (void)map_put(&p->ids, str_of(f->series[i].id), g);
}

static void forget_family(struct push *p, const struct push_family *f)
{
    struct push_type *t = map_get(&p->types, str_of(f->name));

    if (t && --t->n == 0) {
        (void)map_del(&p->types, str_of(f->name));
        mem_free(t);
    }
    for (size_t i = 0; i < f->n; i++)
        (void)map_del(&p->ids, str_of(f->series[i].id));
}

static void note_group(struct push *p, struct push_group *g)
{
    void *value;

    for (size_t it = 0; map_next(&g->families, &it, NULL, &value);)
        note_family(p, g, value);
}

void push_forget_group(struct push *p, const struct push_group *g)
{
    void *value;

    for (size_t it = 0; map_next(&g->families, &it, NULL, &value);)
        forget_family(p, value);
}

/* ---- what may come in ---- */

static int other_type(const struct push *p, const struct push_group *old, const struct push_family *mine,
                      struct error *e)
{
    void *value;

    for (size_t it = 0; map_next(&p->groups, &it, NULL, &value);) {
        const struct push_group *g = value;
        const struct push_family *theirs = g == old ? NULL : map_get(&g->families, str_of(mine->name));

        if (theirs)
            return error_set(e, ERR_CONFLICT, "%s is a %s in group {%.200s}, not a %s", mine->name,
                             text_type_name(theirs->type), g->key, text_type_name(mine->type));
    }
    return error_set(e, ERR_CONFLICT, "%s has another type", mine->name);
}

/* Does another group than the one that is replaced hold the family as another type, or one of its series? */
static int check_family(const struct push *p, const struct push_group *old, const struct push_family *mine,
                        struct error *e)
{
    const struct push_type *t = map_get(&p->types, str_of(mine->name));
    bool only_old = old && t && t->n == 1 && map_get(&old->families, str_of(mine->name));

    if (t && t->type != mine->type && !only_old)
        return other_type(p, old, mine, e);
    for (size_t i = 0; i < mine->n; i++) {
        const struct push_group *other = map_get(&p->ids, str_of(mine->series[i].id));

        if (other && other != old)
            return error_set(e, ERR_CONFLICT, "%.200s is in group {%.200s} already", mine->series[i].id, other->key);
    }
    return 0;
}

static size_t family_bytes(const struct push_family *f)
{
    size_t n = 0;

    for (size_t i = 0; f && i < f->n; i++)
        n += strlen(f->series[i].id) + 24;
    return n;
}

static int check(const struct push *p, const struct push_group *in, const struct push_group *old, struct error *e)
{
    void *value;

    if (!old && map_size(&p->groups) >= p->limits.groups)
        return error_set(e, ERR_THROTTLED, "there are %zu groups already", p->limits.groups);
    if (p->bytes + in->bytes > p->limits.total_bytes)
        return error_set(e, ERR_TOOBIG, "all pushed series together would be over %zu bytes", p->limits.total_bytes);
    for (size_t it = 0; map_next(&in->families, &it, NULL, &value);) {
        int rc = check_family(p, old, value, e);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Moves the families of `in` over those of the same names in `g`. */
static void merge(struct push *p, struct push_group *g, struct push_group *in)
{
    struct str name;
    void *value;

    for (size_t it = 0; map_next(&in->families, &it, &name, &value);) {
        struct push_family *old = map_put(&g->families, name, value);

        if (old)
            forget_family(p, old);
        note_family(p, g, value);
        g->bytes += family_bytes(value) - family_bytes(old);
        p->bytes += family_bytes(value) - family_bytes(old);
        push_family_free(old);
        (void)map_del(&in->families, name);
    }
    push_group_free(in);
}

int push_commit(struct push *p, struct push_group *in, bool replace, struct error *e)
{
    struct push_group *old = map_get(&p->groups, str_of(in->key));
    int rc = check(p, in, old, e);

    if (rc < 0)
        return rc;
    if (old && !replace) {
        old->pushed_ms = in->pushed_ms;
        merge(p, old, in);
        return 0;
    }
    if (old) {
        p->bytes -= old->bytes;
        push_forget_group(p, old);
    }
    p->bytes += in->bytes;
    note_group(p, in);
    if (old)
        in->failed_ms = old->failed_ms;
    (void)map_put(&p->groups, str_of(in->key), in);
    push_group_free(old);
    return 0;
}
