/*
 * fault: every kind of fault that a world throws, each with a weight among its like, and the book of those that
 * happened: how often each kind, which last, and which may happen at all (to shrink a failure).
 */
#ifndef STASHD_SIM_FAULT_H
#define STASHD_SIM_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum fault {
    /* of one call to the API server */
    FAULT_NONE,
    FAULT_REQUEST_LOST, /* the server never saw it */
    FAULT_ANSWER_LOST,  /* the server did it, nobody hears */
    FAULT_DELAY,        /* on its way for a while */
    FAULT_REORDER,      /* the answer is held while other streams go on */
    FAULT_CONFLICT,     /* 409 to a write */
    FAULT_THROTTLED,    /* 429 with Retry-After */
    FAULT_BROKEN,       /* 500 */
    FAULT_QUOTA,        /* 403 to a create */
    FAULT_KILL_BEFORE,  /* the operator dies with a write in its hand */
    FAULT_KILL_AFTER,   /* … and when the server has done it */
    /* of one watch */
    FAULT_CUT,          /* ends in the middle of a line */
    FAULT_STALE,        /* what it brings is held for up to a minute */
    FAULT_NO_BOOKMARKS, /* they don't come */
    FAULT_EXPIRED,      /* 410 as a status */
    FAULT_EXPIRED_LATE, /* 410 as an event in the stream */
    /* of a time: to connections and processes */
    FAULT_GOAWAY,
    FAULT_REFUSED, /* no connection for a while */
    FAULT_COMPACTION,
    FAULT_SERVER_RESTART,
    FAULT_CRD_GONE, /* 404 to everything about one kind */
    FAULT_KILL,
    FAULT_PAUSE, /* SIGSTOP, mostly beyond the lease */
    FAULT_LEAD_LOST,
    FAULT_LEAD_DELETED,
    FAULT_CLOCK_FORWARD,
    FAULT_CLOCK_BACK,
    FAULT_CLOCK_CHANGE, /* daylight saving in the zone that the process lives in */
    /* of users */
    FAULT_EDIT,
    FAULT_DELETE,
    FAULT_FINALIZER,
    FAULT_NAMESPACE_GONE,
    /* of Jobs */
    FAULT_JOB_FAILS,
    FAULT_JOB_LOST, /* ends without a word */
    FAULT_JOB_HANGS,
    FAULT_JOB_VANISHES,
    FAULT_JOB_LATE,  /* reports when its pod has ended */
    FAULT_JOB_TWICE, /* reports again later */
    N_FAULTS
};

extern const char *const fault_names[N_FAULTS];

/* One write that fails in one way, for torture. */
struct fault_nth {
    uint64_t n;   /* writes so far, of all lives of the operator */
    uint64_t nth; /* the one that is meant, from 0 */
    enum fault way;
    void (*at)(struct fault_nth *n); /* each one, before it goes out: may set nth and way. NULL fine */
    void *ctx;
};

enum { FAULT_RECENT = 24 };

struct fault_book {
    uint64_t forbidden;        /* a bit for each kind that may not happen */
    uint64_t from_ns, until_ns; /* and only then */
    uint64_t fired[N_FAULTS], n;
    struct fault_note {
        uint64_t at_ns;
        enum fault kind;
    } recent[FAULT_RECENT];
};

/* True: it happens now, and is in the book. */
bool fault_happens(struct fault_book *b, enum fault kind, uint64_t now_ns);
/* One of first..last by weight. It has not happened yet. */
enum fault fault_draw(uint64_t dice, enum fault first, enum fault last);
void fault_print_recent(const struct fault_book *b, FILE *out);

#endif
