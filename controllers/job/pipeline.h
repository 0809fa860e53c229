/*
 * pipeline: bytes into `restic backup --stdin`. Whoever has the bytes writes them here and decides at their end: commit
 * (restic sees the end and makes its snapshot) or abort (restic is ended first, so that it makes none). An end of
 * restic by itself is told at once, so that nobody waits for a reader that is gone.
 *
 * Life: a handle. pipeline_start once; free it after on_end.
 */
#ifndef STASHD_PIPELINE_H
#define STASHD_PIPELINE_H

#include "controllers/job/repo.h"

struct pipeline_progress {
    uint64_t bytes, bytes_per_second; /* over the last interval */
    int percent;                      /* of the last snapshot's size; -1: unknown */
};

struct pipeline {
    /* The caller's, set before the start. */
    struct repo *repo;
    const struct restic_command *command;
    uint64_t expected_bytes;   /* for the percentage; 0: unknown */
    uint32_t stall_limit_ms;   /* restic may take nothing for so long; then the pipeline aborts itself */
    uint32_t progress_every_ms; /* after some earlier ones; 0: never */
    void (*on_writable)(struct pipeline *p); /* go on writing */
    void (*on_progress)(struct pipeline *p, const struct pipeline_progress *now); /* may be NULL */
    /* It began to abort by itself (a stall): the source should stop. Not after pipeline_abort. */
    void (*on_abort)(struct pipeline *p);
    /* Last callback, once. rc 0: the snapshot of `summary` was made. Else e (ERR_CONFLICT: somebody else's lock was
     * in the way), and no snapshot was made, unless summary.snapshot_id is set: then it has to be forgotten. */
    void (*on_end)(struct pipeline *p, int rc, const struct error *e);
    void *data;

    /* Readable. */
    struct restic_summary summary;
    uint64_t bytes;   /* written so far */
    bool lock_stayed; /* restic was killed or interrupted: its lock may be there still */
    bool committed;   /* it was told of the end of its input */

    /* private */
    struct proc proc;
    struct timer kill, stall, tick;
    struct job_tail err;
    struct restic_line line;
    struct error why;
    uint64_t bytes_at_tick;
    uint32_t tick_ms;
    bool running, held, aborting, summary_seen;
};

int pipeline_start(struct pipeline *p, struct error *e) NODISCARD;
/* False: hold until on_writable. */
bool pipeline_write(struct pipeline *p, struct str bytes) NODISCARD;
/* All bytes were written and are known to be good. */
void pipeline_commit(struct pipeline *p);
/* The bytes are not good, or no longer wanted; why becomes the error of on_end. No-op when it is over or aborting. */
void pipeline_abort(struct pipeline *p, const struct error *why);

#endif
