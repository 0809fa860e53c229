/*
 * xbstream: see xbstream.h. A stream is a row of chunks, numbers little-endian:
 *
 *     "XBSTCK01" flags:1 type:1 path-length:4 path
 *     P, S: [S: pairs:4] length:8 offset:8 crc:4 [S: pairs x (skip:4 len:4)] payload
 *
 * P is payload, S payload with holes (xtrabackup 8), E ends a file and has nothing after its path. The parser walks
 * through the parts of a chunk; parts of fixed size are collected in `head`, the payload only passes.
 */
#include "controllers/job/xbstream_parts.h"

#include <ctype.h>
#include <libdeflate.h>
#include <stdio.h>

#include "core/base/mem.h"

enum {
    FIX_SIZE = 14,         /* magic, flags, type, path length */
    SIZES_SIZE = 20,       /* length, offset, crc */
    PAYLOAD_MAX = 1 << 30, /* the tools write 10 MiB, one larger write makes one larger chunk */
    PAIRS_MAX = 1 << 20,   /* holes of one chunk */
    FILES_MAX = 4000000,   /* one a table and partition; each costs some 100 bytes here */
    TEXT_MAX = 64 * 1024,  /* of each small file that is kept; backup-my.cnf has 1 kB */
    CRC_STEP = 1 << 30,
};

#define MAGIC "XBSTCK01"

/* What is kept of the stream: described for the restore, or needed for the verdict. */
const char *const xbstream_kept[N_KEPT] = {
    "xtrabackup_info",        "xtrabackup_checkpoints", "xtrabackup_galera_info", "xtrabackup_binlog_info",
    "backup-my.cnf",          "donor_galera_info",      "sst_info",               "mariadb_backup_info",
    "mariadb_backup_checkpoints", "mariadb_backup_galera_info", "mariadb_backup_binlog_info",
    "xtrabackup_tablespaces", "xtrabackup_keys",        "xtrabackup_ist",
};
const char *const xbstream_suffixes[N_SUFFIXES] = {".qp", ".zst", ".lz4", ".xbcrypt"};

static uint32_t get32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static uint64_t get64(const char *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

struct xbstream *xbstream_new(void)
{
    struct xbstream *x = mem_zalloc(sizeof(*x));

    buf_init(&x->head, PATH_MAX_BYTES);
    map_init(&x->files, 0x9e3779b97f4a7c15u); /* names come from the donor, not from strangers */
    for (int i = 0; i < N_KEPT; i++)
        buf_init(&x->kept[i], TEXT_MAX);
    x->need = FIX_SIZE;
    return x;
}

void xbstream_set_sink(struct xbstream *x, const struct xbstream_sink *sink)
{
    x->sink = sink;
}

void xbstream_free(struct xbstream *x)
{
    struct str key;
    void *value;

    if (!x)
        return;
    for (size_t it = 0; map_next(&x->files, &it, &key, &value);)
        mem_free(value);
    map_done(&x->files);
    for (int i = 0; i < N_KEPT; i++)
        buf_done(&x->kept[i]);
    buf_done(&x->head);
    mem_free(x);
}

/* The path for a message: what a terminal would interpret becomes '?'. */
const char *xbstream_printable(struct str path, char out[128])
{
    size_t i = 0;

    for (; i < path.n && i < 127; i++)
        out[i] = isprint((unsigned char)path.p[i]) ? path.p[i] : '?';
    out[i] = 0;
    return out;
}

int xbstream_refuse(struct xbstream *x, enum err code, const char *fmt, ...)
{
    va_list ap;

    x->failed.code = code;
    va_start(ap, fmt);
    (void)vsnprintf(x->failed.msg, sizeof(x->failed.msg), fmt, ap);
    va_end(ap);
    return code;
}

/* The name without its folder and without xbstream_suffixes of compression and encryption. */
struct str xbstream_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct str s = str_of(slash ? slash + 1 : path);

    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < N_SUFFIXES; i++) {
            if (s.n > strlen(xbstream_suffixes[i]) && str_ends(s, str_of(xbstream_suffixes[i]))) {
                s.n -= strlen(xbstream_suffixes[i]);
                again = true;
            }
        }
    }
    return s;
}

static int kept_place(const char *path)
{
    struct str base = xbstream_base(path);

    if (strchr(path, '/'))
        return -1; /* the describing files lie at the top: a table may not play one */
    for (int i = 0; i < N_KEPT; i++)
        if (str_is(base, xbstream_kept[i]))
            return i;
    return -1;
}

