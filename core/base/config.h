/*
 * config: a program's settings as one table. It makes the flag (--name=value or --name value), the environment name
 * (PREFIX_NAME), --help and the page of documentation. Read once at the start into a struct, passed down, never
 * global; unknown flags and values out of range stop the start.
 *
 *     static const struct config_item items[] = {
 *         {"concurrency", CFG_UINT, offsetof(struct config, concurrency), "64", 1, 4096, "passes at once"},
 *     };
 */
#ifndef STASHD_CONFIG_H
#define STASHD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/error.h"

enum config_type {
    CFG_STRING,   /* const char *: points into argv, the environment or the default */
    CFG_UINT,     /* uint64_t */
    CFG_INT,      /* int64_t */
    CFG_BOOL,     /* bool; a bare --name is true, --name=false */
    CFG_DURATION, /* int64_t nanoseconds, Go notation; min and max in seconds */
    CFG_LIST,     /* struct config_list: the flag may be given several times, and then replaces the environment's one */
};

struct config_list {
    const char **items;
    size_t n;
};

struct config_item {
    const char *name;
    enum config_type type;
    size_t offset;
    const char *fallback; /* text of the default; NULL: empty, zero, false */
    int64_t min, max;     /* numbers and durations; both 0: no limit */
    const char *help;     /* a phrase without a full stop; NULL: accepted, not shown (a compatible, ignored flag) */
};

struct config_spec {
    const char *program, *usage; /* "stashd", "[flags]" */
    const char *about;           /* the paragraph under the usage line */
    const char *env_prefix;      /* "STASHD_": STASHD_LOG_LEVEL for log-level; NULL: no environment */
    const struct config_item *items;
    size_t n_items;
};

/*
 * Fills `out` (a struct the items' offsets point into) from defaults, then the environment, then argv[1..].
 * Words that are no flags are left in *ret_args (NULL: none are allowed). given (NULL or n_items bools) hears which
 * flags stood on the command line. 0, or ERR_INVALID with a text that names the flag and the remedy.
 * Memory of lists: config_done.
 */
int config_parse(const struct config_spec *spec, int argc, const char *const *argv, const char *const *envp,
                 void *out, struct config_list *ret_args, bool *given, struct error *e) NODISCARD;
void config_done(const struct config_spec *spec, void *out);

/* --help, in the order of the table. */
void config_help(const struct config_spec *spec, FILE *to);

#endif
