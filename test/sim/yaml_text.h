/* yaml_text: YAML text to a JSON tree, for the simulation's objects and the chart's CRDs. */
#ifndef STASHD_SIM_YAML_TEXT_H
#define STASHD_SIM_YAML_TEXT_H

#include <jansson.h>

/* First document; one reference; NULL and a line on stderr when it is none. */
json_t *yaml_text_read(const char *text);

#endif
