/* test_proto: bodies in the protobuf envelope of Kubernetes, built field by field, and the objects they stand for. */
#include "test.h"

#include <jansson.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/proto.h"

/* ---- writing ---- */

static void put_varint(struct buf *b, uint64_t n)
{
    for (; n > 0x7f; n >>= 7)
        buf_putc(b, (char)(n | 0x80));
    buf_putc(b, (char)n);
}

static void put_number(struct buf *b, unsigned field, uint64_t n)
{
    put_varint(b, (uint64_t)field << 3);
    put_varint(b, n);
}

static void put_bytes(struct buf *b, unsigned field, struct str bytes)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, bytes.n);
    buf_add_str(b, bytes);
}

static void put_text(struct buf *b, unsigned field, const char *text)
{
    put_bytes(b, field, str_of(text));
}

/* What is in b becomes field `field` of the message around it. */
static void wrap(struct buf *b, unsigned field)
{
    struct str inner = buf_str(b);
    struct buf out;

    buf_init(&out, 64 * 1024);
    put_bytes(&out, field, inner);
    buf_done(b);
    *b = out;
}

/* b: the object of that kind, as a request's body; it is freed. */
static json_t *load(struct buf *b, const char *kind, struct error *e)
{
    struct buf all, type;
    json_t *o;

    buf_init(&all, 64 * 1024);
    buf_init(&type, 4096);
    buf_add(&all, "k8s", 4);
    put_text(&type, 1, "v1");
    put_text(&type, 2, kind);
    put_bytes(&all, 1, buf_str(&type));
    put_bytes(&all, 2, buf_str(b));
    *e = (struct error){.msg = ""};
    o = proto_load(buf_str(&all), e);
    buf_done(&all);
    buf_done(&type);
    buf_done(b);
    return o;
}

static void assert_json(json_t *o, const char *path, const char *text)
{
    char *got = json_dumps(json_at(o, path), JSON_COMPACT | JSON_ENCODE_ANY);

    assert_non_null(got);
    assert_string_equal(got, text);
    mem_free(got);
}

static void assert_refused(struct buf *b, const char *kind, const char *message)
{
    struct error e;

    assert_null(load(b, kind, &e));
    assert_string_equal(e.msg, message);
}

/* ---- what kubectl sends ---- */

static void a_quota_keeps_its_quantities(void **state)
{
    struct buf spec, entry, quantity;
    struct error e;
    json_t *o;

    (void)state;
    buf_init(&spec, 4096);
    buf_init(&entry, 4096);
    buf_init(&quantity, 4096);
    put_text(&quantity, 1, "10Gi");
    put_text(&entry, 1, "requests.storage");
    put_bytes(&entry, 2, buf_str(&quantity));
    put_bytes(&spec, 1, buf_str(&entry));
    buf_clear(&entry);
    put_text(&entry, 1, "pods"); /* zero is not sent */
    put_bytes(&spec, 1, buf_str(&entry));
    put_text(&spec, 2, "Terminating");
    put_text(&spec, 2, "BestEffort");
    wrap(&spec, 2);
    o = load(&spec, "ResourceQuota", &e);
    assert_json(o, "spec", "{\"hard\":{\"requests.storage\":\"10Gi\",\"pods\":\"0\"},"
                           "\"scopes\":[\"Terminating\",\"BestEffort\"]}");
    json_decref(o);
    buf_done(&entry);
    buf_done(&quantity);
}

/* A Lease's time of renewal: seconds (none: not sent) and nanoseconds. */
static struct buf lease(uint64_t seconds, uint64_t nanos)
{
    struct buf b, time;

    buf_init(&b, 4096);
    buf_init(&time, 4096);
    put_number(&time, 1, seconds);
    put_number(&time, 2, nanos);
    put_number(&b, 2, 15);
    put_bytes(&b, 4, buf_str(&time));
    buf_done(&time);
    wrap(&b, 2);
    return b;
}

static void a_lease_keeps_fractions_of_its_time(void **state)
{
    struct buf b = lease(1772330400, 123456789);
    struct error e;
    json_t *o = load(&b, "Lease", &e);

    (void)state;
    assert_json(o, "spec", "{\"leaseDurationSeconds\":15,\"renewTime\":\"2026-03-01T02:00:00.123456Z\"}");
    json_decref(o);
    b = lease((uint64_t)-62135596800, 0); /* Go's zero time */
    o = load(&b, "Lease", &e);
    assert_json(o, "spec", "{\"leaseDurationSeconds\":15}");
    json_decref(o);
    b = lease(1772330400, 1000000000);
    assert_refused(&b, "Lease", "protobuf: malformed time");
    b = lease(1772330400, (uint64_t)-1);
    assert_refused(&b, "Lease", "protobuf: malformed time");
}

static void put_port(struct buf *spec, uint64_t type, uint64_t number, const char *name)
{
    struct buf port, target;

    buf_init(&port, 4096);
    buf_init(&target, 4096);
    put_number(&target, 1, type);
    put_number(&target, 2, number);
    put_text(&target, 3, name);
    put_number(&port, 3, 80);
    put_bytes(&port, 4, buf_str(&target));
    put_bytes(spec, 1, buf_str(&port));
    buf_done(&port);
    buf_done(&target);
}

