/*
 * fuzz_manifest: any cut of a file gives the same verdict and the same counts; a file with a manifest is good only with
 * the bytes that the manifest tells of.
 * Reads: controllers/job/manifest.c controllers/job/dump_scan.c
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int is_dump = 0; is_dump < 2; is_dump++) {
        struct verdict whole = run(data, size, size + 1, is_dump);

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
