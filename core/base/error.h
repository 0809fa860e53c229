/*
 * error: how a failure travels. The code says what the caller can do, the text tells the story; both live in
 * the caller's frame, so failing needs no memory.
 *
 * Use:  rc = cron_parse(&cron, text, e);
 *       if (rc < 0)
 *           return error_wrap(e, rc, "schedule of %s", name);     "schedule of db-daily: minute 61 is over 59"
 */
#ifndef STASHD_ERROR_H
#define STASHD_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum err {
    ERR_CANCELED = -1,  /* we stopped it ourselves */
    ERR_TIMEOUT = -2,   /* no answer within the limit */
    ERR_NET = -3,       /* connection refused, reset, TLS failure; HTTP 5xx */
    ERR_THROTTLED = -4, /* HTTP 429 or 503 with Retry-After; retry_after_ms is set */
    ERR_CONFLICT = -5,  /* read again, then decide again */
    ERR_EXISTS = -6,
    ERR_NOTFOUND = -7,
    ERR_GONE = -8,    /* the resourceVersion is too old: list again */
    ERR_DENIED = -9,  /* 401 or 403 */
    ERR_INVALID = -10, /* their input: say so in the status, wait for a new generation */
    ERR_TOOBIG = -11, /* over a cap of limits.h */
    ERR_BUG = -12,    /* our own mistake, found before it did harm */
};

struct error {
    enum err code;
    uint32_t retry_after_ms; /* with ERR_THROTTLED: earliest time for the next try; else 0 */
    char msg[512];
};

/* Fills e (which may be NULL) and returns code, so that a failing function ends in one line. */
int error_set(struct error *e, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " in front of e's text and returns code. e may be NULL. */
int error_wrap(struct error *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A short word for a code, for logs and metric labels: "conflict", "timeout", ... Never NULL. */
const char *error_name(int code);

#endif