static bool path_is_safe(struct str p)
{
    struct str rest = p, part;

    if (p.p[0] == '/' || memchr(p.p, 0, p.n))
        return false;
    while (str_cut(&rest, '/', &part))
        if (str_is(part, ".."))
            return false;
    return true;
}

static void next_chunk(struct xbstream *x)
{
    x->part = PART_FIX;
    x->need = FIX_SIZE;
    x->chunk_at = x->at;
}

static int fix_done(struct xbstream *x)
{
    const char *p = x->head.data;
    unsigned flags = (unsigned char)p[8];
    uint32_t n = get32(p + 10);

    x->type = p[9];
    /* Bit 0 of the flags lets a reader skip a chunk of a type it does not know; no tool writes such chunks, and what we
     * do not understand we do not call complete. */
    if (x->type != 'P' && x->type != 'E' && x->type != 'S')
        return xbstream_refuse(x, ERR_INVALID, "unknown chunk type 0x%02x at byte %llu", (unsigned char)x->type,
                               (unsigned long long)x->chunk_at);
    if (flags)
        return xbstream_refuse(x, ERR_INVALID, "unknown chunk flags 0x%02x at byte %llu", flags,
                               (unsigned long long)x->chunk_at);
    if (n == 0 || n > PATH_MAX_BYTES)
        return xbstream_refuse(x, ERR_INVALID, "path length %lu at byte %llu", (unsigned long)n,
                               (unsigned long long)x->chunk_at);
    x->part = PART_PATH;
    x->need = n;
    return 0;
}

static struct file *file_open(struct xbstream *x)
{
    struct file *f = map_get(&x->files, str_of(x->path));

    if (f)
        return f;
    f = mem_zalloc(sizeof(*f));
    f->kept = kept_place(x->path);
    for (int i = 0; i < N_SUFFIXES; i++)
        if (str_ends(str_of(x->path), str_of(xbstream_suffixes[i])))
            x->suffix_seen[i] = true;
    (void)map_put(&x->files, str_of(x->path), f);
    x->open_files++;
    return f;
}

static int file_end(struct xbstream *x)
{
    struct error e;

    if (x->sink && x->sink->on_file_end(x->sink->ctx, x->path, x->file->next, &e) < 0)
        return xbstream_refuse(x, e.code, "%s", e.msg);
    x->file->ended = true;
    x->open_files--;
    if (x->file->kept >= 0)
        x->kept_ended[x->file->kept] = true;
    memcpy(x->last, x->path, sizeof(x->last));
    x->chunks++;
    next_chunk(x);
    return 0;
}

static int path_done(struct xbstream *x)
{
    char name[128];

    memcpy(x->path, x->head.data, x->head.len);
    x->path[x->head.len] = 0;
    if (!path_is_safe(buf_str(&x->head)))
        return xbstream_refuse(x, ERR_INVALID,
                               "unsafe path '%s' at byte %llu", xbstream_printable(str_of(x->path), name),
                               (unsigned long long)x->chunk_at);
    if (!x->first[0])
        memcpy(x->first, x->path, sizeof(x->first));
    if (map_size(&x->files) >= FILES_MAX)
        return xbstream_refuse(x, ERR_TOOBIG, "more than %d files", FILES_MAX);
    x->file = file_open(x);
    if (x->file->ended)
        return xbstream_refuse(x, ERR_INVALID,
                               "a chunk of '%s' after its end, at byte %llu", xbstream_printable(str_of(x->path), name),
                               (unsigned long long)x->chunk_at);
    if (x->type == 'E')
        return file_end(x);
    if (x->type == 'S' && x->sink)
        return xbstream_refuse(x, ERR_INVALID, "a sparse chunk at byte %llu, which only xbstream unpacks",
                               (unsigned long long)x->chunk_at);
    x->pairs = 0;
    x->part = x->type == 'S' ? PART_PAIR_COUNT : PART_SIZES;
    x->need = x->type == 'S' ? 4 : SIZES_SIZE;
    return 0;
}

static int pair_count_done(struct xbstream *x)
{
    x->pairs = get32(x->head.data);
    if (x->pairs > PAIRS_MAX)
        return xbstream_refuse(x, ERR_INVALID, "%lu holes in one chunk at byte %llu", (unsigned long)x->pairs,
                               (unsigned long long)x->chunk_at);
    x->part = PART_SIZES;
    x->need = SIZES_SIZE;
    return 0;
}

