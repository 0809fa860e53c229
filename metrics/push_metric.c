/*
 * push_metric: what many groups have in common: owners, and names, types and helps of series, each once in the store.
 * The latter are found by all that they say, so they never change: a push that says something else of a name has one of
 * its own until it is refused or stays.
 */
#include "core/base/mem.h"
#include "metrics/push_store.h"

struct push_owner *push_owner_get(struct push *p, struct str name)
{
    struct push_owner *o = map_get(&p->owners, name);

    if (!o) {
        o = mem_zalloc(sizeof(*o) + name.n);
        list_init(&o->groups);
        if (name.n)
            memcpy(o->text, name.p, name.n);
        o->name = (struct str){o->text, name.n};
        (void)map_put(&p->owners, o->name, o);
    }
    return push_owner_ref(o);
}

struct push_owner *push_owner_ref(struct push_owner *o)
{
    o->n_refs++;
    return o;
}

void push_owner_put(struct push *p, struct push_owner *o)
{
    if (--o->n_refs)
        return;
    (void)map_del(&p->owners, o->name);
    mem_free(o);
}

static struct push_family *family_get(struct push *p, struct str name)
{
    struct push_family *f = map_get(&p->families, name);

    if (!f) {
        f = mem_zalloc(sizeof(*f) + name.n);
        memcpy(f->text, name.p, name.n);
        f->name = (struct str){f->text, name.n};
        (void)map_put(&p->families, f->name, f);
    }
    f->n_metrics++;
    return f;
}

static void family_put(struct push *p, struct push_family *f)
{
    if (--f->n_metrics)
        return;
    (void)map_del(&p->families, f->name);
    mem_free(f);
}

/* "0 name family help": names have no blanks. */
static struct push_metric *metric_new(struct push *p, struct push_owner *owner, struct str key, struct str name,
                                      struct str family, struct str help, enum text_type type)
{
    struct push_metric *m = mem_zalloc(sizeof(*m) + key.n);

    memcpy(m->text, key.p, key.n);
    m->key = (struct str){m->text, key.n};
    m->name = (struct str){m->text + 2, name.n};
    m->help = (struct str){m->text + key.n - help.n, help.n};
    m->type = type;
    m->family = family_get(p, family);
    m->owner = push_owner_ref(owner);
    m->owner->help_bytes += help.n;
    (void)map_put(&p->metrics, m->key, m);
    p->help_bytes += help.n;
    return m;
}

struct push_metric *push_metric_get(struct push *p, struct push_owner *owner, struct str name, struct str family,
                                    struct str help, enum text_type type)
{
    struct push_metric *m;
    struct buf key;

    buf_init(&key, SIZE_MAX / 2); /* the reader of the format has capped all of it */
    buf_putc(&key, (char)('0' + type));
    buf_putc(&key, ' ');
    buf_add_str(&key, name);
    buf_putc(&key, ' ');
    buf_add_str(&key, family);
    buf_putc(&key, ' ');
    buf_add_str(&key, help);
    m = map_get(&p->metrics, buf_str(&key));
    if (!m)
        m = metric_new(p, owner, buf_str(&key), name, family, help, type);
    m->n++;
    buf_done(&key);
    return m;
}

static void metric_free(struct push *p, struct push_metric *m)
{
    family_put(p, m->family);
    mem_free(m);
}

void push_metric_put(struct push *p, struct push_metric *m)
{
    if (--m->n)
        return;
    (void)map_del(&p->metrics, m->key);
    p->help_bytes -= m->help.n;
    m->owner->help_bytes -= m->help.n;
    push_owner_put(p, m->owner);
    m->owner = NULL;
    if (!m->n_left)
        metric_free(p, m);
}

void push_metric_leave(struct push_metric *m)
{
    m->n_left++;
}

void push_metric_left(struct push *p, struct push_metric *m)
{
    if (--m->n_left == 0 && m->n == 0)
        metric_free(p, m);
}
