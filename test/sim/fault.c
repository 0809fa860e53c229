/* fault: see fault.h. */
#include "fault.h"

const char *const fault_names[N_FAULTS] = {
    "none",         "request-lost", "answer-lost",  "delay",         "reorder",       "conflict",
    "throttled",    "broken",       "quota",        "kill-before",   "kill-after",    "cut",
    "stale",        "no-bookmarks", "expired",      "expired-late",  "goaway",        "refused",
    "compaction",   "restart",      "crd-gone",     "kill",          "pause",         "lead-lost",
    "lead-deleted", "clock-forward", "clock-back",  "clock-change",  "edit",          "delete",
    "finalizer",    "namespace-gone", "job-fails",  "job-lost",      "job-hangs",     "job-vanishes",
    "job-late",     "job-twice",
};

static const uint8_t weights[N_FAULTS] = {
    [FAULT_REQUEST_LOST] = 4,   [FAULT_ANSWER_LOST] = 6,   [FAULT_DELAY] = 6,        [FAULT_REORDER] = 8,
    [FAULT_CONFLICT] = 4,       [FAULT_THROTTLED] = 4,     [FAULT_BROKEN] = 4,       [FAULT_QUOTA] = 3,
    [FAULT_KILL_BEFORE] = 1,    [FAULT_KILL_AFTER] = 2,    [FAULT_CUT] = 5,          [FAULT_STALE] = 5,
    [FAULT_NO_BOOKMARKS] = 2,   [FAULT_EXPIRED] = 2,       [FAULT_EXPIRED_LATE] = 2, [FAULT_GOAWAY] = 6,
    [FAULT_REFUSED] = 4,        [FAULT_COMPACTION] = 4,    [FAULT_SERVER_RESTART] = 3, [FAULT_CRD_GONE] = 2,
    [FAULT_KILL] = 6,           [FAULT_PAUSE] = 6,         [FAULT_LEAD_LOST] = 3,    [FAULT_LEAD_DELETED] = 2,
    [FAULT_CLOCK_FORWARD] = 3,  [FAULT_CLOCK_BACK] = 3,    [FAULT_EDIT] = 10,        [FAULT_DELETE] = 8,
    [FAULT_FINALIZER] = 4,      [FAULT_NAMESPACE_GONE] = 1,
};

enum fault fault_draw(uint64_t dice, enum fault first, enum fault last)
{
    unsigned sum = 0, at;

    for (unsigned k = first; k <= (unsigned)last; k++)
        sum += weights[k];
    at = (unsigned)(dice % sum);
    for (unsigned k = first; k <= (unsigned)last; k++) {
        if (at < weights[k])
            return (enum fault)k;
        at -= weights[k];
    }
    return FAULT_NONE;
}

bool fault_happens(struct fault_book *b, enum fault kind, uint64_t now_ns)
{
    if ((b->forbidden >> kind & 1) || now_ns < b->from_ns || now_ns > b->until_ns)
        return false;
    b->fired[kind]++;
    b->recent[b->n++ % FAULT_RECENT] = (struct fault_note){now_ns, kind};
    return true;
}

void fault_print_recent(const struct fault_book *b, FILE *out)
{
    uint64_t from = b->n > FAULT_RECENT ? b->n - FAULT_RECENT : 0;

    for (uint64_t i = from; i < b->n; i++) {
        const struct fault_note *note = &b->recent[i % FAULT_RECENT];

        (void)fprintf(out, "  fault %.3f s %s\n", (double)note->at_ns / 1e9 - 1, fault_names[note->kind]);
    }
}
