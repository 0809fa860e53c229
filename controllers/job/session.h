/*
 * session: what a backup program has to do with its BackupSession while it works: make or await the repository before
 * (worker.md 3.2), tell its progress meanwhile. The result itself is update-status's business.
 */
#ifndef STASHD_SESSION_H
#define STASHD_SESSION_H

#include "controllers/job/apiserver.h"
#include "controllers/job/pipeline.h"
#include "controllers/job/status_patch.h"

struct session {
    struct job *job;
    struct apiserver *api;
    const char *ns, *name;
    struct status_target target;
    uint64_t wait_s; /* for the repository, at most */
    uint32_t settle_ms; /* before a new one is believed (claim.c); 0: as long as somebody else may take to make it */

    /* Filled by session_prepare, freed by session_done. */
    char *invoker_kind, *invoker_name;
};

/* Initialises the repository if this target has to, else waits until the one that has to is done. */
int session_prepare(struct session *s, struct repo *repo, struct error *e) NODISCARD;
void session_done(struct session *s);

/* Into status.targets[].progress. Failures are only logged: a backup does not end for them. */
void session_progress(struct session *s, const struct pipeline_progress *now);

/* An event of the session (object) that it waits for the lock of a host; whose that is, as far as can be known. */
void session_tell_lock(struct apiserver *api, const json_t *object, const char *host);
/* As repo's on_wait; ctx: the session. */
void session_waits(void *ctx, const char *host);

/* True if the pod of that name in our namespace has ended. A name that is no pod here says nothing: it may be a pod of
 * another cluster, or somebody's workstation. */
bool session_pod_ended(struct apiserver *api, const char *host);
/* That, as repo's holder_gone; ctx: the session. */
bool session_holder_gone(void *ctx, const char *host);

#endif
