/*
 * manifest: see manifest.h. The record has one length, so that its beginning is known from the end of the file; blanks
 * fill it up. In a stream it is one payload chunk and one end chunk, in a dump two lines of comment.
 */
#include "controllers/job/manifest.h"

#include <libdeflate.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"

#define DUMP_HEAD "\n-- stash-manifest " /* then the crc of all that follows it, a blank, the text */
#define DUMP_TAIL "\n-- Dump completed, its manifest is above\n"

enum {
    VERSION = 1,
    FILE_LEN = sizeof(MANIFEST_FILE) - 1,
    CHUNK_HEAD = 14 + FILE_LEN,   /* magic, flags, type, length of the path, path */
    PAYLOAD_AT = CHUNK_HEAD + 20, /* its length, offset, crc */
    PAYLOAD = MANIFEST_BYTES - PAYLOAD_AT - CHUNK_HEAD,
    DUMP_TEXT_AT = sizeof(DUMP_HEAD) - 1 + 8 + 1,
    DUMP_TEXT = MANIFEST_BYTES - DUMP_TEXT_AT - (sizeof(DUMP_TAIL) - 1),
};

/* ---- the text ---- */

static json_t *text_of(const char *s)
{
    AUTO_FREE char *copy = mem_strdup(s);

    str_mend_utf8(copy);
    return json_string(copy);
}

static void set_text(json_t *o, const char *key, const char *value)
{
    if (*value)
        json_object_set_new(o, key, text_of(value));
}

