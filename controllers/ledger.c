/* ledger: see ledger.h. */
#include "controllers/ledger.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"

static void add(json_t *sums, const char *key, int64_t by)
{
    int64_t n = json_int(sums, key, 0);

    json_object_set_new(sums, key, json_integer((n < 0 ? 0 : n) + by));
}

static void set_time(json_t *sums, const char *key, int64_t s)
{
    char text[32];

    json_object_set_new(sums, key, json_string(str_format_time(s, text)));
}

const char *ledger_add(struct arena *a, const json_t *invoker, const struct ledger_entry *e)
{
    json_t *sums = json_loads(json_meta(invoker, "annotations", LEDGER_ANNOTATION), 0, NULL);
    const char *kept;
    char *text;

    if (!json_is_object(sums) || !json_text(sums, "since")[0]) {
        json_decref(sums);
        sums = json_object();
        set_time(sums, "since", e->from_s);
    }
    add(sums, "made", e->made);
    add(sums, "coalesced", e->coalesced);
    add(sums, "skipped", e->skipped);
    if (e->coalesced + e->skipped > 0) {
        set_time(sums, "lastMissed", e->missed_s);
        json_object_set_new(sums, "lastMissedReason", json_string(e->reason));
    }
    text = json_dumps(sums, JSON_COMPACT);
    json_decref(sums);
    kept = arena_printf(a, "%s", text);
    mem_free(text);
    return kept;
}
