/*
 * fuzz_json: what jansson reads is read, to an equal tree; what it refuses is refused.
 * Reads: core/base/json_read.c
 */
#include <assert.h>
#include <stdint.h>

#include "core/base/json.h"
#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    size_t live = mem_live();
    json_t *want = json_loadb(size ? text.p : "", size, JSON_ALLOW_NUL, NULL), *got = json_read(text);

    assert(!want == !got);
    assert(!want || json_equal(want, got));
    json_decref(want);
    json_decref(got);
    assert(mem_live() == live);
    return 0;
}
