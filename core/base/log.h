/*
 * log: one JSON object a line on stderr: ts level msg and typed fields. msg is constant; data goes in fields.
 *
 *     log_info(log, "job created", F_STR("job", name), F_INT("attempt", n));
 *     log_warn(log, "pass failed", F_ERR(&e));
 *
 * error: a person must act. warn: we retry. info: a phase changed, a program started or ended. debug: each pass.
 * Only core/cmd, the engine and serve log above debug; everybody else returns errors.
 */
#ifndef STASHD_LOG_H
#define STASHD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/env.h"
#include "core/base/error.h"
#include "core/base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;
    enum { LOG_F_STR, LOG_F_INT, LOG_F_BOOL, LOG_F_ERR } type;
    union {
        struct str s;
        int64_t i;
        bool b;
        const struct error *e;
    } u;
};

#define F_STR(k, v) ((struct log_field){.key = (k), .type = LOG_F_STR, .u.s = str_of(v)})
#define F_VIEW(k, v) ((struct log_field){.key = (k), .type = LOG_F_STR, .u.s = (v)})
#define F_INT(k, v) ((struct log_field){.key = (k), .type = LOG_F_INT, .u.i = (int64_t)(v)})
#define F_BOOL(k, v) ((struct log_field){.key = (k), .type = LOG_F_BOOL, .u.b = (v)})
#define F_ERR(v) ((struct log_field){.key = "error", .type = LOG_F_ERR, .u.e = (v)})

/* Where lines go. A child log adds its fields to each line of its own. */
struct log {
    struct env *env; /* for ts; NULL: no ts */
    enum log_level min;
    void (*write)(void *ctx, struct str line); /* a whole line with '\n'; NULL: stderr */
    void *ctx;
    bool plain; /* for a person at a terminal: "15:04:05 level msg key=value" instead of JSON */
    /* Known credentials: any occurrence in a text becomes [redacted] (multitenancy.md 11). Borrowed. */
    const struct str *secrets;
    size_t n_secrets;
    const struct log *parent; /* NULL, or a log whose fields and sink are used too */
    const struct log_field *fields;
    size_t n_fields;
};

void log_write(const struct log *l, enum log_level level, const char *msg, const struct log_field *fields, size_t n);

#define log_at(l, level, msg, ...)                                                                                     \
    log_write(l, level, msg, (const struct log_field[]){{.key = NULL}, ##__VA_ARGS__} + 1,                            \
              sizeof((const struct log_field[]){{.key = NULL}, ##__VA_ARGS__}) / sizeof(struct log_field) - 1)
#define log_debug(l, msg, ...) log_at(l, LOG_DEBUG, msg, ##__VA_ARGS__)
#define log_info(l, msg, ...) log_at(l, LOG_INFO, msg, ##__VA_ARGS__)
#define log_warn(l, msg, ...) log_at(l, LOG_WARN, msg, ##__VA_ARGS__)
#define log_error(l, msg, ...) log_at(l, LOG_ERROR, msg, ##__VA_ARGS__)

#endif
