/*
 * fuzz_schema: {"schema": …, "object": …}: a schema is refused with a message, or pruning and defaulting an object
 * twice is the same as once, and nothing unknown is left after the first time.
 * Reads: k8s/model/schema.c k8s/model/schema_validate.c k8s/model/schema_format.c
 */
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/mem.h"
#include "k8s/model/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const struct schema *s, json_t *object)
{
    json_t *dropped = json_array(), *causes = json_array(), *once;

    schema_prune(s, object, NULL);
    schema_default(s, object);
    once = json_deep_copy(object);
    schema_default(s, object);
    assert(json_equal(once, object));
    schema_prune(s, object, NULL); /* defaults may hold what the schema doesn't know */
    schema_prune(s, object, dropped);
    assert(json_array_size(dropped) == 0);
    assert(schema_validate(s, object, NULL, causes) == (int)json_array_size(causes));
    json_array_clear(causes);
    assert(schema_validate(s, object, object, causes) == 0); /* unchanged is let through */
    json_decref(dropped);
    json_decref(causes);
    json_decref(once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *input = json_loadb((const char *)data, size, 0, NULL);
    struct error e = {0};
    struct schema *s;

    if (!input)
        return 0;
    s = schema_compile(json_object_get(input, "schema"), &e);
    if (s && json_is_object(json_object_get(input, "object")))
        run(s, json_object_get(input, "object"));
    else if (!s)
        assert(e.msg[0]);
    schema_free(s);
    json_decref(input);
    return 0;
}
