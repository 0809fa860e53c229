/*
 * yaml: see yaml.h. libyaml's events to a tree; plain scalars become null, booleans and numbers as YAML 1.2's core
 * schema and Kubernetes have it. Aliases are refused: they make small texts big.
 */
#include "k8s/model/yaml.h"

#include <stdlib.h>
#include <yaml.h>

#include "core/base/limits.h"
#include "core/base/mem.h"

static json_t *node(yaml_parser_t *p, const yaml_event_t *start, int depth, struct error *e);

static bool next(yaml_parser_t *p, yaml_event_t *event, struct error *e)
{
    if (yaml_parser_parse(p, event))
        return true;
    (void)error_set(e, ERR_INVALID, "yaml: line %zu: %s", p->problem_mark.line + 1,
                    p->problem ? p->problem : "malformed");
    return false;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

/* A decimal number without superfluous zeros; anything else ("1e3", "0x10", "1_000") that isn't one stays text. */
static json_t *number(const char *text)
{
    const char *digits = text + (*text == '-' || *text == '+');
    size_t n = strspn(digits, "0123456789");
    char *end;
    double real;

    if (n && !digits[n] && n < 19 && (n == 1 || *digits != '0'))
        return json_integer(strtoll(text, NULL, 10));
    if (!n && *digits != '.')
        return NULL;
    if (strspn(digits, "0123456789.eE+-") != strlen(digits) || (n > 1 && *digits == '0') || !digits[n])
        return NULL;
    real = strtod(text, &end);
    return *end || end == text ? NULL : json_real(real);
}

static json_t *scalar(const yaml_event_t *event)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    const char *text = (const char *)event->data.scalar.value;
    json_t *value;

    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag) {
        if (is_one_of(text, nulls))
            return json_null();
        if (is_one_of(text, trues))
            return json_true();
        if (is_one_of(text, falses))
            return json_false();
        value = number(text);
        if (value)
            return value;
    }
    return json_stringn(text, event->data.scalar.length);
}

static json_t *mapping(yaml_parser_t *p, int depth, struct error *e)
{
    json_t *object = json_object(), *value;
    yaml_event_t event;
    char *key;

    while (next(p, &event, e)) {
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return object;
        }
        if (event.type != YAML_SCALAR_EVENT) {
            yaml_event_delete(&event);
            (void)error_set(e, ERR_INVALID, "yaml: a key is no text");
            break;
        }
        key = mem_strndup((const char *)event.data.scalar.value, event.data.scalar.length);
        yaml_event_delete(&event);
        value = next(p, &event, e) ? node(p, &event, depth, e) : NULL;
        if (value && json_object_get(object, key)) {
            (void)error_set(e, ERR_INVALID, "yaml: key \"%s\" is there twice", key);
            json_decref(value);
            value = NULL;
        }
        if (value && json_object_set_new(object, key, value) < 0) {
            (void)error_set(e, ERR_INVALID, "yaml: a key is no UTF-8");
            value = NULL;
        }
        if (!value) {
            mem_free(key);
            break;
        }
        mem_free(key);
    }
    json_decref(object);
    return NULL;
}

static json_t *sequence(yaml_parser_t *p, int depth, struct error *e)
{
    json_t *list = json_array(), *value;
    yaml_event_t event;

    while (next(p, &event, e)) {
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return list;
        }
        value = node(p, &event, depth, e);
        if (!value)
            break;
        json_array_append_new(list, value);
    }
    json_decref(list);
    return NULL;
}

/* Consumes the event. */
static json_t *node(yaml_parser_t *p, const yaml_event_t *start, int depth, struct error *e)
{
    yaml_event_t event = *start;
    json_t *value = NULL;

    if (depth >= LIMIT_JSON_DEPTH)
        (void)error_set(e, ERR_TOOBIG, "yaml: nested deeper than %d", LIMIT_JSON_DEPTH);
    else if (event.type == YAML_SCALAR_EVENT)
        value = scalar(&event);
    else if (event.type == YAML_MAPPING_START_EVENT)
        value = mapping(p, depth + 1, e);
    else if (event.type == YAML_SEQUENCE_START_EVENT)
        value = sequence(p, depth + 1, e);
    else
        (void)error_set(e, ERR_INVALID, "yaml: aliases are not taken");
    if (!value && event.type == YAML_SCALAR_EVENT && depth < LIMIT_JSON_DEPTH)
        (void)error_set(e, ERR_INVALID, "yaml: no UTF-8");
    yaml_event_delete(&event);
    return value;
}

json_t *yaml_load(struct str text, struct error *e)
{
    yaml_parser_t p;
    yaml_event_t event;
    json_t *value = NULL;
    bool more = true;

    if (!yaml_parser_initialize(&p)) {
        (void)error_set(e, ERR_INVALID, "yaml: no memory");
        return NULL;
    }
    yaml_parser_set_input_string(&p, (const unsigned char *)text.p, text.n);
    while (more && next(&p, &event, e)) {
        more = event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT;
        if (more)
            yaml_event_delete(&event);
        else if (event.type == YAML_STREAM_END_EVENT)
            yaml_event_delete(&event), (void)error_set(e, ERR_INVALID, "yaml: no document");
        else
            value = node(&p, &event, 0, e);
    }
    yaml_parser_delete(&p);
    return value;
}
