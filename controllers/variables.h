/*
 * variables: the names that ${} finds in Tasks and Functions (jobs.md 4), in layers: parameters of the Task's step at
 * the bottom, above them the built-in ones, and over those the parameters of invoker and AppBinding.
 */
#ifndef STASHD_VARIABLES_H
#define STASHD_VARIABLES_H

#include <jansson.h>
#include <stdbool.h>

#include "controllers/target.h"
#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/str.h"

struct variable {
    const char *name, *value;
    bool is_tenant; /* written by who may write invokers, Repositories or AppBindings; else by the platform or us */
    bool is_param;  /* a Task parameter: messages call it so */
    struct variable *next;
};

/* A layer of variables; what it does not have is looked up in the one below. All memory is the arena's. */
struct variables {
    struct arena *arena;
    struct variable *first;
    const struct variables *below; /* NULL: none */
};

void variables_init(struct variables *v, struct arena *a, const struct variables *below);
/* Sets in this layer; a later value of the same name replaces an earlier one. Both texts are copied. */
struct variable *variables_set(struct variables *v, const char *name, const char *value, bool is_tenant);
const struct variable *variables_find(const struct variables *v, struct str name); /* NULL: none */

/* True for the names of jobs.md 4.2 that no parameter may have (4.3); ENABLE_CACHE and MAX_CONNECTIONS are free. */
bool variables_reserved(struct str name);

/*
 * Sets all built-in variables of the job and over them the parameters (a list of {name, value}).
 * ERR_INVALID: "Repository <ns>/<name>: no backend configured: …", a reserved parameter, a bad rule.
 */
int variables_fill(struct variables *v, const struct job_input *in, const json_t *params, struct error *e) NODISCARD;

#endif
