/*
 * output: output.json, by which a backup or restore program hands its result to update-status (worker.md 8).
 */
#ifndef STASHD_OUTPUT_H
#define STASHD_OUTPUT_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/restic/restic_json.h"

struct output_ref { /* NULL or "": left out */
    const char *api_version, *kind, *name, *ns;
};

struct output_result {
    const char *hostname;
    const char *error; /* NULL: success */
    int64_t duration_ns;
    const char *path;                      /* backup: file name in the snapshot */
    const struct restic_summary *snapshot; /* backup: NULL: none */
};

/* One reference. */
json_t *output_make(const struct output_ref *ref, const struct output_result *r);
/* The text of the file: indented by two spaces; freed with mem_free. */
char *output_text(const json_t *output);
/* Reads the file's text: ERR_INVALID when it is not of this shape. One reference. */
int output_parse(struct str text, json_t **ret, struct error *e) NODISCARD;
/* True if no host failed. */
bool output_succeeded(const json_t *output);

#endif
