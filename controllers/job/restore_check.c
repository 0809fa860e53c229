/* restore_check: see restore_check.h. */
#include "controllers/job/restore_check.h"

static int on_body(void *ctx, struct str bytes, struct error *e)
{
    struct restore_check *c = ctx;

    if (c->stream)
        return xbstream_feed(c->stream, bytes.p, bytes.n, e);
    dump_scan_feed(&c->scan, bytes);
    return 0;
}

void restore_check_init(struct restore_check *c)
{
    c->reader = manifest_reader_new(!c->stream, on_body, c);
    c->scan = (struct dump_scan){0};
    c->manifest_found = false;
}

void restore_check_done(struct restore_check *c)
{
    manifest_reader_free(c->reader);
    c->reader = NULL;
}

static int of_snapshot(const struct restore_check *c, int rc, struct error *e)
{
    return rc < 0 ? error_wrap(e, rc, c->stream ? "the snapshot's stream" : "the snapshot's dump") : 0;
}

int restore_check_feed(struct restore_check *c, struct str bytes, struct error *e)
{
    return of_snapshot(c, manifest_feed(c->reader, bytes, e), e);
}

static int compare(const char *what, uint64_t have, uint64_t told, struct error *e)
{
    if (have == told)
        return 0;
    return error_set(e, ERR_INVALID, "it has %llu %s, but its manifest says %llu", (unsigned long long)have, what,
                     (unsigned long long)told);
}

static int check_content(struct restore_check *c, struct error *e)
{
    const struct manifest *m = &c->manifest;
    int rc = manifest_end(c->reader, c->manifest_required, &c->manifest_found, &c->manifest, e);

    if (rc == 0 && c->stream)
        rc = xbstream_complete(c->stream, c->options, e);
    if (rc < 0 || !c->manifest_found)
        return rc;
    if (!c->stream) {
        rc = compare("tables", c->scan.tables, m->tables, e);
        return rc == 0 ? compare("rows", c->scan.rows, m->rows, e) : rc;
    }
    rc = compare("files", xbstream_files(c->stream), m->files, e);
    return rc == 0 ? compare("chunks", xbstream_chunks(c->stream), m->chunks, e) : rc;
}

int restore_check_end(struct restore_check *c, struct error *e)
{
    return of_snapshot(c, check_content(c, e), e);
}