static void a_port_is_a_number_or_a_name(void **state)
{
    struct buf spec;
    struct error e;
    json_t *o;

    (void)state;
    buf_init(&spec, 4096);
    put_port(&spec, 0, 8080, "");
    put_port(&spec, 1, 0, "web");
    wrap(&spec, 2);
    o = load(&spec, "Service", &e);
    assert_json(o, "spec.ports", "[{\"port\":80,\"targetPort\":8080},{\"port\":80,\"targetPort\":\"web\"}]");
    json_decref(o);
}

/* Pod {spec {volumes {name "v", <the volume's source> of that field {}}}} */
static struct buf pod_with_volume(unsigned field)
{
    struct buf b, source;

    buf_init(&b, 4096);
    buf_init(&source, 4096);
    put_text(&source, field, "");
    put_text(&b, 1, "v");
    put_bytes(&b, 2, buf_str(&source));
    buf_done(&source);
    wrap(&b, 1);
    wrap(&b, 2);
    return b;
}

static void a_message_put_into_another_is_no_object_of_its_own(void **state)
{
    struct buf b = pod_with_volume(2);
    struct error e;
    json_t *o = load(&b, "Pod", &e);

    (void)state;
    assert_json(o, "spec.volumes", "[{\"name\":\"v\",\"emptyDir\":{}}]");
    json_decref(o);
}

/* A pointer that is set is kept, also when it points to false; what nobody set is not there. */
static void false_that_was_asked_for_stays(void **state)
{
    struct buf b;
    struct error e;
    json_t *o;

    (void)state;
    buf_init(&b, 4096);
    put_number(&b, 21, 0); /* automountServiceAccountToken */
    put_number(&b, 11, 0); /* hostNetwork */
    put_number(&b, 12, 1); /* hostPID */
    wrap(&b, 2);
    o = load(&b, "Pod", &e);
    assert_json(o, "spec", "{\"automountServiceAccountToken\":false,\"hostPID\":true}");
    json_decref(o);
}

/* ---- what is refused, and says so ---- */

static void a_field_that_is_not_known_is_refused(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    put_text(&b, 99, "x");
    assert_refused(&b, "ConfigMap", "protobuf: field 99 of ConfigMap is not known here; send JSON");
    b = pod_with_volume(8); /* iscsi */
    assert_refused(&b, "Pod", "protobuf: field 8 of VolumeSource is not known here; send JSON");
    buf_init(&b, 4096);
    assert_refused(&b, "NoSuchKind", "protobuf: kind NoSuchKind is not known here; send JSON");
}

static void malformed_fields_are_refused(void **state)
{
    static const struct {
        struct str bytes;
        const char *message;
    } rows[] = {
        {{"\x09\1\2\3\4\5\6\7\x08", 9}, "protobuf: malformed ConfigMap"},              /* 64 bits */
        {{"\x82\x80\x80\x80\x01\0", 6}, "protobuf: malformed ConfigMap"},              /* field 33554432 */
        {{"\x12\x7f", 2}, "protobuf: malformed ConfigMap"},                            /* longer than the rest */
        /* a number without end */
        {{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, "protobuf: malformed ConfigMap"},
        {{"\x12\x05\x0a\x03"
          "a\0b",
          7},
         "protobuf: malformed key"},
        {{"\x12\x03\x0a\x01\xff", 5}, "protobuf: malformed key"},
        {{"\x12\x06\x0a\x01"
          "a\x12\x01\xff",
          8},
         "protobuf: malformed text"},
        {{"\x0a\x02\x08\x01", 4}, "protobuf: malformed name"}, /* a number where a text belongs */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b;

        buf_init(&b, 4096);
        buf_add_str(&b, rows[i].bytes);
        assert_refused(&b, "ConfigMap", rows[i].message);
    }
}

static int set_up(void **state)
{
    (void)state;
    mem_install(1);
    return 0;
}

/* ---- the table ---- */

static void each_type_of_the_table_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_proto_messages; i++) {
        const struct proto_message *m = &proto_messages[i];
        struct proto_field f;

        assert_true(i == 0 || strcmp(proto_messages[i - 1].name, m->name) < 0); /* it is searched by halves */
        for (unsigned n = 1; n < 100; n++)
            if (proto_field_numbered(m, n, &f) && !f.skipped && !f.refused)
                assert_true(f.type[1] ? proto_find(f.type) != NULL : strchr("sbituqny", f.type[0]) != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_keeps_its_quantities),
        cmocka_unit_test(a_lease_keeps_fractions_of_its_time),
        cmocka_unit_test(a_port_is_a_number_or_a_name),
        cmocka_unit_test(a_message_put_into_another_is_no_object_of_its_own),
        cmocka_unit_test(false_that_was_asked_for_stays),
        cmocka_unit_test(a_field_that_is_not_known_is_refused),
        cmocka_unit_test(malformed_fields_are_refused),
        cmocka_unit_test(each_type_of_the_table_is_known),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