static void set_number(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

static char *to_json(const struct manifest *m)
{
    json_t *o = json_object();
    char *text;

    set_number(o, "version", VERSION);
    set_number(o, "bytes", m->bytes);
    set_text(o, "sha256", m->sha256);
    if (m->is_dump) {
        set_number(o, "tables", m->tables);
        set_number(o, "rows", m->rows);
    } else {
        set_number(o, "files", m->files);
        set_number(o, "chunks", m->chunks);
    }
    set_text(o, "server", m->server);
    set_text(o, "donor", m->donor);
    set_text(o, "requested", m->requested);
    set_text(o, "position", m->position);
    set_text(o, "binlog", m->binlog);
    set_text(o, "tools", m->tools);
    set_number(o, "began", (uint64_t)m->began_s);
    set_number(o, "seconds", m->seconds);
    text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
    json_decref(o);
    return text;
}

static void get_text(const json_t *o, const char *key, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", json_text(o, key));
}

static uint64_t get_number(const json_t *o, const char *key)
{
    int64_t n = json_int(o, key, 0);

    return n > 0 ? (uint64_t)n : 0;
}

static int from_json(struct str text, struct manifest *m, struct error *e)
{
    json_t *o = json_loadb(text.p, text.n, 0, NULL);
    int64_t version = json_int(o, "version", 0);

    if (version != VERSION) {
        json_decref(o);
        return error_set(e, ERR_INVALID, version > VERSION ? "its manifest is of a newer version: use a newer program"
                                                           : "its manifest can't be read");
    }
    m->bytes = get_number(o, "bytes");
    m->files = get_number(o, "files");
    m->chunks = get_number(o, "chunks");
    m->tables = get_number(o, "tables");
    m->rows = get_number(o, "rows");
    m->seconds = get_number(o, "seconds");
    m->began_s = json_int(o, "began", 0);
    get_text(o, "sha256", m->sha256, sizeof(m->sha256));
    get_text(o, "server", m->server, sizeof(m->server));
    get_text(o, "donor", m->donor, sizeof(m->donor));
    get_text(o, "requested", m->requested, sizeof(m->requested));
    get_text(o, "position", m->position, sizeof(m->position));
    get_text(o, "binlog", m->binlog, sizeof(m->binlog));
    get_text(o, "tools", m->tools, sizeof(m->tools));
    json_decref(o);
    return 0;
}

/* ---- the record ---- */

static void put_number(struct buf *out, uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_putc(out, (char)(n >> (8 * i)));
}

static void put_chunk_head(struct buf *out, char type)
{
    buf_puts(out, "XBSTCK01");
    buf_putc(out, 0);
    buf_putc(out, type);
    put_number(out, FILE_LEN, 4);
    buf_puts(out, MANIFEST_FILE);
}

static uint32_t crc_of(struct str s)
{
    return libdeflate_crc32(0, s.p, s.n);
}

/* The text and blanks: n bytes. */
static void put_filled(struct buf *out, const char *text, size_t n)
{
    size_t len = strlen(text);

    buf_puts(out, text);
    while (len++ < n)
        buf_putc(out, ' ');
}

static void format_stream(const char *text, struct buf *out)
{
    struct buf payload;

    buf_init(&payload, PAYLOAD);
    put_filled(&payload, text, PAYLOAD - 1);
    buf_putc(&payload, '\n');
    put_chunk_head(out, 'P');
    put_number(out, PAYLOAD, 8);
    put_number(out, 0, 8);
    put_number(out, crc_of(buf_str(&payload)), 4);
    buf_add_str(out, buf_str(&payload));
    put_chunk_head(out, 'E');
    buf_done(&payload);
}

static void format_dump(const char *text, struct buf *out)
{
    struct buf rest;

    buf_init(&rest, MANIFEST_BYTES);
    buf_putc(&rest, ' ');
    put_filled(&rest, text, DUMP_TEXT);
    buf_puts(&rest, DUMP_TAIL);
    buf_puts(out, DUMP_HEAD);
    buf_printf(out, "%08x", crc_of(buf_str(&rest)));
    buf_add_str(out, buf_str(&rest));
    buf_done(&rest);
}

void manifest_format(const struct manifest *m, struct buf *out)
{
    char *text = to_json(m); /* its fields' caps, escaped six times their length, do not fit: then fewer are told */

    if (strlen(text) >= PAYLOAD - 1) {
        struct manifest less = *m;

        less.donor[0] = less.binlog[0] = less.tools[0] = less.server[0] = 0;
        mem_free(text);
        text = to_json(&less);
    }
    if (m->is_dump)
        format_dump(text, out);
    else
        format_stream(text, out);
    mem_free(text);
}

/* Does it begin as a manifest? Then it is one, or a damaged one. */
static bool looks_like_one(const char *record, bool is_dump)
{
    struct buf head;
    bool same;

    if (is_dump)
        return memcmp(record, DUMP_HEAD, sizeof(DUMP_HEAD) - 1) == 0;
    buf_init(&head, CHUNK_HEAD);
    put_chunk_head(&head, 'P');
    same = memcmp(record, head.data, CHUNK_HEAD) == 0;
    buf_done(&head);
    return same;
}

/* What all but the text must be follows from the text: the record is made again around it, and compared. */
static int parse(const char *record, bool is_dump, struct manifest *out, struct error *e)
{
    struct str text = is_dump ? (struct str){record + DUMP_TEXT_AT, DUMP_TEXT}
                              : (struct str){record + PAYLOAD_AT, PAYLOAD - 1};
    AUTO_FREE char *copy = mem_strndup(text.p, text.n);
    struct buf again;
    bool same;

    buf_init(&again, MANIFEST_BYTES);
    if (strlen(copy) == text.n) {
        if (is_dump)
            format_dump(copy, &again);
        else
            format_stream(copy, &again);
    }
    same = again.len == MANIFEST_BYTES && memcmp(again.data, record, MANIFEST_BYTES) == 0;
    buf_done(&again);
    if (!same)
        return error_set(e, ERR_INVALID, "its manifest is damaged");
    *out = (struct manifest){.is_dump = is_dump};
    return from_json(text, out, e);
}

/* ---- the hash ---- */

struct manifest_hash {
    EVP_MD_CTX *ctx;
};

struct manifest_hash *manifest_hash_new(void)
{
    struct manifest_hash *h = mem_zalloc(sizeof(*h));

    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1)
        abort(); /* only without memory */
    return h;
}

