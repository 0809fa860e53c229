/*
 * fuzz_proto: any bytes are refused with a message or give an object that survives being printed as JSON.
 * Reads: k8s/model/proto.c k8s/model/protofields.c
 */
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "k8s/model/proto.h"

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
    free(text);
    json_decref(again);
    json_decref(object);
    return 0;
}
