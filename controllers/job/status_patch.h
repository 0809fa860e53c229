/*
 * status_patch: a host's result into the status of a session, as a merge patch: lists are replaced whole there, so each
 * patch is made from the object as just read. Pure.
 */
#ifndef STASHD_STATUS_PATCH_H
#define STASHD_STATUS_PATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct status_target {
    const char *kind, *name, *ns; /* ns "": the session's */
};

/* The reference of the target in an invoker: spec.target.ref or one of spec.members (backup and restore); NULL when it
 * is not there. An invoker whose target has no name (only claim templates) fits any. */
const json_t *status_patch_find_ref(const json_t *invoker, const struct status_target *t);
/* The target's entry in status.targets of a session (or status.members of a batch); NULL when there is none. */
json_t *status_patch_find_entry(const json_t *entries, const struct status_target *t, const char *default_ns);

/*
 * Patches, one reference. ref: as in the invoker; reported: targetStatus of output.json; conditions: of the session, to
 * be merged by type (NULL: none).
 */
json_t *status_patch_backup(const json_t *session, const struct status_target *t, const json_t *ref,
                            const json_t *reported, const json_t *conditions);
/* kind of the object decides: RestoreSession has one target, RestoreBatch members. */
json_t *status_patch_restore(const json_t *session, const struct status_target *t, const json_t *ref,
                             const json_t *reported);

/* Have all hosts but the reported ones, and all other targets, ended? n_targets: in the invoker. */
bool status_patch_others_done(const json_t *session, const struct status_target *t, const json_t *reported,
                              size_t n_targets);
/* How many targets an invoker has. */
size_t status_patch_n_targets(const json_t *invoker);
/* Names of all hosts of a session and of the report, each once. One reference. */
json_t *status_patch_hosts(const json_t *session, const json_t *reported);

/* Numbers of a repository after the post-backup actions; < 0: not known. */
struct status_repository {
    int integrity; /* 1 good, 0 damaged, -1 not known */
    int64_t snapshots, removed, size_bytes;
    bool may_prune; /* the policy wants the data of removed snapshots freed: the operator has that done by a Job */
};
json_t *status_patch_repository(const json_t *repository, const json_t *session, const struct status_repository *r,
                                int64_t now_s);

#endif
