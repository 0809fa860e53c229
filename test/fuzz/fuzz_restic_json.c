/*
 * fuzz_restic_json: whatever restic prints, each reader answers; a summary that was read, written again and read again
 * is the same; a failure never counts as the absence of a repository without the words for it.
 * Reads: core/restic/restic_json.c
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/restic/restic_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_id(void *ctx, struct str id)
{
    (void)ctx;
    assert(id.n == 64);
}

static void read_summary_again(const struct restic_summary *s)
{
    json_t *o = json_pack("{ss sI sI sI sI sI sI sI sf}", "message_type", "summary", "files_new",
                          (json_int_t)s->files_new, "files_changed", (json_int_t)s->files_changed, "files_unmodified",
                          (json_int_t)s->files_unmodified, "total_files_processed", (json_int_t)s->files_total,
                          "data_added", (json_int_t)s->bytes_added, "data_added_packed",
                          (json_int_t)s->bytes_added_packed, "total_bytes_processed", (json_int_t)s->bytes_processed,
                          "total_duration", s->duration_s);
    char *text = json_dumps(o, JSON_COMPACT);
    struct restic_line again;

    restic_parse_line(str_of(text), &again);
    assert(again.type == RESTIC_LINE_SUMMARY);
    assert(again.summary.files_new == s->files_new && again.summary.bytes_added == s->bytes_added);
    assert(again.summary.bytes_processed == s->bytes_processed && again.summary.files_total == s->files_total);
    mem_free(text);
    json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct restic_snapshots snapshots;
    struct restic_line line;
    struct restic_lock lock;
    struct error e;
    int64_t a, b;
    char shown[256];

    if (mem_live() == 0)
        mem_install(1);
    restic_parse_line(text, &line);
    if (line.type == RESTIC_LINE_SUMMARY)
        read_summary_again(&line.summary);
    if (restic_parse_snapshots(text, &snapshots, &e) == 0)
        restic_snapshots_done(&snapshots);
    if (restic_parse_forget(text, &a, &b, &e) == 0)
        assert(a >= 0 && b >= 0);
    if (restic_parse_stats(text, &a, &e) == 0)
        assert(a >= 0);
    if (restic_parse_lock(text, &lock, &e) == 0)
        assert(strlen(lock.host) < sizeof(lock.host));
    restic_parse_locks(text, on_id, NULL);
    (void)restic_parse_check(1, text, text);
    if (restic_classify(RESTIC_VERSION(0, 14, 0), 1, 0, text) == RESTIC_ABSENT)
        assert(size && memmem(data, size, "unable to open config file", 26));
    assert(restic_parse_version(text) >= 0);
    restic_error_text(text, shown, sizeof(shown));
    assert(strlen(shown) < sizeof(shown));
    return 0;
}
