/*
 * fuzz_grastate: what is accepted as a position is written so that it reads back the same; no text of a backup breaks
 * its readers.
 * Reads: controllers/job/grastate.c controllers/job/restore_info.c
 */
#include <assert.h>
#include <stdint.h>

#include "controllers/job/grastate.h"
#include "controllers/job/restore_info.h"
#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct grastate g, again;
    struct restore_info info;
    struct error e;
    char out[64];

    if (grastate_parse(text, &g, &e) == 0) {
        AUTO_FREE char *line = mem_printf("%s:%lld", g.uuid, (long long)g.seqno);

        assert(g.seqno >= 0 && strlen(g.uuid) == 36);
        assert(grastate_parse(str_of(line), &again, &e) == 0);
        assert(again.seqno == g.seqno && strcmp(again.uuid, g.uuid) == 0);
    }
    if (restore_info_parse(text, &info, &e) == 0)
        assert(*info.version && strlen(info.version) < sizeof(info.version));
    assert(strlen(restore_info_tool_version(text, out)) < 64);
    assert(strlen(restore_info_backup_type(text, out)) < 64);
    assert(*restore_info_system_file(text, out) && !strchr(out, '/'));
    return 0;
}
