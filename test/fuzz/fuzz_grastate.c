/*
 * fuzz_grastate: what is accepted as a position is written so that it reads back the same; no text of a backup breaks
 * its readers; a tool fits its own version, where that is one, and else the error says why not.
 * Reads: controllers/job/grastate.c controllers/job/restore_info.c
 */
#include <assert.h>
#include <stdint.h>

#include "controllers/job/grastate.h"
#include "controllers/job/restore_info.h"
#include "core/base/mem.h"

/* Galera reads the file's lines by their keys. */
static void check_file(const struct grastate *g)
{
    AUTO_FREE char *uuid = mem_printf("\nuuid:    %s\n", g->uuid);
    AUTO_FREE char *seqno = mem_printf("\nseqno:   %lld\nsafe_to_bootstrap: 1\n", (long long)g->seqno);
    struct buf file;

    buf_init(&file, 4096);
    grastate_format(g, true, &file);
    assert(strstr(file.data, uuid) && strstr(file.data, seqno));
    buf_done(&file);
}

static void check_version(const char *version, const char *tool)
{
    unsigned major, minor;
    bool is_one = restore_info_series(version, &major, &minor);
    struct error e = {.msg = ""};

    assert((restore_info_check(version, true, version, &e) == 0) == is_one && is_one == !*e.msg);
    e.msg[0] = 0;
    assert((restore_info_check(version, false, tool, &e) == 0) == !*e.msg);
}

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
        check_file(&g);
    }
    if (restore_info_parse(text, &info, &e) == 0) {
        assert(*info.version && strlen(info.version) < sizeof(info.version));
        check_version(info.version, restore_info_tool_version(text, out));
    }
    assert(strlen(restore_info_tool_version(text, out)) < 64);
    assert(strlen(restore_info_backup_type(text, out)) < 64);
    assert(*restore_info_system_file(text, out) && !strchr(out, '/'));
    return 0;
}
