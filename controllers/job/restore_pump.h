/*
 * restore_pump: a snapshot's file out of restic, checked as it passes, into a program's standard input, or without one
 * when the stream has a sink. A program sees the end of its input only when restic ended well, the bytes are those that
 * the file's manifest tells of and, for a stream of a physical backup, the stream is complete; after any failure both
 * are ended before that.
 */
#ifndef STASHD_RESTORE_PUMP_H
#define STASHD_RESTORE_PUMP_H

#include "controllers/job/repo.h"
#include "controllers/job/restore_check.h"

struct restore_pump {
    /* The caller's, set before the run. */
    struct repo *repo;
    const char *snapshot, *file; /* id, and the file's name in it */
    const char *const *argv, *const *envp; /* the program; NULL: none, the check's sink takes the bytes */
    const char *program;         /* its name in errors */
    struct xbstream *check;      /* NULL: a dump, which has no framing */
    const struct xbstream_options *options;
    uint32_t progress_every_ms;
    uint64_t expected_bytes; /* of the snapshot, for the log; 0: not known */

    bool manifest_required;  /* the snapshot's tag says that there is one */

    uint64_t bytes; /* passed so far; readable */
};

int restore_pump_run(struct restore_pump *p, struct error *e) NODISCARD;

#endif
