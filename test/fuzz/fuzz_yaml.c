/*
 * fuzz_yaml: what was read and printed as JSON is read again as the same: JSON is YAML.
 * Reads: k8s/model/yaml.c
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"
#include "k8s/model/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = {.msg = ""};
    json_t *tree = yaml_load((struct str){(const char *)data, size}, &e), *again;
    char *text;

    if (!tree) {
        assert(*e.msg);
        return 0;
    }
    text = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    assert(text);
    again = yaml_load((struct str){text, strlen(text)}, &e);
    assert(!again || json_equal(tree, again)); /* libyaml takes no DEL in a text, which JSON has unescaped */
    assert(again || *e.msg);
    free(text);
    json_decref(again);
    json_decref(tree);
    return 0;
}
