/*
 * fuzz_json: what jansson reads is read, to an equal tree; what it refuses is refused. A NUL byte, which is in no JSON,
 * is always refused; jansson passes over one behind a number. Strictly read is what jansson reads with its own flag.
 * Reads: core/base/json_read.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(struct str text, size_t flags, json_t *got)
{
    json_t *want = json_loadb(text.n ? text.p : "", text.n, flags, NULL);

    if (text.n && memchr(text.p, 0, text.n)) {
        assert(!got);
    } else {
        assert(!want == !got);
        assert(!want || json_equal(want, got));
    }
    json_decref(want);
    json_decref(got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    size_t live = mem_live();

    compare(text, JSON_ALLOW_NUL, json_read(text));
    compare(text, JSON_REJECT_DUPLICATES, json_read_strict(text));
    assert(mem_live() == live);
    return 0;
}
