/*
 * ledger: what became of an invoker's due times, in sums, for everyone to read: annotation schedule-ledger, one JSON
 * object, written in the same patch as last-schedule-time and so exactly as often:
 *
 *     {"since": "2026-03-01T00:00:00Z", "made": 31, "coalesced": 2, "skipped": 1,
 *      "lastMissed": "2026-03-07T02:00:00Z", "lastMissedReason": "TooLate"}
 *
 * Every due time in (since, last-schedule-time] is in exactly one of made (its session was made), coalesced (a later
 * one's session, or one that still waited, stands for it) and skipped. Times that came before the schedule was edited
 * to have them were never due (schedule_record.c).
 */
#ifndef STASHD_LEDGER_H
#define STASHD_LEDGER_H

#include <jansson.h>
#include <stdint.h>

#include "core/base/arena.h"

#define LEDGER_ANNOTATION "stash.appscode.com/schedule-ledger"

/* What one pass adds. */
struct ledger_entry {
    int64_t from_s; /* the due times after it are meant */
    int64_t made, coalesced, skipped;
    int64_t missed_s;   /* the last one without a session of its own; only with coalesced or skipped */
    const char *reason; /* "Coalesced", "TooLate", "NotMade" */
};

/* The annotation's new text for an invoker's document; a text that is not ours is begun anew. In the arena. */
const char *ledger_add(struct arena *a, const json_t *invoker, const struct ledger_entry *e);

#endif
