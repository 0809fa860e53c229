/*
 * openapi_proto: see openapi_proto.h. Field numbers are those of gnostic's OpenAPIv2.proto. A message is written into a
 * buffer of its own first, for its length stands before it.
 */
#include "k8s/model/openapi_proto.h"

#include "core/base/json.h"
#include "core/base/mem.h"

enum { MESSAGE_MAX = 16 * 1024 * 1024, DEPTH_MAX = 64 };

/* clang-format off */
enum {
    DOCUMENT_SWAGGER = 1, DOCUMENT_INFO = 2, DOCUMENT_PATHS = 8, DOCUMENT_DEFINITIONS = 9,
    INFO_TITLE = 1, INFO_VERSION = 2,
    NAMED_NAME = 1, NAMED_VALUE = 2,
    ANY_YAML = 2,
    MAP_ENTRIES = 1, /* Definitions, Properties */
    SCHEMA_REF = 1, SCHEMA_FORMAT = 2, SCHEMA_DESCRIPTION = 4, SCHEMA_REQUIRED = 19, SCHEMA_ADDITIONAL = 21,
    SCHEMA_TYPE = 22, SCHEMA_ITEMS = 23, SCHEMA_PROPERTIES = 25, SCHEMA_EXTENSION = 31,
    TYPE_VALUE = 1, ITEMS_SCHEMA = 1, ADDITIONAL_SCHEMA = 1, ADDITIONAL_BOOLEAN = 2,
};
/* clang-format on */

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v > 127; v >>= 7)
        buf_putc(out, (char)((v & 0x7f) | 0x80));
    buf_putc(out, (char)v);
}

static void put_bytes(struct buf *out, unsigned field, struct str bytes)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.n);
    buf_add_str(out, bytes);
}

static void put_text(struct buf *out, unsigned field, const json_t *string)
{
    if (json_string_length(string))
        put_bytes(out, field, json_str(string));
}

/* Writes what fn makes of value as a message in that field. */
static void put_message(struct buf *out, unsigned field, void (*fn)(struct buf *, const json_t *, int),
                        const json_t *value, int depth)
{
    struct buf inner;

    buf_init(&inner, MESSAGE_MAX);
    if (depth < DEPTH_MAX)
        fn(&inner, value, depth + 1);
    put_bytes(out, field, buf_str(&inner));
    buf_done(&inner);
}

static void put_named(struct buf *out, unsigned field, const char *name, void (*fn)(struct buf *, const json_t *, int),
                      const json_t *value, int depth)
{
    struct buf inner;

    buf_init(&inner, MESSAGE_MAX);
    put_bytes(&inner, NAMED_NAME, str_of(name));
    put_message(&inner, NAMED_VALUE, fn, value, depth);
    put_bytes(out, field, buf_str(&inner));
    buf_done(&inner);
}

/* Any: JSON is YAML too. */
static void write_any(struct buf *out, const json_t *value, int depth)
{
    AUTO_FREE char *text = json_compact(value);

    (void)depth;
    put_bytes(out, ANY_YAML, str_of(text));
}

static void write_schema(struct buf *out, const json_t *schema, int depth);

static void write_map(struct buf *out, const json_t *map, int depth)
{
    const char *name;
    json_t *schema;

    json_object_foreach ((json_t *)(uintptr_t)map, name, schema)
        put_named(out, MAP_ENTRIES, name, write_schema, schema, depth);
}

static void write_type(struct buf *out, const json_t *type, int depth)
{
    (void)depth;
    put_text(out, TYPE_VALUE, type);
}

static void write_items(struct buf *out, const json_t *schema, int depth)
{
    put_message(out, ITEMS_SCHEMA, write_schema, schema, depth);
}

static void write_additional(struct buf *out, const json_t *value, int depth)
{
    if (json_is_boolean(value)) {
        put_varint(out, ADDITIONAL_BOOLEAN << 3);
        put_varint(out, json_is_true(value));
    } else {
        put_message(out, ADDITIONAL_SCHEMA, write_schema, value, depth);
    }
}

static void write_schema(struct buf *out, const json_t *schema, int depth)
{
    const char *key;
    json_t *value;
    size_t i;

    put_text(out, SCHEMA_REF, json_object_get(schema, "$ref"));
    put_text(out, SCHEMA_FORMAT, json_object_get(schema, "format"));
    put_text(out, SCHEMA_DESCRIPTION, json_object_get(schema, "description"));
    json_array_foreach (json_object_get(schema, "required"), i, value) {
        const json_t *property = json_object_get(json_object_get(schema, "properties"), json_string_value(value));

        if (!json_object_get(property, "default")) /* the server fills it in before it looks */
            put_text(out, SCHEMA_REQUIRED, value);
    }
    if ((value = json_object_get(schema, "additionalProperties")))
        put_message(out, SCHEMA_ADDITIONAL, write_additional, value, depth);
    if ((value = json_object_get(schema, "type")))
        put_message(out, SCHEMA_TYPE, write_type, value, depth);
    if ((value = json_object_get(schema, "items")))
        put_message(out, SCHEMA_ITEMS, write_items, value, depth);
    if ((value = json_object_get(schema, "properties")))
        put_message(out, SCHEMA_PROPERTIES, write_map, value, depth);
    json_object_foreach ((json_t *)(uintptr_t)schema, key, value)
        if (strncmp(key, "x-", 2) == 0)
            put_named(out, SCHEMA_EXTENSION, key, write_any, value, depth);
}

/* Built-in kinds are described in part only, and an old kubectl refuses fields that a description lacks; a kind without
 * one it takes as it is. */
static void write_definitions(struct buf *out, const json_t *map, int depth)
{
    const char *name;
    json_t *schema;

    json_object_foreach ((json_t *)(uintptr_t)map, name, schema)
        if (!str_starts(str_of(name), STR("io.k8s.api.")) &&
            !str_starts(str_of(name), STR("io.k8s.apiextensions-apiserver.")))
            put_named(out, MAP_ENTRIES, name, write_schema, schema, depth);
}

static void write_info(struct buf *out, const json_t *info, int depth)
{
    (void)depth;
    put_text(out, INFO_TITLE, json_object_get(info, "title"));
    put_text(out, INFO_VERSION, json_object_get(info, "version"));
}

void openapi_proto_write(struct buf *out, const json_t *document)
{
    put_text(out, DOCUMENT_SWAGGER, json_object_get(document, "swagger"));
    put_message(out, DOCUMENT_INFO, write_info, json_object_get(document, "info"), 0);
    put_bytes(out, DOCUMENT_PATHS, STR("")); /* required, and never looked at */
    put_message(out, DOCUMENT_DEFINITIONS, write_definitions, json_object_get(document, "definitions"), 0);
}
