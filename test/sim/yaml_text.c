/* yaml_text: see yaml_text.h. libyaml's events to values; plain scalars become numbers, booleans, null. */
#include "yaml_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static json_t *read_node(yaml_parser_t *parser, yaml_event_t *event_take);

/* False: the text is no YAML. */
static bool next(yaml_parser_t *parser, yaml_event_t *event)
{
    if (yaml_parser_parse(parser, event))
        return true;
    (void)fprintf(stderr, "yaml line %zu: %s\n", parser->problem_mark.line + 1,
                  parser->problem ? parser->problem : "?");
    return false;
}

static json_t *read_scalar(const yaml_event_t *event)
{
    const char *s = (const char *)event->data.scalar.value;
    char *end;
    long long i;
    double d;

    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_string(s);
    if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
        return json_boolean(s[0] == 't');
    if (s[0] == '\0' || strcmp(s, "null") == 0 || strcmp(s, "~") == 0)
        return json_null();
    i = strtoll(s, &end, 10);
    if (*end == '\0')
        return json_integer(i);
    d = strtod(s, &end);
    if (*end == '\0' && strchr(s, '.'))
        return json_real(d);
    return json_string(s);
}

static json_t *read_list(yaml_parser_t *parser)
{
    json_t *list = json_array(), *item;
    yaml_event_t event;

    while (next(parser, &event)) {
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return list;
        }
        item = read_node(parser, &event);
        if (!item)
            break;
        json_array_append_new(list, item);
    }
    json_decref(list);
    return NULL;
}

static json_t *read_map(yaml_parser_t *parser)
{
    json_t *map = json_object(), *value;
    yaml_event_t key, first;

    while (next(parser, &key)) {
        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            return map;
        }
        value = key.type == YAML_SCALAR_EVENT && next(parser, &first) ? read_node(parser, &first) : NULL;
        if (value)
            json_object_set_new(map, (const char *)key.data.scalar.value, value);
        yaml_event_delete(&key);
        if (!value)
            break;
    }
    json_decref(map);
    return NULL;
}

static json_t *read_node(yaml_parser_t *parser, yaml_event_t *event_take)
{
    yaml_event_type_t type = event_take->type;
    json_t *scalar = type == YAML_SCALAR_EVENT ? read_scalar(event_take) : NULL;

    yaml_event_delete(event_take);
    if (scalar)
        return scalar;
    if (type == YAML_SEQUENCE_START_EVENT)
        return read_list(parser);
    return type == YAML_MAPPING_START_EVENT ? read_map(parser) : NULL;
}

json_t *yaml_text_read(const char *text)
{
    yaml_parser_t parser;
    yaml_event_t event, first;
    json_t *root = NULL;
    bool more = true;

    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    while (more && !root && next(&parser, &event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && next(&parser, &first)) {
            root = read_node(&parser, &first);
            more = false;
        }
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return root;
}
