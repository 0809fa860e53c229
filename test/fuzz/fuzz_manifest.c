/*
 * fuzz_manifest: any cut of a file gives the same verdict and the same counts; a file with a manifest is good only with
 * the bytes that the manifest tells of; and what is given a manifest is good with it.
 * Reads: controllers/job/manifest.c controllers/job/dump_scan.c
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "controllers/job/dump_scan.h"
#include "controllers/job/manifest.h"
#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct verdict {
    int rc;
    bool found;
    uint64_t body;
    struct manifest m;
    struct dump_scan scan;
    struct error e;
};

static int on_body(void *ctx, struct str bytes, struct error *e)
{
    struct verdict *v = ctx;

    (void)e;
    v->body += bytes.n;
    dump_scan_feed(&v->scan, bytes);
    return 0;
}

static struct verdict run(const uint8_t *data, size_t size, size_t step, bool is_dump)
{
    struct verdict v = {0};
    struct manifest_reader *r = manifest_reader_new(is_dump, on_body, &v);

    for (size_t i = 0; i < size && v.rc == 0; i += step)
        v.rc = manifest_feed(r, (struct str){(const char *)data + i, step < size - i ? step : size - i}, &v.e);
    if (v.rc == 0)
        v.rc = manifest_end(r, false, &v.found, &v.m, &v.e);
    manifest_reader_free(r);
    return v;
}

/* The texts are the file's own bytes, as far as C has them as text. */
static void give_manifest(const uint8_t *data, size_t size, bool is_dump)
{
    struct manifest m = {.is_dump = is_dump, .bytes = size, .files = 3, .chunks = 4, .tables = 5, .rows = 6};
    const struct {
        char *to;
        size_t size;
    } texts[] = {{m.server, sizeof(m.server)},     {m.donor, sizeof(m.donor)},   {m.requested, sizeof(m.requested)},
                 {m.position, sizeof(m.position)}, {m.binlog, sizeof(m.binlog)}, {m.tools, sizeof(m.tools)}};
    struct manifest_hash *h = manifest_hash_new();
    struct verdict v;
    struct buf file;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        (void)snprintf(texts[i].to, texts[i].size, "%.*s", (int)(size < 1000 ? size : 1000), (const char *)data);
    manifest_hash_feed(h, (struct str){(const char *)data, size});
    manifest_hash_hex(h, m.sha256);
    manifest_hash_free(h);
    buf_init(&file, size + 2 * MANIFEST_BYTES);
    buf_add(&file, data, size);
    manifest_format(&m, &file);
    assert(file.len == size + MANIFEST_BYTES);
    v = run((const uint8_t *)file.data, file.len, file.len, is_dump);
    assert(v.rc == 0 && v.found && v.body == size && v.m.bytes == size && strcmp(v.m.sha256, m.sha256) == 0);
    assert(is_dump ? v.m.tables == 5 && v.m.rows == 6 : v.m.files == 3 && v.m.chunks == 4);
    file.data[size / 2] ^= 1; /* a byte of the data, or of the manifest where there are none */
    v = run((const uint8_t *)file.data, file.len, file.len, is_dump);
    assert(v.rc != 0 || !size);
    buf_done(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int is_dump = 0; is_dump < 2; is_dump++) {
        struct verdict whole = run(data, size, size + 1, is_dump);

        give_manifest(data, size, is_dump);
        assert(whole.rc != 0 || whole.found || whole.body == size);
        assert(!whole.found || whole.body == size - MANIFEST_BYTES);
        assert(whole.rc != 0 || !whole.found || whole.m.bytes == whole.body);
        for (size_t step = 1; step < 6000; step = 3 * step + 1) {
            struct verdict cut = run(data, size, step, is_dump);

            assert(cut.rc == whole.rc && cut.found == whole.found && cut.body == whole.body);
            assert(cut.scan.tables == whole.scan.tables && cut.scan.rows == whole.scan.rows);
            assert(strcmp(cut.e.msg, whole.e.msg) == 0);
        }
    }
    return 0;
}
