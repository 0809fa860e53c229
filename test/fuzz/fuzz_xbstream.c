/*
 * fuzz_xbstream: any cut of the bytes gives the same verdict, text and counts; a stream that is complete has no
 * complete proper prefix among the cuts tried.
 * Reads: controllers/job/xbstream.c controllers/job/xbstream_verdict.c
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "controllers/job/xbstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct verdict {
    int feed, end, complete;
    uint64_t bytes, chunks, files;
    struct error e;
};

static const struct xbstream_options options = {.flavour = XBSTREAM_MARIADB, .galera = true};

/* Steps of 1 to 37 bytes drawn from the data itself; step 0: all at once. */
static struct verdict run(const uint8_t *data, size_t size, unsigned step)
{
    struct xbstream *x = xbstream_new();
    struct verdict v = {0};

    for (size_t i = 0; i < size && v.feed == 0;) {
        size_t n = step ? 1 + (data[i] * step) % 37 : size;

        if (n > size - i)
            n = size - i;
        v.feed = xbstream_feed(x, data + i, n, &v.e);
        i += n;
    }
    v.end = xbstream_end(x, &v.e);
    v.complete = xbstream_complete(x, &options, &v.e);
    v.bytes = xbstream_bytes(x);
    v.chunks = xbstream_chunks(x);
    v.files = xbstream_files(x);
    xbstream_free(x);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct verdict whole = run(data, size, 0);

    assert(whole.complete == 0 || whole.e.msg[0]);
    assert(whole.complete != 0 || whole.end == 0);
    for (unsigned step = 1; step < 4; step++) {
        struct verdict cut = run(data, size, step);

        assert(cut.feed == whole.feed && cut.end == whole.end && cut.complete == whole.complete);
        assert(cut.chunks == whole.chunks && cut.files == whole.files);
        assert(cut.feed != 0 || cut.bytes == whole.bytes); /* a refused one may have taken a byte more */
        assert(strcmp(cut.e.msg, whole.e.msg) == 0);
    }
    for (size_t n = size > 64 ? size - 64 : 0; whole.complete == 0 && n < size; n++)
        assert(run(data, n, 0).complete != 0);
    return 0;
}
