/*
 * fuzz_proto: any bytes are refused with a message or give an object that survives being printed as JSON, and whose
 * fields are found by their names, too.
 * Reads: k8s/model/proto.c k8s/model/protofields.c
 */
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "k8s/model/proto.h"

static void check_names(const struct proto_message *m, const json_t *object)
{
    struct proto_field f;
    const char *key;
    json_t *value, *item;
    size_t i;

    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        if (strcmp(key, "apiVersion") == 0 || strcmp(key, "kind") == 0) /* the envelope's, and of references */
            continue;
        assert(proto_field_named(m, key, &f) && strcmp(f.name, key) == 0);
        if (f.map || !proto_find(f.type))
            continue;
        if (json_is_object(value))
            check_names(proto_find(f.type), value);
        json_array_foreach(value, i, item) {
            check_names(proto_find(f.type), item);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {.msg = ""};
    json_t *object = proto_load((struct str){(const char *)data, size}, &e), *again;
    char *text;

    if (!object) {
        assert(e.msg[0]);
        return 0;
    }
    text = json_dumps(object, JSON_COMPACT);
    assert(text);
    again = json_loads(text, 0, NULL);
    assert(again && json_equal(object, again));
    check_names(proto_find(json_string_value(json_object_get(object, "kind"))), object);
    free(text);
    json_decref(again);
    json_decref(object);
    return 0;
}
