/*
 * fuzz_cron: any text is refused with a message or gives due times that rise and fit their own expression again.
 * Reads: core/base/cron.c
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {0};
    struct cron c;
    int64_t t = 1772330400;

    if (cron_parse(&c, (struct str){(const char *)data, size}, &e) < 0) {
        assert(e.msg[0]);
        return 0;
    }
    assert(cron_shortest_gap(&c) > 0);
    for (int i = 0; i < 5; i++) {
        int64_t next = cron_next(&c, t);

        assert(next > t);
        if (next == INT64_MAX)
            break;
        assert(cron_next(&c, next - 1) == next || c.every_s); /* no due time lies between */
        t = next;
    }
    return 0;
}
