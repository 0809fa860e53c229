/*
 * fuzz_json: what jansson reads is read, to an equal tree; what it refuses is refused. A NUL byte, which is in no JSON,
 * is always refused; jansson passes over one behind a number.
 * Reads: core/base/json_read.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    size_t live = mem_live();
    json_t *want = json_loadb(size ? text.p : "", size, JSON_ALLOW_NUL, NULL), *got = json_read(text);

    if (size && memchr(data, 0, size)) {
        assert(!got);
    } else {
        assert(!want == !got);
        assert(!want || json_equal(want, got));
    }
    json_decref(want);
    json_decref(got);
    assert(mem_live() == live);
    return 0;
}
