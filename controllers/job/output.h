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

struct output_donor { /* what a state transfer cost the cluster */
    const char *name;
    double seconds, flow_control_percent;
    int64_t queue_max, stream_bytes;
};

struct output_result {
    const char *hostname;
    const char *error; /* NULL: success */
    int64_t duration_ns;
    const char *path;                      /* backup: file name in the snapshot */
    const struct restic_summary *snapshot; /* backup: NULL: none */
    const struct output_donor *donor;      /* backup of a cluster, by a state transfer; else NULL */
};

/* One reference. */
json_t *output_make(const struct output_ref *ref, const struct output_result *r);
/* A condition of the target, for its status and an event. */
void output_condition(json_t *output, int64_t now_s, const char *type, const char *status, const char *reason,
                      const char *message);
/* The text of the file: indented by two spaces; freed with mem_free. */
char *output_text(const json_t *output);
/* Reads the file's text: ERR_INVALID when it is not of this shape. One reference. */
int output_parse(struct str text, json_t **ret, struct error *e) NODISCARD;
/* True if no host failed. */
bool output_succeeded(const json_t *output);

#endif
