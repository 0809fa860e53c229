/* registry: see registry.h. A series is found by its label values joined with a byte that no UTF-8 text has. */
#include "metrics/registry.h"

#include <assert.h>
#include <string.h>

#include "core/base/list.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "metrics/text.h"

enum { SERIES_MAX = 10000, LABELS_MAX = 8, KEY_MAX = 4096 };

struct series {
    double value; /* counter, gauge; a histogram's sum */
    uint64_t count;
    uint64_t *buckets;
};

struct metric {
    struct list link;
    enum metric_type type;
    const char *name, *help;
    const char *const *labels;
    size_t n_labels;
    const double *bounds;
    size_t n_bounds;
    struct map series; /* joined label values to struct series */
};

struct registry {
    struct list metrics;
    void (*on_collect)(void *ctx);
    void *ctx;
};

struct registry *registry_new(void)
{
    struct registry *r = mem_zalloc(sizeof(*r));

    list_init(&r->metrics);
    return r;
}

static void series_free(struct series *s)
{
    if (!s)
        return;
    mem_free(s->buckets);
    mem_free(s);
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    for (struct list *l; (l = list_pop(&r->metrics));) {
        struct metric *m = LIST_ENTRY(l, struct metric, link);
        void *value;

        for (size_t it = 0; map_next(&m->series, &it, NULL, &value);)
            series_free(value);
        map_done(&m->series);
        mem_free(m);
    }
    mem_free(r);
}

struct metric *registry_add(struct registry *r, enum metric_type type, const char *name, const char *help,
                            const char *const *labels, const double *buckets, size_t n_buckets)
{
    struct metric *m = mem_zalloc(sizeof(*m));

    *m = (struct metric){.type = type,
                         .name = name,
                         .help = help,
                         .labels = labels,
                         .bounds = buckets,
                         .n_bounds = n_buckets};
    while (labels && labels[m->n_labels])
        m->n_labels++;
    assert(m->n_labels <= LABELS_MAX);
    map_init(&m->series, 1);
    list_add_tail(&r->metrics, &m->link);
    return m;
}

static void join(const struct metric *m, const char *const *values, struct buf *key)
{
    for (size_t i = 0; i < m->n_labels; i++) {
        if (i)
            buf_putc(key, '\xff');
        buf_puts(key, values[i] ? values[i] : "");
    }
}

/* The series of these values, made when it is new; NULL over the cap. */
static struct series *find(struct metric *m, const char *const *values)
{
    struct series *s;
    struct buf key;

    buf_init(&key, KEY_MAX);
    join(m, values, &key);
    s = map_get(&m->series, buf_str(&key));
    if (!s && map_size(&m->series) < SERIES_MAX && buf_error(&key) == 0) {
        s = mem_zalloc(sizeof(*s));
        if (m->type == METRIC_HISTOGRAM)
            s->buckets = mem_zalloc((m->n_bounds + 1) * sizeof(uint64_t));
        (void)map_put(&m->series, buf_str(&key), s);
    }
    buf_done(&key);
    return s;
}

void metric_add(struct metric *m, const char *const *values, double by)
{
    struct series *s = find(m, values);

    if (s)
        s->value += by;
}

void metric_set(struct metric *m, const char *const *values, double to)
{
    struct series *s = find(m, values);

    if (s)
        s->value = to;
}

void metric_observe(struct metric *m, const char *const *values, double value)
{
    struct series *s = find(m, values);
    size_t i = 0;

    assert(m->type == METRIC_HISTOGRAM);
    if (!s)
        return;
    while (i < m->n_bounds && value > m->bounds[i])
        i++;
    s->buckets[i]++;
    s->count++;
    s->value += value;
}

void metric_drop(struct metric *m, const char *const *values)
{
    struct buf key;

    buf_init(&key, KEY_MAX);
    join(m, values, &key);
    series_free(map_del(&m->series, buf_str(&key)));
    buf_done(&key);
}

void registry_on_collect(struct registry *r, void (*fn)(void *ctx), void *ctx)
{
    r->on_collect = fn;
    r->ctx = ctx;
}

/* name{labels,extra} value */
static void put_line(struct buf *out, const struct metric *m, const char *suffix, struct str key, const char *le,
                     double value)
{
    char number[32];
    struct str part;
    size_t i = 0;

    buf_printf(out, "%s%s", m->name, suffix);
    if (m->n_labels || le)
        buf_putc(out, '{');
    while (i < m->n_labels && str_cut(&key, '\xff', &part)) {
        buf_printf(out, "%s%s=\"", i ? "," : "", m->labels[i]);
        text_put_escaped(out, part, true);
        buf_putc(out, '"');
        i++;
    }
    if (le)
        buf_printf(out, "%sle=\"%s\"", i ? "," : "", le);
    if (m->n_labels || le)
        buf_putc(out, '}');
    buf_printf(out, " %s\n", text_format_value(value, number));
}

static void put_histogram(struct buf *out, const struct metric *m, struct str key, const struct series *s)
{
    uint64_t sum = 0;
    char le[32];

    for (size_t i = 0; i <= m->n_bounds; i++) {
        sum += s->buckets[i];
        put_line(out, m, "_bucket", key, i < m->n_bounds ? text_format_value(m->bounds[i], le) : "+Inf", (double)sum);
    }
    put_line(out, m, "_sum", key, NULL, s->value);
    put_line(out, m, "_count", key, NULL, (double)s->count);
}

void registry_write(struct registry *r, struct buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    if (r->on_collect)
        r->on_collect(r->ctx);
    LIST_EACH (l, &r->metrics) {
        const struct metric *m = LIST_ENTRY(l, struct metric, link);
        struct str key;
        void *value;

        if (!map_size(&m->series))
            continue;
        buf_printf(out, "# HELP %s ", m->name);
        text_put_escaped(out, str_of(m->help), false);
        buf_printf(out, "\n# TYPE %s %s\n", m->name, types[m->type]);
        for (size_t it = 0; map_next(&m->series, &it, &key, &value);) {
            if (m->type == METRIC_HISTOGRAM)
                put_histogram(out, m, key, value);
            else
                put_line(out, m, "", key, NULL, ((struct series *)value)->value);
        }
    }
}
