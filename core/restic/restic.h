/*
 * restic: its command lines and its environment. Pure: no process is started here. A command is an argv that is built
 * up by restic_add and closed by restic_argv.
 */
#ifndef STASHD_RESTIC_H
#define STASHD_RESTIC_H

#include "core/restic/backend.h"
#include "core/restic/restic_json.h"

/* One command line; the words are copied and capped: a policy or a list of paths fits. */
struct restic_command {
    /* private */
    char **words;
    size_t n, cap;
};

/* Begins "restic <sub-command>" with restic's global flags for this repository; sub is split at blanks ("cat
 * config"). */
void restic_begin(struct restic_command *c, const struct backend *b, const char *sub);
void restic_add(struct restic_command *c, const char *word);
/* "--name=value"; nothing when value is NULL or "". */
void restic_add_option(struct restic_command *c, const char *name, const char *value);
void restic_add_number(struct restic_command *c, const char *name, int64_t value); /* nothing when it is not positive */
/* Waits for other's locks by itself where the version can (restic.md 7). */
void restic_add_retry_lock(struct restic_command *c, int version, int64_t seconds);
const char *const *restic_argv(const struct restic_command *c); /* NULL-terminated; until the next change */
void restic_done(struct restic_command *c);

/* The whole environment of a restic child: only what it needs. extra: more "K=V" (PATH, HOME, TMPDIR), NULL-terminated.
 * The list (not its strings) is freed with mem_free. */
const char **restic_environment(const struct backend *b, const char *const *extra);

/* Retention (restic.md 6). */
struct restic_policy {
    int64_t keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly;
    const char *const *keep_tags; /* NULL-terminated; NULL: none */
    bool prune, dry_run;
};
bool restic_policy_is_empty(const struct restic_policy *p);
void restic_add_policy(struct restic_command *c, const struct restic_policy *p);

#endif
