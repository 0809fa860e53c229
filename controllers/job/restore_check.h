/*
 * restore_check: is what comes out of a snapshot what was backed up? It passes here on its way to the program that
 * takes it: the framing and tail of a stream, and what its manifest says of bytes, SHA-256, files and chunks, or of a
 * dump's tables and rows.
 */
#ifndef STASHD_RESTORE_CHECK_H
#define STASHD_RESTORE_CHECK_H

#include "controllers/job/dump_scan.h"
#include "controllers/job/manifest.h"
#include "controllers/job/xbstream.h"

struct restore_check {
    /* The caller's, set before the init. */
    struct xbstream *stream; /* NULL: a dump, which has no framing */
    const struct xbstream_options *options;
    bool manifest_required; /* the snapshot's tag says that there is one */

    /* Readable after restore_check_end. */
    bool manifest_found; /* else the file is of an older version: nothing was compared */
    struct manifest manifest;

    /* private */
    struct manifest_reader *reader;
    struct dump_scan scan;
};

void restore_check_init(struct restore_check *c);
void restore_check_done(struct restore_check *c);
/* 0, or ERR_INVALID, ERR_TOOBIG: "the snapshot's stream: …". */
int restore_check_feed(struct restore_check *c, struct str bytes, struct error *e) NODISCARD;
/* All bytes have come, restic says. 0: they are those that were backed up. */
int restore_check_end(struct restore_check *c, struct error *e) NODISCARD;

#endif
