/*
 * substitute: ${NAME} and ${NAME:=word} in the texts of Tasks and Functions (jobs.md 3). It works on parsed trees: a
 * value can't leave the string it goes into. Each value knows where it comes from; a tenant's may enter only some
 * fields and may not begin a new option (multitenancy.md 3.4).
 *
 *     ${NAME}                              the value; an error when there is none
 *     ${NAME:=word} ${NAME:-word} ${NAME=word}   the value when the variable exists (even empty), else word
 *     $$                                   a '$'
 *     $NAME  $(NAME)  a lone $             unchanged
 *
 * A word ends at the first '}' outside of a ${…} within it. Results are not scanned again.
 */
#ifndef STASHD_SUBSTITUTE_H
#define STASHD_SUBSTITUTE_H

#include <jansson.h>
#include <stdbool.h>

#include "controllers/variables.h"
#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/str.h"

/* What the text is for: which values may enter it. */
enum substitute_place {
    PLACE_FREE,      /* anything may enter: env values, names of claims, a tenant's own template */
    PLACE_ITEM,      /* of args or command: as FREE, but a tenant's value may begin with '-' only behind --flag= */
    PLACE_MOUNT,     /* a mountPath: not over what is ours or the system's */
    PLACE_SUBPATH,   /* a subPath: relative, without ".." */
    PLACE_PLATFORM,  /* no tenant's value may enter */
};

/* ret (in the arena of v) and whether a tenant's value went into it (may be NULL). field is the field's name for
 * messages. ERR_INVALID with the texts of jobs.md 3 and multitenancy.md 3.4. */
int substitute_text(const struct variables *v, struct str text, enum substitute_place place, const char *field,
                    const char **ret, bool *ret_is_tenant, struct error *e) NODISCARD;

/* Which rows of the table of places a tree is read with. */
enum substitute_tree {
    TREE_FUNCTION, /* spec of a Function */
    TREE_VOLUMES,  /* spec.volumes of a Task */
    TREE_TEMPLATE, /* a claim template: a tenant's own text, metadata.name included */
};

/* A copy of the tree with all string values resolved, keys untouched; one reference. NULL: e tells why and where. */
json_t *substitute_tree(const struct variables *v, const json_t *tree, enum substitute_tree what, struct error *e);

/* A mountPath or subPath that a tenant wrote. */
int substitute_check_mount(const char *path, struct error *e) NODISCARD;
int substitute_check_subpath(const char *path, struct error *e) NODISCARD;

/* Words that the database client may not get from a tenant: other servers, other files, plugins. */
int substitute_check_client_args(const char *words, struct error *e) NODISCARD;

#endif
