/*
 * serverclock: the API server's clock for an operator. What is stored there carries its times: creationTimestamps, and
 * with them deadlines and due times. A wall clock of our own that is a quarter of an hour ahead would give each new Job
 * up as soon as it is made, and make sessions before their time. So the wall clock of this env is our own only while it
 * agrees with the header Date of the server's answers, to SERVERCLOCK_TRUST_MS; else it is the server's, carried on by
 * the monotonic clock.
 *
 * An answer may have been under way for long, so a date only says that it is at least that late: the latest estimate
 * counts, for SERVERCLOCK_OLD_MS, after which an earlier one is believed too (the server's clock was set back).
 *
 * Life: embed it; &c->env is an env over the inner one, whose timers it uses. No child processes.
 */
#ifndef STASHD_SERVERCLOCK_H
#define STASHD_SERVERCLOCK_H

#include "core/base/env.h"

enum { SERVERCLOCK_TRUST_MS = 10000, SERVERCLOCK_OLD_MS = 600000 };

struct serverclock {
    struct env env;
    /* private */
    struct env *inner;
    bool known;
    int64_t server_ms; /* what the server's clock showed */
    uint64_t seen_ns;  /* then, or later */
};

void serverclock_init(struct serverclock *c, struct env *inner);
/* An answer with that Date has just come. */
void serverclock_saw(struct serverclock *c, int64_t date_s);

#endif
