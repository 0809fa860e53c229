/*
 * checker: what must hold after each change (style 11): never two running sessions of one configuration; one Job per
 * session and target; terminal phases stay; no session is made twice; and in the end each due time was made or counted.
 */
#ifndef STASHD_SIM_CHECKER_H
#define STASHD_SIM_CHECKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct checker; /* opaque */

struct checker *checker_new(uint64_t seed);
void checker_free(struct checker *c);
/* A model_change_fn: prints each violation and counts it. */
void checker_changed(void *checker, const char *type, const json_t *object);

unsigned checker_violations(const struct checker *c);
void checker_violation(struct checker *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Was a session of that name ever made? */
bool checker_was_made(const struct checker *c, const char *ns, const char *name);

struct checker_totals {
    unsigned sessions, succeeded, failed, skipped, jobs, open; /* open: sessions without a final phase */
};
struct checker_totals checker_totals(const struct checker *c);

#endif
