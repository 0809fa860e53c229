/*
 * target: what an invoker backs up or restores: its reference, the names its data has in the repository (hosts,
 * worker.md 1.1), and which rule of a restore fits a host. Pure; all results borrow from the documents or live in the
 * arena.
 */
#ifndef STASHD_TARGET_H
#define STASHD_TARGET_H

#include <jansson.h>
#include <stdbool.h>

#include "controllers/controller.h"
#include "controllers/problems.h"
#include "core/base/arena.h"

#define APP_GROUP "appcatalog.appscode.com"

enum direction { DIRECTION_BACKUP, DIRECTION_RESTORE };

/* All that a Job is made from. Documents are whole and borrowed. */
struct job_input {
    enum direction direction;
    const struct operator_settings *settings;
    const json_t *invoker;     /* BackupConfiguration, RestoreSession */
    const json_t *unit;        /* task, target, runtimeSettings, …: the invoker's spec (of a batch: the member) */
    const json_t *session;     /* the BackupSession; of a restore NULL */
    const json_t *repository;  /* NULL: none (no such object, or a driver without) */
    const json_t *app;         /* the AppBinding; NULL: another kind, or not there */
    int ordinal;               /* of the claims' Jobs; -1: one Job without ordinals */
    int64_t index;             /* of the target in its invoker */
};

/* A TargetRef with its namespace filled in; without target the triple na, EmptyTarget, na (api.md 13.4). */
struct target_ref {
    const char *api_version, *kind, *name, *ns; /* never NULL */
};

#define TARGET_EMPTY "EmptyTarget"

void target_ref_of(const json_t *target, const char *own_ns, struct target_ref *ret);
bool target_ref_equal(const struct target_ref *r, const json_t *ref);
json_t *target_ref_json(const struct target_ref *r); /* one reference */
bool target_is_app(const struct target_ref *r);      /* an AppBinding, whatever its version */
/* A reference whose apiVersion has no such kind: copied manifests put AppBindings into apps/v1. */
void target_check_group(const json_t *ref, struct problems *out);
bool target_is_workload(const struct target_ref *r);
/* For a workload, of that kind: only a Task can read it. */
void target_check_task(const json_t *spec, const char *kind, struct problems *out);
/* The driver, and the Repository that ours needs. */
void target_check_driver(const json_t *spec, struct problems *out);
/* "pods" for Pod and so on, where ours to know; "" else. */
const char *target_resource(const struct target_ref *r);

/* Restores into claims of its own: their number of Jobs; 1 without templates. */
bool target_has_templates(const json_t *target);
int64_t target_replicas(const json_t *target);

/* Never empty. ordinal -1: none. */
const char *target_host(struct arena *a, enum direction d, const json_t *target, int ordinal);

/* What a restore reads; lists may be NULL. */
struct target_rule {
    const char *source_host;
    const json_t *paths, *snapshots, *include, *exclude;
};
/* spec.target.rules, or the older spec.rules when those are empty. */
const json_t *target_rules(const json_t *unit);
/* The rule that names the host, else the last without targetHosts, else the host's own latest. */
void target_match_rule(const json_t *rules, const char *host, struct target_rule *ret);
/* The checks of api.md 5.3. */
int target_check_rules(const json_t *unit, struct error *e) NODISCARD;

#endif