static int payload_done(struct xbstream *x)
{
    char name[128];

    /* What the checksum of a sparse chunk covers was only read, never seen (datapath-percona.md 4.1): its framing is
     * judged alone. */
    if (x->type == 'P' && x->crc != x->crc_want)
        return xbstream_refuse(x, ERR_INVALID,
                               "wrong checksum in '%s', chunk at byte %llu", xbstream_printable(str_of(x->path), name),
                               (unsigned long long)x->chunk_at);
    x->file->next += x->payload + x->skip_sum;
    x->chunks++;
    next_chunk(x);
    return 0;
}

static int payload_begin(struct xbstream *x)
{
    x->part = PART_PAYLOAD;
    x->left = x->payload;
    x->crc = 0;
    return x->left ? 0 : payload_done(x);
}

static int sizes_done(struct xbstream *x)
{
    char name[128];

    x->payload = get64(x->head.data);
    x->offset = get64(x->head.data + 8);
    x->crc_want = get32(x->head.data + 16);
    x->len_sum = x->skip_sum = 0;
    if (x->payload > PAYLOAD_MAX)
        return xbstream_refuse(x, ERR_INVALID, "payload of %llu bytes at byte %llu", (unsigned long long)x->payload,
                               (unsigned long long)x->chunk_at);
    if (x->offset != x->file->next)
        return xbstream_refuse(x, ERR_INVALID,
                               "a gap in '%s': offset %llu, expected %llu", xbstream_printable(str_of(x->path), name),
                               (unsigned long long)x->offset, (unsigned long long)x->file->next);
    if (x->type == 'S' && x->pairs) {
        x->part = PART_PAIRS;
        x->need = 8;
        return 0;
    }
    return payload_begin(x);
}

static int pair_done(struct xbstream *x)
{
    char name[128];

    x->skip_sum += get32(x->head.data);
    x->len_sum += get32(x->head.data + 4);
    if (--x->pairs)
        return 0; /* need stays 8 */
    if (x->len_sum != x->payload)
        return xbstream_refuse(x, ERR_INVALID, "the map of a sparse chunk of '%s' has %llu bytes, its payload %llu",
                               xbstream_printable(str_of(x->path), name), (unsigned long long)x->len_sum,
                               (unsigned long long)x->payload);
    return payload_begin(x);
}

static int head_done(struct xbstream *x)
{
    switch (x->part) {
    case PART_FIX:
        return fix_done(x);
    case PART_PATH:
        return path_done(x);
    case PART_PAIR_COUNT:
        return pair_count_done(x);
    case PART_SIZES:
        return sizes_done(x);
    case PART_PAIRS:
        return pair_done(x);
    case PART_PAYLOAD:
        break;
    }
    return xbstream_refuse(x, ERR_BUG, "no such part");
}

static size_t feed_payload(struct xbstream *x, const char *p, size_t n, int *rc)
{
    size_t take = n < x->left ? n : (size_t)x->left;
    struct error e;

    if (take > CRC_STEP)
        take = CRC_STEP;
    if (x->sink && x->sink->on_payload(x->sink->ctx, x->path, x->offset + x->payload - x->left,
                                       (struct str){p, take}, &e) < 0) {
        *rc = xbstream_refuse(x, e.code, "%s", e.msg);
        return take;
    }
    x->crc = libdeflate_crc32(x->crc, p, take);
    if (x->file->kept >= 0)
        buf_add(&x->kept[x->file->kept], p, take);
    x->at += take;
    x->left -= take;
    *rc = x->left ? 0 : payload_done(x);
    return take;
}

static size_t feed_head(struct xbstream *x, const char *p, size_t n, int *rc)
{
    size_t missing = x->need - x->head.len, take = n < missing ? n : missing;

    *rc = 0;
    buf_add(&x->head, p, take);
    x->at += take;
    /* Each byte of the magic is judged when it comes, so that what is no xbstream is refused early and alike. */
    if (x->part == PART_FIX && memcmp(x->head.data, MAGIC, x->head.len < 8 ? x->head.len : 8) != 0) {
        *rc = xbstream_refuse(x, ERR_INVALID, "no xbstream chunk at byte %llu", (unsigned long long)x->chunk_at);
    } else if (x->head.len == x->need) {
        *rc = head_done(x);
        buf_clear(&x->head);
    }
    return take;
}

int xbstream_feed(struct xbstream *x, const void *bytes, size_t n, struct error *e)
{
    const char *p = bytes;
    int rc = x->failed.code;

    for (size_t used = 0; rc == 0 && n > 0; p += used, n -= used)
        used = x->part == PART_PAYLOAD ? feed_payload(x, p, n, &rc) : feed_head(x, p, n, &rc);
    return rc ? error_set(e, rc, "%s", x->failed.msg) : 0;
}
