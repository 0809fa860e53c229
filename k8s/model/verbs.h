/* verbs: what request_run calls, one function a verb. Each returns the HTTP status; see request.h. */
#ifndef STASHD_MODEL_VERBS_H
#define STASHD_MODEL_VERBS_H

#include "k8s/model/request.h"
#include "k8s/model/selector.h"

int read_get(struct request *q);
int read_list(struct request *q);
/* 504: a state that is not there yet. */
int read_too_new(struct request *q, uint64_t rv);
/* The query's selectors; 0, or the status of the refusal. Both are the caller's to free. */
int read_selectors(struct request *q, struct selector **labels, struct selector **fields);
/* "" or the namespace as store functions want it: NULL for all. */
const char *read_ns(const struct request *q);

int write_create(struct request *q);
int write_update(struct request *q);
int write_patch(struct request *q);

int delete_one(struct request *q);
int delete_collection(struct request *q);
/* Removes the object, or marks it as going when finalizers or the kubelet still hold it; uid and rv preconditions are
 * checked by the caller. The answer is left in q. options may be NULL. */
int delete_object(struct request *q, struct stored *o, const json_t *options);
/* True when an object with a deletionTimestamp has nothing that holds it any more. */
bool delete_is_due(const struct resource *r, const json_t *object);

/* Takes the exchange over. */
int watch_start(struct request *q);
void watch_event(struct model *m, const struct store_event *e);
/* Ends the watches of a table whose kind changes or goes. */
void watch_end_table(struct table *t);
void watch_end_all(struct model *m);

/* Everything that is no resource: /api, /apis, /version, /openapi, /healthz … */
int discovery_serve(struct request *q);

/* As a Table, with columns of the kind: takes the answer or list of q and replaces it. include: "None", "Metadata",
 * "Object". */
json_t *table_of(const struct resource *r, struct stored *const *items, size_t n, const char *include, bool headers,
                 int64_t now_s);

int modellog_serve(struct request *q); /* pods/<name>/log */

#endif
