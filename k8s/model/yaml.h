/* yaml: one YAML document as a JSON tree, by YAML 1.2's core rules for plain scalars; no anchors across documents. */
#ifndef STASHD_MODEL_YAML_H
#define STASHD_MODEL_YAML_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/base/str.h"

/* NULL with ERR_INVALID or ERR_TOOBIG (nesting). */
json_t *yaml_load(struct str text, struct error *e);

#endif
