/*
 * quota: ResourceQuotas: what a namespace's objects use, what a new one would add, and the refusal when that is too
 * much. Amounts are in thousandths.
 */
#ifndef STASHD_MODEL_QUOTA_H
#define STASHD_MODEL_QUOTA_H

#include "core/base/buf.h"
#include "k8s/model/request.h"

/* Of a new object that is ready to be stored: 0, or 403 in q. */
int quota_admit(struct request *q, const json_t *object);
/* What a quota's spec.hard names and its namespace uses now, by name; a new reference. */
json_t *quota_used(struct model *m, const json_t *quota);

/* ---- quota_measure.c ---- */
struct amount {
    int64_t milli;
    bool binary; /* written with Ki, Mi, … */
};

/* The kind whose objects that name of spec.hard measures; NULL: none that we know. */
const struct resource *quota_kind(const struct model *m, const char *name);
/* What one object of that kind adds. */
struct amount quota_measure(const char *name, const json_t *object);
/* Whether the quota's scopes take the object in. */
bool quota_takes(const json_t *quota, const struct resource *r, const json_t *object);
/* Requests and limits that a quota limits, each container must state: appends "cpu for: a,b; memory for: a". */
void quota_missing(const json_t *quota, const json_t *pod, struct buf *out);

bool amount_parse(const char *text, struct amount *ret);
struct amount amount_add(struct amount a, struct amount b);
const char *amount_format(struct amount a, char out[48]); /* "1500m", "2k", "1536Mi" */

#endif
