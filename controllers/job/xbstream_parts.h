/*
 * xbstream_parts: private to xbstream.c and xbstream_verdict.c: the state of a check.
 */
#ifndef STASHD_XBSTREAM_PARTS_H
#define STASHD_XBSTREAM_PARTS_H

#include "controllers/job/xbstream.h"
#include "core/base/buf.h"
#include "core/base/map.h"

enum {
    PATH_MAX_BYTES = 4096, /* the tools' own limit is 512 */
    N_KEPT = 14,
    N_SUFFIXES = 4,
};

/* Names of the small files whose text is kept; suffixes of compression and encryption. */
extern const char *const xbstream_kept[N_KEPT];
extern const char *const xbstream_suffixes[N_SUFFIXES];

enum part { /* of a chunk; the next bytes belong to it */
    PART_FIX,
    PART_PATH,
    PART_PAIR_COUNT,
    PART_SIZES,
    PART_PAIRS,
    PART_PAYLOAD,
};

struct file {
    uint64_t next; /* offset that its next chunk must have */
    bool ended;
    int kept; /* place in kept[], or -1 */
};

struct xbstream {
    enum part part;
    size_t need; /* bytes of head that the part takes */
    struct buf head;
    uint64_t at, chunk_at; /* bytes so far; where the running chunk began */
    uint64_t chunks;
    char type;
    struct file *file;
    uint32_t pairs, crc, crc_want;
    uint64_t left, len_sum, skip_sum, payload, offset; /* of the running chunk */
    struct map files;
    const struct xbstream_sink *sink; /* NULL: nobody */
    uint64_t open_files;
    struct buf kept[N_KEPT];
    bool kept_ended[N_KEPT];
    bool suffix_seen[N_SUFFIXES];
    char path[PATH_MAX_BYTES + 1];
    char first[PATH_MAX_BYTES + 1], last[PATH_MAX_BYTES + 1];
    struct error failed; /* code 0: none */
};

/* Notes why the stream is refused, for good, and returns code. */
int xbstream_refuse(struct xbstream *x, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A path for a message: what a terminal would interpret becomes '?'. */
const char *xbstream_printable(struct str path, char out[128]);
/* The name without its folder and without suffixes of compression and encryption. */
struct str xbstream_base(const char *path);

#endif
