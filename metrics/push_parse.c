/*
 * push_parse: from a body and the labels of its path to a group. What clients write in many ways becomes one text, so
 * that two are the same when their texts are.
 */
#include <stdlib.h>

#include "core/base/mem.h"
#include "metrics/push_store.h"

enum { ID_MAX = 16 * 1024, OPERATOR_TIMES = 3 };

/* ---- labels ---- */

static int by_name(const void *a, const void *b)
{
    const struct text_label *x = a, *y = b;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int c = memcmp(x->name.p, y->name.p, n);

    return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static void put_label(struct buf *out, const struct text_label *l)
{
    buf_add_str(out, l->name);
    buf_puts(out, "=\"");
    text_put_escaped(out, l->value, true);
    buf_putc(out, '"');
}

static const struct text_label *find_label(const struct text_label *labels, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(labels[i].name, name))
            return &labels[i];
    return NULL;
}

/* In order, with instance="" when nobody gave one. At most 2 * TEXT_LABELS_MAX. */
static void put_labels(struct buf *out, const struct text_label *labels, size_t n)
{
    struct text_label all[2 * TEXT_LABELS_MAX + 1];

    memcpy(all, labels, n * sizeof(all[0]));
    if (!find_label(all, n, STR("instance")))
        all[n++] = (struct text_label){STR("instance"), STR("")};
    qsort(all, n, sizeof(all[0]), by_name);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(out, ',');
        put_label(out, &all[i]);
    }
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

/* ---- groups by their labels ---- */

static int put_key(struct buf *out, const struct text_label *labels, size_t n)
{
    buf_putc(out, find_label(labels, n, STR("instance")) ? '+' : '-');
    put_labels(out, labels, n);
    return buf_error(out);
}

struct push_group *push_find(const struct push *p, const struct text_label *labels, size_t n)
{
    struct push_group *g = NULL;
    struct buf key;

    buf_init(&key, ID_MAX);
    if (put_key(&key, labels, n) == 0)
        g = map_get(&p->groups, buf_str(&key));
    buf_done(&key);
    return g;
}

struct push_group *push_of_job(const struct push *p, struct str job)
{
    const struct text_label label = {STR("job"), job};
    struct push_group *g = NULL;
    struct buf text;

    buf_init(&text, ID_MAX);
    put_label(&text, &label);
    if (buf_error(&text) == 0)
        g = map_get(&p->jobs, buf_str(&text));
    buf_done(&text);
    return g;
}

/* ---- bodies ---- */

struct parse {
    struct push *push;
    enum push_from from;
    struct push_draft draft;
    const struct text_label *labels;
    size_t n_labels;
    struct map firsts; /* name of a family to its first struct push_metric, whose type and help count for all */
    struct map ids;    /* name{labels} to anything */
    struct buf id;
};

/* name{labels}: own ones, those of the group over them; le and quantile stand last. */
static int put_id(struct buf *out, const struct parse *x, const struct text_sample *s)
{
    struct text_label all[2 * TEXT_LABELS_MAX];
    const struct text_label *last = NULL;
    size_t n = 0;

    for (size_t i = 0; i < s->n_labels; i++) {
        bool bound = (s->type == TEXT_HISTOGRAM && str_is(s->labels[i].name, "le")) ||
                     (s->type == TEXT_SUMMARY && str_is(s->labels[i].name, "quantile"));

        if (bound)
            last = &s->labels[i];
        else if (!find_label(x->labels, x->n_labels, s->labels[i].name))
            all[n++] = s->labels[i];
    }
    for (size_t i = 0; i < x->n_labels && i < TEXT_LABELS_MAX; i++)
        all[n++] = x->labels[i];
    buf_clear(out);
    buf_add_str(out, s->name);
    buf_putc(out, '{');
    put_labels(out, all, n);
    if (last) {
        buf_putc(out, ',');
        put_bound(out, last);
    }
    buf_putc(out, '}');
    return buf_error(out);
}

static void keep_sample(struct parse *x, const struct text_sample *s)
{
    const struct push_metric *first = map_get(&x->firsts, s->family);
    struct push_metric *m = push_metric_get(x->push, x->draft.owner, s->name, s->family, first ? first->help : s->help,
                                            first ? first->type : s->type);

    if (!first)
        (void)map_put(&x->firsts, m->family->name, m);
    push_draft_add(&x->draft, m, (struct str){x->id.data + s->name.n, x->id.len - s->name.n}, s->value);
}

