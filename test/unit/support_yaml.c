/* support_yaml: YAML text to a JSON tree by libyaml's events,
 * for tests: plain scalars become numbers, booleans, null. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "support_world.h"

static json_t *read_node(yaml_parser_t *parser, yaml_event_t *event);

static yaml_event_t next(yaml_parser_t *parser)
{
    yaml_event_t event;

    if (!yaml_parser_parse(parser, &event))
        fail_msg("YAML line %zu: %s", parser->problem_mark.line + 1, parser->problem ? parser->problem : "?");
    return event;
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
    json_t *list = json_array();

    for (;;) {
        yaml_event_t event = next(parser);

        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return list;
        }
        json_array_append_new(list, read_node(parser, &event));
    }
}

static json_t *read_map(yaml_parser_t *parser)
{
    json_t *map = json_object();

    for (;;) {
        yaml_event_t key = next(parser), value;

        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            return map;
        }
        assert_int_equal(key.type, YAML_SCALAR_EVENT);
        value = next(parser);
        json_object_set_new(map, (const char *)key.data.scalar.value, read_node(parser, &value));
        yaml_event_delete(&key);
    }
}

/* Eats the event. */
static json_t *read_node(yaml_parser_t *parser, yaml_event_t *event)
{
    yaml_event_type_t type = event->type;
    json_t *scalar = type == YAML_SCALAR_EVENT ? read_scalar(event) : NULL;

    yaml_event_delete(event);
    if (scalar)
        return scalar;
    if (type == YAML_SEQUENCE_START_EVENT)
        return read_list(parser);
    if (type == YAML_MAPPING_START_EVENT)
        return read_map(parser);
    fail_msg("YAML: unexpected event %d", (int)type);
    return NULL;
}

json_t *test_yaml_documents(const char *text)
{
    json_t *documents = json_array();
    yaml_parser_t parser;
    bool more = true;

    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    while (more) {
        yaml_event_t event = next(&parser);

        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            yaml_event_t first = next(&parser);

            json_array_append_new(documents, read_node(&parser, &first));
        }
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return documents;
}

json_t *test_yaml(const char *text)
{
    json_t *documents = test_yaml_documents(text);
    json_t *first = json_incref(json_array_get(documents, 0));

    json_decref(documents);
    assert_non_null(first);
    return first;
}
