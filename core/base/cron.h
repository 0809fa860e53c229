/*
 * cron: a cron expression to its next due time, exactly Kubernetes' dialect (controllers.md 5.3): five fields with
 * `*` `,` `-` `/` `?`, names of months and days, Sunday 0 or 7, day-of-month and day-of-week OR-ed when both are
 * restricted; @yearly @annually @monthly @weekly @daily @midnight @hourly; @every <Go duration>. UTC always: the
 * process's TZ and daylight saving change nothing. TZ= and CRON_TZ= are refused, as by Kubernetes.
 */
#ifndef STASHD_CRON_H
#define STASHD_CRON_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct cron { /* 32 bytes, to be kept by the hundred thousand */
    /* private */
    uint64_t minutes;
    uint32_t hours, days; /* bit 1..31 */
    uint16_t months;      /* bit 1..12 */
    uint8_t weekdays;     /* bit 0..6 */
    uint8_t flags;
    uint32_t every_s;     /* @every: whole seconds; 0: a field expression */
};

/* 0, or ERR_INVALID with a text that names the field and the value: "minute 61 is over 59". */
int cron_parse(struct cron *c, struct str text, struct error *e) NODISCARD;

/* First due time after `after` (Unix seconds, exclusive); INT64_MAX when there is none within five years (31 Feb).
 * @every counts from `after` (robfig: next = after + interval). */
int64_t cron_next(const struct cron *c, int64_t after_unix_s);

/* The shortest gap between due times that the expression can have, in seconds (multitenancy.md 4.3). */
int64_t cron_shortest_gap(const struct cron *c);

#endif
