/*
 * repo: a restic repository as a worker uses it: one command after the other.
 */
#ifndef STASHD_REPO_H
#define STASHD_REPO_H

#include <signal.h>

#include "controllers/job/job.h"
#include "core/restic/restic.h"

struct repo {
    struct job *job;
    struct backend backend;
    int version; /* of restic */
    uint32_t timeout_ms; /* of each command; 0: none */
    bool is_hurried; /* we are being ended: there is no half hour for dead holders */
    int64_t retry_lock_s;
    const char *cluster; /* ours: tag of our snapshots; "" or NULL: not known; borrowed */
    /* Set after repo_init by who can tell; each may be NULL. While we wait for the lock of a host: */
    void (*on_wait)(void *ctx, const char *host);     /* once for each; may take its time */
    bool (*holder_gone)(void *ctx, const char *host); /* is it known to have ended? */
    void *wait_ctx;
    const char **envp; /* restic's whole environment */
    char *tmp_dir;     /* its TMPDIR */
};

/* Writes the backend's files, asks restic's version. key: the storage Secret. repo_done in either case. */
int repo_init(struct repo *r, struct job *j, const struct backend_params *p, backend_key *key, void *ctx,
              struct error *e) NODISCARD;
void repo_done(struct repo *r);

/* A signal that restic takes to remove its lock before it ends: versions before 0.17 know no TERM. */
#define REPO_STOP_SIGNAL SIGINT

/* Runs a command; its class in *ret. Retries what restic.md 8 allows (never a backup). The error is filled for each
 * class but RESTIC_OK; returns 0 when restic ran to its end. out (may be NULL): its stdout. */
int repo_run(struct repo *r, const struct restic_command *c, enum restic_class *ret, struct buf *out,
             struct error *e) NODISCARD;
/* As repo_run, and all but RESTIC_OK is an error. */
int repo_run_ok(struct repo *r, const struct restic_command *c, struct buf *out, struct error *e) NODISCARD;

/* Is there a repository? RESTIC_OK, RESTIC_ABSENT, or why it can't be told (then e). */
int repo_ask(struct repo *r, enum restic_class *ret, struct error *e) NODISCARD;
/* Makes sure that it exists: asks, and creates it when the backend says that there is none. */
int repo_ensure(struct repo *r, bool *ret_created, struct error *e) NODISCARD;

/* A lock that is renewed has a holder who works, and others' turn comes after it: a prune may take hours. */
enum { REPO_LOCK_WAIT_S = 21600 };

/*
 * Waits until no lock hinders us: for a backup exclusive ones, with all also shared ones (forget, prune). wait_s: for
 * holders that work; for a lock that nobody renews any more half an hour longer, until restic itself calls it stale and
 * removes it (not when is_hurried). With wait_s 0 one look. ERR_TIMEOUT names a holder.
 */
int repo_wait_unlocked(struct repo *r, bool all, uint64_t wait_s, struct error *e) NODISCARD;
/* Runs a command that others' locks may hinder; while they do, waits as repo_wait_unlocked does, and tries again. Any
 * other failure is ERR_INVALID. */
int repo_run_waiting(struct repo *r, const struct restic_command *c, bool all, uint64_t wait_s, struct buf *out,
                     struct error *e) NODISCARD;

/* Snapshots of a host and path (each NULL: any), oldest first. latest: only the newest of them. */
int repo_snapshots(struct repo *r, const char *host, const char *path, bool latest, struct restic_snapshots *out,
                   struct error *e) NODISCARD;
/* Which cluster made a snapshot: tag of its own, "stash.cluster=<id>" (docs/repositories.md). */
#define REPO_CLUSTER_TAG "stash.cluster"
/* Made by our cluster; without an identity of our own what has none either. */
bool repo_is_own(const struct repo *r, const struct restic_snapshot *s);

/* The newest snapshot of a host and path that carries the tag "<name>=<value>", into id; "": there is none. */
int repo_find_tagged(struct repo *r, const char *host, const char *path, const char *tag, const char *value,
                     char id[65], struct error *e) NODISCARD;
/* Size of the newest snapshot's file; 0: unknown. For percentages only: failures are no errors. */
uint64_t repo_last_size(struct repo *r, const char *host, const char *path);
/* Removes one snapshot (its data goes with the next prune); waits for others as repo_run_waiting does. */
int repo_forget_one(struct repo *r, const char *id, uint64_t wait_s, struct error *e) NODISCARD;
/* Removes the locks that restic calls stale: not renewed for 30 minutes, or of ended processes of this very host. */
void repo_unlock_stale(struct repo *r);
/* Removes the locks of this host, all of whose processes but ours have ended. others: gets the names of the hosts whose
 * locks are left, joined by ' ', as many as its cap allows. */
int repo_unlock_host(struct repo *r, const char *host, struct buf *others, struct error *e) NODISCARD;

#endif
