/* parts: what the controllers of the model share. Each has a
 * queue of keys, hears changes and works on one key at a time. */
#ifndef STASHD_MODEL_PARTS_H
#define STASHD_MODEL_PARTS_H

#include "k8s/model/controllers.h"
#include "k8s/model/owners.h"
#include "k8s/model/workqueue.h"

struct model_controllers {
    struct model *m;
    struct owners owners;
    struct workqueue gc, namespaces, jobs, cronjobs, quotas;
    struct map job_records; /* job's UID to struct job_record (jobs_backoff.c) */
};

/* Mark what a change asks to be looked at. */
void gc_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now);
void namespaces_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now);
void jobs_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now);
void cronjobs_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now);
void quotas_changed(struct model_controllers *c, const struct resource *r, const json_t *old, const json_t *now);

/* Work on one key; ctx is the struct model_controllers. */
void gc_run(void *ctx, const char *key);
void namespaces_run(void *ctx, const char *key);
void jobs_run(void *ctx, const char *key);
void cronjobs_run(void *ctx, const char *key);
void quotas_run(void *ctx, const char *key);

void jobs_done(struct model_controllers *c);

/* A request as the controller manager. body_take and ret may be NULL. The HTTP status. */
int controllers_do(struct model_controllers *c, const char *method, const struct resource *r, const char *ns,
                   const char *name, const char *subresource, json_t *body_take, json_t **ret);
/* DELETE with the UID as precondition. 404 and a conflict of UIDs are as good as done. */
int controllers_delete(struct model_controllers *c, const struct resource *r, const struct stored *o,
                       const char *propagation);
/* An Event about an object. The same once more only counts; of a warning the reason makes it the same. */
void controllers_event(struct model_controllers *c, const json_t *about, const char *component, const char *type,
                       const char *reason, const char *message);

bool controllers_is(const struct resource *r, const char *group, const char *plural);
const struct resource *controllers_resource(struct model_controllers *c, const char *group, const char *plural);
bool controllers_has_finalizer(const json_t *object, const char *finalizer);
/* A copy of the object without the finalizer. */
json_t *controllers_without_finalizer(const json_t *object, const char *finalizer);
bool controllers_is_deleting(const json_t *object);
/* Milliseconds since 1970 of a RFC 3339 text; -1: none. */
int64_t controllers_time_ms(const char *text);

#endif
