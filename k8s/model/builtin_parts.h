/* builtin_parts: what the builtin*.c files share: pods, names, and one row a kind. */
#ifndef STASHD_MODEL_BUILTIN_PARTS_H
#define STASHD_MODEL_BUILTIN_PARTS_H

#include "k8s/model/builtin.h"
#include "k8s/model/cause.h"

/* One check of one object. */
struct check {
    const json_t *object, *old; /* old NULL: new */
    json_t *causes;
};

typedef void builtin_default_fn(json_t *object, const json_t *old);
typedef void builtin_check_fn(const struct check *c, const struct place *root);

/* ---- builtin_default.c: by kind; NULL: nothing to fill in ---- */
builtin_default_fn *builtin_default_of(const struct resource *r);
/* Sets what is absent; the value is consumed. */
void builtin_set(json_t *object, const char *key, json_t *value_take);
void builtin_set_text(json_t *object, const char *key, const char *value);
/* The member object, made when it is absent; NULL when it is something else. */
json_t *builtin_object(json_t *parent, const char *key);

/* ---- builtin_pod.c ---- */
void builtin_pod_default(json_t *pod, const json_t *old);
void builtin_pod_spec_default(json_t *spec);

/* ---- builtin_pod_check.c ---- */
void builtin_pod_check(const struct check *c, const struct place *root);
void builtin_pod_spec_check(const json_t *spec, const struct place *at, json_t *causes);

/* ---- builtin_check.c ---- */
builtin_check_fn *builtin_check_of(const struct resource *r);
bool builtin_same(const json_t *a, const json_t *b); /* absent, null, {} and [] are the same */
void builtin_check_template(const json_t *template, const struct place *at, json_t *causes);
/* Adds "Required value" when the text is absent or empty; true: it is there. */
bool builtin_check_required(const json_t *object, const char *key, const struct place *at, json_t *causes);
void builtin_check_enum(const json_t *object, const char *key, const char *const *values, const struct place *at,
                        json_t *causes);
/* Absent is fine. */
void builtin_check_at_least(const json_t *object, const char *key, int64_t min, const struct place *at, json_t *causes);
/* Adds "field is immutable" when the member differs. */
void builtin_check_unchanged(const struct check *c, const json_t *now, const json_t *old, const char *key,
                             const struct place *at);
void builtin_check_label_name(const json_t *value, const struct place *at, json_t *causes); /* a DNS label */

/* ---- builtin_job_check.c ---- */
void builtin_job_spec_check(const json_t *spec, const struct place *at, json_t *causes);

/* ---- builtin_job_check.c, builtin_work_check.c, builtin_core_check.c ---- */
builtin_check_fn builtin_check_job;
builtin_check_fn builtin_check_cronjob;
builtin_check_fn builtin_check_workload;
builtin_check_fn builtin_check_statefulset;
builtin_check_fn builtin_check_claim;
builtin_check_fn builtin_check_storage_class;
builtin_check_fn builtin_check_secret;
builtin_check_fn builtin_check_config_map;
builtin_check_fn builtin_check_role;
builtin_check_fn builtin_check_binding;
builtin_check_fn builtin_check_service;
builtin_check_fn builtin_check_lease;
builtin_check_fn builtin_check_event;
builtin_check_fn builtin_check_quota;

#endif