static bool starts_as(struct str name, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (str_starts(name, str_of(*prefixes)))
            return true;
    return false;
}

/* What the operator tells, or makes alerts of, is not for everybody to say. */
static int check_client(const struct parse *x, const struct text_sample *s, struct error *e)
{
    static const char *const of_hosts[] = {"stash_appscode_com_backupsession_host_",
                                           "stash_appscode_com_restoresession_host_", "stash_backup_host_",
                                           "stash_restore_host_", NULL};
    static const char *const of_repositories[] = {"stash_appscode_com_repository_", "stash_repository_", NULL};
    const struct text_label *own = find_label(x->labels, x->n_labels, STR(PUSH_NAMESPACE));
    const struct text_label *said = find_label(s->labels, s->n_labels, STR("namespace"));
    bool is_host = starts_as(s->family, of_hosts);

    if (!str_starts(s->family, STR("stash_")))
        return 0;
    if (!is_host && !starts_as(s->family, of_repositories))
        return error_set(e, ERR_CONFLICT, "%.*s is told by the operator itself: it cannot be pushed",
                         push_cut(s->family, 100), s->family.p);
    if (s->type != TEXT_GAUGE)
        return error_set(e, ERR_CONFLICT, "%.*s is a gauge, not a %s", push_cut(s->family, 100), s->family.p,
                         text_type_name(s->type));
    if (is_host && own && said && !str_eq(own->value, said->value)) /* a Repository may be another namespace's */
        return error_set(e, ERR_CONFLICT, "%.*s of namespace \"%.*s\" is not told by " PUSH_NAMESPACE " \"%.*s\"",
                         push_cut(s->family, 100), s->family.p, push_cut(said->value, 63), said->value.p,
                         push_cut(own->value, 63), own->value.p);
    return 0;
}

static int on_sample(void *ctx, const struct text_sample *s, struct error *e)
{
    struct parse *x = ctx;
    size_t most = x->push->limits.series_per_group;
    int rc = x->from == PUSH_CLIENT ? check_client(x, s, e) : 0;

    if (rc < 0)
        return rc;
    if (s->has_timestamp)
        return error_set(e, ERR_CONFLICT, "pushed metrics must not have timestamps");
    if (str_is(s->family, "push_time_seconds") || str_is(s->family, "push_failure_time_seconds"))
        return 0; /* set here, whatever was pushed */
    if (x->draft.n == most)
        return error_set(e, ERR_TOOBIG, "more than %zu series in one group", most);
    if (put_id(&x->id, x, s) < 0)
        return error_set(e, ERR_TOOBIG, "the labels of %.*s are too long", push_cut(s->name, 60),
                         s->name.p);
    if (map_put(&x->ids, buf_str(&x->id), x))
        return error_set(e, ERR_CONFLICT, "%.200s was given twice", x->id.data);
    keep_sample(x, s);
    return 0;
}

static struct push_group *parse_body(struct parse *x, struct str key, struct str body, struct error *e)
{
    const struct text_label *ns = find_label(x->labels, x->n_labels, STR(PUSH_NAMESPACE));
    struct push_owner *owner = push_owner_get(x->push, ns ? ns->value : STR_NONE);
    struct push_group *g;
    int rc;

    x->push->before = owner->bytes + owner->help_bytes;
    x->push->room = x->push->limits.total_bytes * (x->from == PUSH_OPERATOR ? OPERATOR_TIMES : 1);
    push_draft_init(&x->draft, x->push, owner);
    map_init_borrowing(&x->firsts, x->push->seed);
    map_init(&x->ids, x->push->seed);
    buf_init(&x->id, ID_MAX);
    rc = text_parse(body, on_sample, x, e);
    map_done(&x->firsts);
    map_done(&x->ids);
    buf_done(&x->id);
    g = push_draft_end(&x->draft, key);
    if (rc == 0)
        return g;
    push_group_free(x->push, g);
    return NULL;
}

struct push_group *push_parse(struct push *p, enum push_from from, const struct text_label *labels, size_t n,
                              struct str body, struct error *e)
{
    struct parse x = {.push = p, .from = from, .labels = labels, .n_labels = n};
    struct push_group *g = NULL;
    struct buf key;

    buf_init(&key, ID_MAX);
    if (put_key(&key, labels, n) < 0)
        (void)error_set(e, ERR_TOOBIG, "the labels of the group are too long");
    else
        g = parse_body(&x, buf_str(&key), body, e);
    buf_done(&key);
    return g;
}
