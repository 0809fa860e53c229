/* push_store: the groups behind the Pushgateway interface: what is kept, and what may come in. */
#ifndef STASHD_PUSH_STORE_H
#define STASHD_PUSH_STORE_H

#include "core/base/map.h"
#include "metrics/push.h"
#include "metrics/text.h"

struct push_series {
    char *id;    /* name{labels}, labels in order: what is printed before the value */
    double value;
};

struct push_family {
    char *name, *help;
    enum text_type type;
    struct push_series *series;
    size_t n, cap;
};

struct push_group {
    char *key;                   /* job="x",target="y": labels in order, as they are printed */
    struct text_label *labels;   /* in order of their names; texts are own copies */
    size_t n_labels;
    struct map families;         /* name to struct push_family */
    size_t bytes;                /* of its lines */
    int64_t pushed_ms, failed_ms; /* 0: never */
};

/* A family as all groups have it. */
struct push_type {
    enum text_type type;
    size_t n; /* groups */
};

struct push {
    struct push_limits limits;
    struct map groups; /* key to struct push_group */
    struct map types;  /* name of a family to struct push_type */
    struct map ids;    /* of a series to its group: a push is checked in the time that it has itself */
    size_t bytes;
    uint64_t refused;
};

struct push_group *push_group_new(const struct text_label *labels, size_t n);
void push_group_free(struct push_group *g);
void push_family_free(struct push_family *f);
void push_put_labels(struct buf *out, const struct text_label *labels, size_t n);

/* Before a group is freed that was in the store. */
void push_forget_group(struct push *p, const struct push_group *g);

/* Parses a body into a group of these labels. ERR_INVALID, ERR_TOOBIG (over series_per_group) with the reason. */
struct push_group *push_parse(const struct push *p, const struct text_label *labels, size_t n, struct str body,
                              struct error *e);

/* Puts what `in` holds into the store: replace: the whole group, else its families one by one. Takes `in` when it
 * succeeds. ERR_CONFLICT: it would make the page inconsistent; ERR_TOOBIG, ERR_THROTTLED: over a cap. Else nothing
 * changes. */
int push_commit(struct push *p, struct push_group *in_take, bool replace, struct error *e);

#endif
