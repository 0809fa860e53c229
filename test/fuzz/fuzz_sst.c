/*
 * fuzz_sst: lines of garbd's log, and what a donor's connections hold: texts are cut, never broken, and the same bytes
 * in pieces tell the same. The first byte chooses which.
 * Reads: controllers/job/sst.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "controllers/job/sst.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void log_line(struct str line)
{
    struct sst_log l;

    sst_parse_log(line, &l);
    assert(strlen(l.donor) < sizeof(l.donor) && strlen(l.joiner) < sizeof(l.joiner) && strlen(l.text) < sizeof(l.text));
    assert(l.type != SST_LOG_SELECTED || l.donor[0]);
}

static int feed(struct xbstream *x, struct str bytes, size_t step, struct error *e)
{
    int rc = 0;

    for (size_t i = 0; i < bytes.n && rc == 0; i += step)
        rc = xbstream_feed(x, bytes.p + i, step < bytes.n - i ? step : bytes.n - i, e);
    return rc;
}

static int read_info(struct str bytes, size_t step, struct sst_info *out)
{
    struct xbstream *x = xbstream_new();
    struct error e = {0};
    int rc = feed(x, bytes, step, &e);

    memset(out, 0, sizeof(*out));
    if (rc == 0)
        rc = sst_read_info(x, out, &e);
    assert(rc == 0 || e.msg[0]);
    xbstream_free(x);
    return rc;
}

static void first_connection(struct str bytes)
{
    struct sst_info whole, pieces;
    const char *what = NULL;
    struct error e;
    int rc = read_info(bytes, bytes.n + 1, &whole);

    assert(read_info(bytes, 3, &pieces) == rc);
    if (rc == 0)
        assert(memcmp(&whole, &pieces, sizeof(whole)) == 0);
    /* MariaDB's donors announce nothing that could be refused; a key is never let through. */
    if (rc == 0) {
        assert(sst_check_info(&whole, XBSTREAM_MARIADB, &e) == 0);
        rc = sst_check_info(&whole, XBSTREAM_PERCONA_80, &e);
        assert(!(rc == 0 && whole.transition_key[0]));
        rc = 0;
    }
    if (rc == 0 && bytes.n >= 8)
        assert(sst_start_of(bytes, &what) == SST_START_XBSTREAM);
    (void)sst_start_of(bytes, &what);
}

static bool has_library(struct str library)
{
    return str_is(library, "provider_lz4");
}

/* What a restore could not prepare was no backup. */
static int judge(struct str bytes, size_t step, enum xbstream_flavour flavour, struct error *e)
{
    struct xbstream *x = xbstream_new();
    int rc = feed(x, bytes, step, e);

    if (rc == 0)
        rc = sst_check_stream(x, flavour, has_library, e);
    if (rc == 0 && flavour == XBSTREAM_MARIADB)
        assert(sst_check_prepare(xbstream_text(x, "backup-my.cnf"), has_library, e) == 0);
    assert(rc == 0 || e->msg[0]);
    xbstream_free(x);
    return rc;
}

/* The whole data; what MariaDB's donors may not do includes what Percona's may not. */
static void second_connection(struct str bytes)
{
    struct error e = {0}, again = {0};
    int rc = judge(bytes, bytes.n + 1, XBSTREAM_MARIADB, &e);

    assert(judge(bytes, 3, XBSTREAM_MARIADB, &again) == rc && strcmp(e.msg, again.msg) == 0);
    assert(rc < 0 || judge(bytes, bytes.n + 1, XBSTREAM_PERCONA_80, &e) == 0);
}

static void address(struct str text)
{
    char word[128];
    struct sst_request r = {.address = word, .port = 4444, .name = word, .secret = word};
    struct buf out;

    (void)snprintf(word, sizeof(word), "%.*s", (int)(text.n < 100 ? text.n : 100), text.p);
    r.method = sst_method_of(word, sst_flavour_of(word));
    buf_init(&out, 4096);
    sst_format_request(&r, &out);
    assert(out.len > 0);
    buf_done(&out);
    (void)sst_is_info_file(word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data + 1, size - 1};

    if (size < 1)
        return 0;
    if (data[0] == 'l')
        log_line(rest);
    else if (data[0] == 'i')
        first_connection(rest);
    else if (data[0] == 'd')
        second_connection(rest);
    else
        address(rest);
    return 0;
}
