/* tablekinds: the columns of built-in kinds, as kubectl get shows them. */
#ifndef STASHD_MODEL_TABLEKINDS_H
#define STASHD_MODEL_TABLEKINDS_H

#include "core/base/buf.h"
#include "k8s/model/resource.h"

struct table_column {
    const char *name;
    const char *path;   /* a text, number or boolean of the object */
    const char *absent; /* what stands for nothing; NULL: "" */
    bool is_age;        /* the path is a time */
    int wide;           /* 1: only with -o wide */
    void (*cell)(const json_t *object, int64_t now_s, struct buf *out); /* for what is no plain path */
};

struct table_kind {
    const char *plural;
    const struct table_column *columns;
    size_t n_columns;
};

/* Never NULL: kinds without a row have Name and Age. */
const struct table_kind *table_kind_of(const struct resource *r);

const char *table_age(int64_t seconds, char out[32]);
const char *table_age_of(const json_t *object, const char *path, int64_t now_s, char out[32]);

#endif
