/*
 * manifest: what a backup's file is, in the file itself: the last MANIFEST_BYTES of it. Pure.
 *
 * Why in the file and not beside it: restic makes one snapshot of one standard input, and what the manifest says is
 * known only at its end. A second snapshot could be missing, be kept by retention without the first, or come between
 * two others; a tag that is set afterwards needs an exclusive lock and gives the snapshot a new id. The end of the file
 * is there exactly when the file is: no kill can part them.
 *
 * A stream's manifest is a file of the xbstream (MANIFEST_FILE): mbstream and xbstream extract it as any other. A
 * dump's is a comment, followed by the line that ends a whole dump; clients pass over both. That a file must have one
 * says the snapshot's tag MANIFEST_TAG, which restic stores at once: files without are of an older version.
 */
#ifndef STASHD_MANIFEST_H
#define STASHD_MANIFEST_H

#include <stdbool.h>

#include "core/base/buf.h"

#define MANIFEST_FILE "stash_manifest.json"
#define MANIFEST_TAG "stash.manifest"

enum { MANIFEST_BYTES = 4096 };

struct manifest {
    bool is_dump;
    char server[64];    /* version */
    char donor[128];    /* "": none was asked */
    char requested[80]; /* Galera's position when the transfer was asked for; "" */
    char position[80];  /* as the stream has it: newer than its data (datapath.md 4.1); "" */
    char binlog[128];   /* file, offset and GTID as the stream has them; "" */
    char tools[256];    /* who made it, with versions */
    uint64_t bytes;     /* before the manifest; sha256 is of these */
    char sha256[65];
    uint64_t files, chunks; /* of a stream */
    uint64_t tables, rows;  /* of a dump */
    int64_t began_s;        /* Unix time */
    uint64_t seconds;
};

/* Appends exactly MANIFEST_BYTES. */
void manifest_format(const struct manifest *m, struct buf *out);

/* A hash over bytes as they pass. manifest_hash_done once; then free. */
struct manifest_hash; /* opaque */
struct manifest_hash *manifest_hash_new(void);
void manifest_hash_feed(struct manifest_hash *h, struct str bytes);
void manifest_hash_hex(struct manifest_hash *h, char out[65]); /* ends it */
void manifest_hash_free(struct manifest_hash *h);

/*
 * Reads a file as it passes. on_body gets all bytes before the manifest, in order (an answer below 0 ends the reading
 * with that error). What could be the manifest is held back until the end.
 */
struct manifest_reader; /* opaque */
typedef int manifest_body(void *ctx, struct str bytes, struct error *e);
struct manifest_reader *manifest_reader_new(bool is_dump, manifest_body *on_body, void *ctx);
void manifest_reader_free(struct manifest_reader *r);
int manifest_feed(struct manifest_reader *r, struct str bytes, struct error *e) NODISCARD;
/*
 * The file has ended. 0: *ret_found and *out are filled, or there is none and none is required: then the last bytes
 * went to on_body too. ERR_INVALID: it is required and not there, is damaged, or what it says of the bytes before it is
 * not so.
 */
int manifest_end(struct manifest_reader *r, bool required, bool *ret_found, struct manifest *out,
                 struct error *e) NODISCARD;

#endif
