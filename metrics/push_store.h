/*
 * push_store: the groups behind the Pushgateway interface: what is kept, and what may come in.
 *
 * Thousands of groups say the same things of different objects. So names and helps are kept once in the store, labels
 * once for all series of a group that have them, and a series is two words. A group in the store does not change but
 * for the time of its last failed push: a push makes a new one, which takes the old one's place or is dropped.
 *
 * A group that a page shows outlives its place in the store. From then on it counts for no cap and nobody finds it, nor
 * its metrics; it goes with the last page.
 */
#ifndef STASHD_PUSH_STORE_H
#define STASHD_PUSH_STORE_H

#include "core/base/map.h"
#include "metrics/push.h"
#include "metrics/text.h"

enum { PUSH_TYPES = TEXT_SUMMARY + 1 };

/* A family's name. Its series have one type in each namespace. */
struct push_family {
    size_t n_metrics;         /* it lives as long as it has one */
    size_t n;                 /* series in the store */
    uint32_t n_of[PUSH_TYPES]; /* of each type */
    size_t mark;              /* what a call notes of it while it runs; else 0 */
    struct str name;
    char text[];
};

/* A namespace that pushes, and all clients that nobody knows: they have one of no name. */
struct push_owner {
    struct list groups; /* those in the store */
    size_t n_groups, bytes;
    size_t help_bytes; /* of the metrics that it said first, those of a push under way too */
    size_t n_refs;     /* groups and metrics, those of a push under way too: it goes with the last */
    struct str name;
    char text[];
};

/* What a series is besides its labels and its value, as a push said it. */
struct push_metric {
    struct push_family *family;
    struct push_owner *owner; /* who said it first; NULL: out of the store */
    size_t n; /* series that have it, those of a push under way too: with the last it is out of the store */
    size_t n_left; /* series that have it of groups that pages alone show */
    enum text_type type;
    struct str name, help; /* name: with _bucket, _sum, _count where it has one */
    struct str key;
    char text[];
};

/* The labels of some series of a group. */
struct push_set {
    struct push_group *group;
    struct push_set *next; /* the same labels in another group of the store */
    uint32_t first, last;  /* its runs; run to run by their `next` */
    uint32_t len;
    char text[]; /* {instance="",job="x"}: as it is printed */
};

struct push_series {
    struct push_metric *metric;
    double value;
};

/* Series one after the other with the same labels: a session's push is one run, one of a client library has many. */
struct push_run {
    struct push_set *set;
    uint32_t end;  /* the first series after it */
    uint32_t next; /* the next run of its set; 0: none */
};

/* One block of memory; each set is another. */
struct push_group {
    struct push_group *next, *prev; /* of the same job */
    struct list link;               /* of the same owner */
    struct push_owner *owner;       /* NULL: out of the store, pages alone show it */
    struct push_series *series; /* in the order in which they were pushed */
    struct push_run *runs;
    uint32_t n, n_runs, n_pages;  /* n_pages: that show it */
    size_t bytes;                 /* of its lines, push times too */
    int64_t pushed_ms, failed_ms; /* 0: never */
    struct str key; /* see push_group_labels */
    struct str job; /* job="x", as it stands in the key */
};

struct push {
    struct push_limits limits;
    uint64_t seed;
    struct map groups;   /* key to struct push_group */
    struct map families; /* name to struct push_family */
    struct map metrics;  /* key to struct push_metric */
    struct map sets;     /* text to the first struct push_set: none needs to look at all groups */
    struct map jobs;     /* job="x" to its first struct push_group */
    struct map owners;   /* name to struct push_owner */
    size_t bytes;
    size_t help_bytes;   /* of all metrics, those of a push under way too */
    size_t before;       /* while a push is under way: what its owner had before, with helps */
    size_t room;         /* idem: the most that all may have after it */
    uint64_t refused;
    size_t n_pages;      /* alive */
};

/* ---- push_metric.c ---- */

struct push_owner *push_owner_get(struct push *p, struct str name); /* counts one more reference */
struct push_owner *push_owner_ref(struct push_owner *o);
void push_owner_put(struct push *p, struct push_owner *o);

/* Counts one more series of it. */
struct push_metric *push_metric_get(struct push *p, struct push_owner *owner, struct str name, struct str family,
                                    struct str help, enum text_type type);
void push_metric_put(struct push *p, struct push_metric *m); /* one less */
/* One series that is about to leave the store goes on in pages; and it has gone from them, too. */
void push_metric_leave(struct push_metric *m);
void push_metric_left(struct push *p, struct push_metric *m);

/* ---- push_group.c ---- */

/* A group that grows: init, add, end. */
struct push_draft {
    struct push *push;
    struct push_owner *owner;
    struct push_series *series;
    struct push_run *runs;
    size_t n, cap, n_runs, cap_runs, bytes;
    struct map sets; /* text to struct push_set */
};

void push_draft_init(struct push_draft *d, struct push *p, struct push_owner *owner_take);
void push_draft_add(struct push_draft *d, struct push_metric *metric_take, struct str labels, double value);
struct push_group *push_draft_end(struct push_draft *d, struct str key);

void push_group_free(struct push *p, struct push_group *g); /* as soon as no page shows it */
void push_group_show(struct push_group *g);                 /* one page more, of a group in the store */
void push_group_hide(struct push *p, struct push_group *g); /* one less */

/* Its labels as they are printed, job="x",target="y" in order of their names, with instance="" when it has none. The
 * key has a byte more before them: whether instance was given. */
static inline struct str push_group_labels(const struct push_group *g)
{
    return (struct str){g->key.p + 1, g->key.n - 1};
}

/* How much of a text a message has, for "%.*s". */
static inline int push_cut(struct str s, size_t most)
{
    return (int)(s.n < most ? s.n : most);
}

static inline struct str push_set_text(const struct push_set *s)
{
    return (struct str){s->text, s->len};
}

/* All series of a group: for (struct push_at at = {0}; push_next(g, &at);) */
struct push_at {
    const struct push_series *series;
    const struct push_set *set;
    uint32_t i, run;
};

bool push_next(const struct push_group *g, struct push_at *at);

/* Those of one set: for (struct push_at at = push_set_start(s); push_set_next(s, &at);) */
struct push_at push_set_start(const struct push_set *s);
bool push_set_next(const struct push_set *s, struct push_at *at);

/* ---- push_parse.c ---- */

enum push_from {
    PUSH_CLIENT,   /* from outside: not everything can be pushed */
    PUSH_OPERATOR, /* from inside */
};

/* Parses a body into a group of these labels. ERR_INVALID, ERR_CONFLICT, ERR_TOOBIG (over series_per_group, labels too
 * long) with the reason. */
struct push_group *push_parse(struct push *p, enum push_from from, const struct text_label *labels, size_t n,
                              struct str body, struct error *e);
struct push_group *push_find(const struct push *p, const struct text_label *labels, size_t n); /* NULL: none */
struct push_group *push_of_job(const struct push *p, struct str job); /* the first; NULL: none */

/* ---- push_store.c ---- */

/* Puts what `in` holds into the store: replace: the whole group, else its families one by one. Takes `in` when it
 * succeeds. ERR_CONFLICT: it would make the page inconsistent; ERR_TOOBIG, ERR_THROTTLED: over a cap. Else nothing
 * changes. */
int push_commit(struct push *p, struct push_group *in_take, bool replace, struct error *e) NODISCARD;
/* A group without series, for the time of a failed push; NULL when there is no room for it. */
struct push_group *push_keep_empty(struct push *p, struct push_group *in_take);
void push_drop(struct push *p, struct push_group *g);

#endif
