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
    uint64_t sum; /* of all that it tells of the files */
    struct error e;
};

static const struct xbstream_options options = {.flavour = XBSTREAM_MARIADB, .galera = true};

static const char *const names[] = {"xtrabackup_info", "xtrabackup_checkpoints", "backup-my.cnf", "nothing"};
static const char *const suffixes[] = {".qp", ".zst", ".xbcrypt", ".ibd"};

static void add(struct verdict *v, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v->sum = v->sum * 31 + (unsigned char)p[i];
}

static void add_what_it_tells(struct verdict *v, const struct xbstream *x)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct str text = xbstream_text(x, names[i]);

        add(v, text.p, text.n);
        v->sum = v->sum * 2 + xbstream_saw_suffix(x, suffixes[i]);
    }
    add(v, xbstream_first(x), strlen(xbstream_first(x)));
    add(v, xbstream_last(x), strlen(xbstream_last(x)));
}

/* The files of a stream that is complete came whole and in order to whoever took them. */
struct taken {
    uint64_t payload, ended;
};

static int take(void *ctx, const char *path, uint64_t offset, struct str bytes, struct error *e)
{
    struct taken *t = ctx;

    (void)e;
    assert(path[0] && path[0] != '/' && offset < UINT64_MAX - bytes.n);
    t->payload += bytes.n;
    return 0;
}

static int take_end(void *ctx, const char *path, uint64_t size, struct error *e)
{
    struct taken *t = ctx;

    (void)e;
    assert(path[0]);
    t->ended += size;
    return 0;
}

static void run_into_sink(const uint8_t *data, size_t size)
{
    struct taken t = {0};
    const struct xbstream_sink sink = {take, take_end, &t};
    struct xbstream *x = xbstream_new();
    struct error e;

    xbstream_set_sink(x, &sink);
    if (xbstream_feed(x, data, size, &e) == 0 && xbstream_end(x, &e) == 0 && xbstream_complete(x, &options, &e) == 0)
        assert(t.payload == t.ended);
    xbstream_free(x);
}

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
    add_what_it_tells(&v, x);
    xbstream_free(x);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct verdict whole = run(data, size, 0);

    assert(whole.complete == 0 || whole.e.msg[0]);
    assert(whole.complete != 0 || whole.end == 0);
    run_into_sink(data, size);
    for (unsigned step = 1; step < 4; step++) {
        struct verdict cut = run(data, size, step);

        assert(cut.feed == whole.feed && cut.end == whole.end && cut.complete == whole.complete);
        assert(cut.chunks == whole.chunks && cut.files == whole.files && cut.sum == whole.sum);
        assert(cut.feed != 0 || cut.bytes == whole.bytes); /* a refused one may have taken a byte more */
        assert(strcmp(cut.e.msg, whole.e.msg) == 0);
    }
    for (size_t n = size > 64 ? size - 64 : 0; whole.complete == 0 && n < size; n++)
        assert(run(data, n, 0).complete != 0);
    return 0;
}