void manifest_hash_feed(struct manifest_hash *h, struct str bytes)
{
    if (bytes.n && EVP_DigestUpdate(h->ctx, bytes.p, bytes.n) != 1)
        abort();
}

void manifest_hash_hex(struct manifest_hash *h, char out[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_DigestFinal_ex(h->ctx, digest, &n) != 1 || n != 32)
        abort();
    str_hex(digest, n, out);
}

void manifest_hash_free(struct manifest_hash *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    mem_free(h);
}

/* ---- reading ---- */

struct manifest_reader {
    struct manifest_hash *hash;
    manifest_body *on_body;
    void *ctx;
    uint64_t body; /* bytes passed on */
    size_t n_tail;
    bool is_dump;
    char tail[MANIFEST_BYTES]; /* the last bytes that have come */
};

struct manifest_reader *manifest_reader_new(bool is_dump, manifest_body *on_body, void *ctx)
{
    struct manifest_reader *r = mem_zalloc(sizeof(*r));

    r->hash = manifest_hash_new();
    r->is_dump = is_dump;
    r->on_body = on_body;
    r->ctx = ctx;
    return r;
}

void manifest_reader_free(struct manifest_reader *r)
{
    if (!r)
        return;
    manifest_hash_free(r->hash);
    mem_free(r);
}

static int pass_on(struct manifest_reader *r, struct str bytes, struct error *e)
{
    if (!bytes.n)
        return 0;
    manifest_hash_feed(r->hash, bytes);
    r->body += bytes.n;
    return r->on_body(r->ctx, bytes, e);
}

int manifest_feed(struct manifest_reader *r, struct str bytes, struct error *e)
{
    size_t over = r->n_tail + bytes.n > MANIFEST_BYTES ? r->n_tail + bytes.n - MANIFEST_BYTES : 0;
    size_t of_tail = over < r->n_tail ? over : r->n_tail, of_bytes = over - of_tail;
    int rc = pass_on(r, (struct str){r->tail, of_tail}, e);

    if (rc == 0)
        rc = pass_on(r, (struct str){bytes.p, of_bytes}, e);
    if (rc < 0)
        return rc;
    memmove(r->tail, r->tail + of_tail, r->n_tail - of_tail);
    r->n_tail -= of_tail;
    memcpy(r->tail + r->n_tail, bytes.p + of_bytes, bytes.n - of_bytes);
    r->n_tail += bytes.n - of_bytes;
    return 0;
}

static int compare(struct manifest_reader *r, const struct manifest *m, struct error *e)
{
    char hex[65];

    manifest_hash_hex(r->hash, hex);
    if (m->bytes != r->body)
        return error_set(e, ERR_INVALID, "it has %llu bytes, but its manifest says %llu", (unsigned long long)r->body,
                         (unsigned long long)m->bytes);
    if (!str_same(hex, m->sha256))
        return error_set(e, ERR_INVALID, "its SHA-256 is %.16s..., but its manifest says %.16s...", hex, m->sha256);
    return 0;
}

int manifest_end(struct manifest_reader *r, bool required, bool *ret_found, struct manifest *out, struct error *e)
{
    int rc;

    *ret_found = r->n_tail == MANIFEST_BYTES && looks_like_one(r->tail, r->is_dump);
    *out = (struct manifest){.is_dump = r->is_dump};
    if (!*ret_found && required)
        return error_set(e, ERR_INVALID, "it does not end with its manifest: bytes are missing or were changed");
    if (!*ret_found)
        return pass_on(r, (struct str){r->tail, r->n_tail}, e);
    rc = parse(r->tail, r->is_dump, out, e);
    return rc == 0 ? compare(r, out, e) : rc;
}
