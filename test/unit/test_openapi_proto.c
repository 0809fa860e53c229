/* test_openapi_proto: a small document byte by byte, as gnostic's message has it. */
#include "test.h"

#include <string.h>

#include "core/base/mem.h"
#include "k8s/model/openapi_proto.h"

static void a_custom_kind_is_written_and_a_builtin_one_left_out(void **state)
{
    static const char text[] = "{\"swagger\":\"2.0\",\"info\":{\"title\":\"T\",\"version\":\"v\"},\"definitions\":{"
                               "\"io.k8s.api.core.v1.Pod\":{},"
                               "\"K\":{\"type\":\"object\",\"description\":\"d\",\"required\":[\"a\",\"b\"],"
                               "\"properties\":{\"a\":{\"type\":\"array\","
                               "\"items\":{\"$ref\":\"#/definitions/K\"}},\"b\":{\"default\":1}},\"x-k\":[1]}}}";
    static const char wanted[] = "\x0a\x03"
                                 "2.0"
                                 "\x12\x06\x0a\x01T\x12\x01v"
                                 "\x42\x00"
                                 "\x4a\x59\x0a\x57\x0a\x01K\x12\x52"
                                 "\x22\x01"
                                 "d"
                                 "\x9a\x01\x01"
                                 "a"
                                 "\xb2\x01\x08\x0a\x06object"
                                 "\xca\x01\x2e"
                                 "\x0a\x25\x0a\x01"
                                 "a\x12\x20\xb2\x01\x07\x0a\x05"
                                 "array\xba\x01\x13\x0a\x11\x0a\x0f#/definitions/K"
                                 "\x0a\x05\x0a\x01"
                                 "b\x12\x00"
                                 "\xfa\x01\x0c\x0a\x03x-k\x12\x05\x12\x03[1]";
    json_t *document = json_loads(text, 0, NULL);
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_non_null(document);
    openapi_proto_write(&out, document);
    assert_int_equal(out.len, sizeof(wanted) - 1);
    assert_memory_equal(out.data, wanted, sizeof(wanted) - 1);
    buf_done(&out);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_custom_kind_is_written_and_a_builtin_one_left_out),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
