/* json: see json.h. */
#include "core/base/json.h"

#include "core/base/mem.h"

static json_t *step(const json_t *at, struct str name)
{
    uint64_t i;

    if (json_is_object(at))
        return json_object_getn(at, name.p, name.n);
    if (json_is_array(at) && str_to_u64(name, &i) == 0)
        return json_array_get(at, (size_t)i);
    return NULL;
}

json_t *json_at(const json_t *root, const char *path)
{
    struct str rest = str_of(path), name;
    const json_t *at = root;

    while (at && str_cut(&rest, '.', &name))
        at = step(at, name);
    return (json_t *)(uintptr_t)at; /* jansson's own getters drop const in the same way */
}

const char *json_text(const json_t *root, const char *path)
{
    const char *text = json_string_value(json_at(root, path));

    return text ? text : "";
}

int64_t json_int(const json_t *root, const char *path, int64_t fallback)
{
    const json_t *value = json_at(root, path);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_flag(const json_t *root, const char *path, bool fallback)
{
    const json_t *value = json_at(root, path);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

struct str json_str(const json_t *string)
{
    return json_is_string(string) ? (struct str){json_string_value(string), json_string_length(string)} : STR_NONE;
}

const char *json_meta(const json_t *object, const char *map, const char *key)
{
    const char *text = json_string_value(json_object_get(json_at(json_object_get(object, "metadata"), map), key));

    return text ? text : "";
}

char *json_compact(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    return text ? text : mem_strdup("null");
}
