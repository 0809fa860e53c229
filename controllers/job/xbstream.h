/*
 * xbstream: checks while it passes that a stream of mariadb-backup or xtrabackup is a complete backup. The end of the
 * bytes proves nothing (a killed donor ends them in order, datapath.md 2), the framing does: each file has its end
 * chunk, nothing is missing in a file, and the files that a backup writes last are there.
 *
 * Pure: bytes of any size come in, any cut of the input gives the same result. Memory: one entry a file name and the
 * texts of the small files at the stream's end.
 */
#ifndef STASHD_XBSTREAM_H
#define STASHD_XBSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

enum xbstream_flavour {
    XBSTREAM_MARIADB,    /* xtrabackup_info (from 11.1 on mariadb_backup_info) is the last file */
    XBSTREAM_PERCONA_57, /* xtrabackup 2.4: a set of files, in any order */
    XBSTREAM_PERCONA_80, /* xtrabackup 8.x: also xtrabackup_tablespaces; sparse chunks */
};

struct xbstream_options {
    enum xbstream_flavour flavour;
    bool galera;         /* MariaDB: the galera position must be among the files */
    bool transition_key; /* Percona: xtrabackup_keys must be among the files */
};

struct xbstream; /* opaque */

struct xbstream *xbstream_new(void);
void xbstream_free(struct xbstream *x);

/* Who takes what the files hold, as it passes. An answer below 0 ends the feed with that error. Sparse chunks are
 * refused then: what a reader has to make of them was only read, never seen (datapath-percona.md 4.1). */
struct xbstream_sink {
    int (*on_payload)(void *ctx, const char *path, uint64_t offset, struct str bytes, struct error *e);
    int (*on_file_end)(void *ctx, const char *path, uint64_t size, struct error *e); /* size 0: there was no payload */
    void *ctx;
};
/* Before the first feed. Its payload is passed on before the chunk's checksum is known. sink: borrowed. */
void xbstream_set_sink(struct xbstream *x, const struct xbstream_sink *sink);

/* 0, or ERR_INVALID (no xbstream, a broken or unsafe chunk) or ERR_TOOBIG; the text says what and where. After an error
 * each call returns it again. */
int xbstream_feed(struct xbstream *x, const void *bytes, size_t n, struct error *e) NODISCARD;

/* The input has ended. 0: the stream is well-formed and whole chunks end it; nothing is said about a backup. */
int xbstream_end(struct xbstream *x, struct error *e) NODISCARD;
/* The input has ended. 0: this is a complete backup. Else ERR_INVALID with the reason. */
int xbstream_complete(struct xbstream *x, const struct xbstream_options *o, struct error *e) NODISCARD;

uint64_t xbstream_bytes(const struct xbstream *x);
uint64_t xbstream_chunks(const struct xbstream *x);
uint64_t xbstream_files(const struct xbstream *x);

/* Text of one of the small files that describe a backup (see xbstream.c), by its name without a folder and without a
 * suffix of compression; STR_NONE when it has not come. Borrowed. Compressed ones are as they came. */
struct str xbstream_text(const struct xbstream *x, const char *name);
/* Path of the first chunk, as soon as it is known, and of the last file ended; "" before. */
const char *xbstream_first(const struct xbstream *x);
const char *xbstream_last(const struct xbstream *x);
/* Any file whose name ends so (".qp", ".zst", …) was seen; for ".ibd" and the like too. */
bool xbstream_saw_suffix(const struct xbstream *x, const char *suffix);

#endif
