/*
 * support_cron: a second implementation of the cron dialect, as slow and as plain as can be, to judge core/base/cron
 * and what becomes of schedules: every field is a question put to its text, days are libc's, minutes are walked.
 */
#ifndef STASHD_SUPPORT_CRON_H
#define STASHD_SUPPORT_CRON_H

#include <stdbool.h>
#include <stdint.h>

struct oracle { /* which values each field allows, asked once */
    bool minute[60], hour[24], day[32], month[13], weekday[7];
    bool day_is_star, weekday_is_star;
    int64_t every_s; /* @every; 0: fields */
};

/* Zones of every sort of clock change, and of none. */
enum { ORACLE_ZONES = 30 };
extern const char *const oracle_zones[ORACLE_ZONES];

/* False: no expression. Only what Kubernetes takes is judged; texts beyond that may be taken too. */
bool oracle_read(struct oracle *o, const char *expression);
/* First due time after that second; INT64_MAX: none in five years. */
int64_t oracle_next(const struct oracle *o, int64_t after_s);

#endif
