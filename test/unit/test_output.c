/* test_output: output.json and what never gets into a text (worker.md 8, multitenancy.md 11). */
#include "test.h"

#include "controllers/job/output.h"
#include "controllers/job/redact.h"
#include "core/base/json.h"
#include "core/base/mem.h"

static const struct output_ref ref = {"appcatalog.appscode.com/v1alpha1", "AppBinding", "db", "demo"};

static int tear_down(void **state)
{
    (void)state;
    return mem_live() ? -1 : 0;
}

static void a_backup_is_written_as_in_the_specification(void **state)
{
    static const char expected[] = "{\n"
                                   "  \"targetStatus\": {\n"
                                   "    \"ref\": {\n"
                                   "      \"apiVersion\": \"appcatalog.appscode.com/v1alpha1\",\n"
                                   "      \"kind\": \"AppBinding\",\n"
                                   "      \"name\": \"db\",\n"
                                   "      \"namespace\": \"demo\"\n"
                                   "    },\n"
                                   "    \"stats\": [\n"
                                   "      {\n"
                                   "        \"hostname\": \"host-0\",\n"
                                   "        \"phase\": \"Succeeded\",\n"
                                   "        \"duration\": \"12.3456789s\",\n"
                                   "        \"snapshots\": [\n"
                                   "          {\n"
                                   "            \"name\": \"4bd1\",\n"
                                   "            \"path\": \"dumpfile.sql\",\n"
                                   "            \"totalSize\": \"3.201 MiB\",\n"
                                   "            \"totalSizeBytes\": 3356492,\n"
                                   "            \"uploaded\": \"1024 B\",\n"
                                   "            \"uploadedBytes\": 1024,\n"
                                   "            \"processingTime\": \"0:05\",\n"
                                   "            \"processingSeconds\": 5,\n"
                                   "            \"fileStats\": {\n"
                                   "              \"totalFiles\": 1,\n"
                                   "              \"newFiles\": 1,\n"
                                   "              \"modifiedFiles\": 0\n"
                                   "            }\n"
                                   "          }\n"
                                   "        ]\n"
                                   "      }\n"
                                   "    ]\n"
                                   "  }\n"
                                   "}";
    struct restic_summary s = {.files_new = 1, .files_total = 1, .files_unmodified = -1, .bytes_added = 1024,
                               .bytes_added_packed = -1, .bytes_processed = 3356492, .duration_s = 5.9,
                               .snapshot_id = "4bd1"};
    struct output_result r = {.hostname = "host-0", .duration_ns = 12345678900, .path = "dumpfile.sql", .snapshot = &s};
    json_t *o = output_make(&ref, &r);
    AUTO_FREE char *text = output_text(o);

    (void)state;
    assert_string_equal(text, expected);
    assert_true(output_succeeded(o));
    json_decref(o);
}

static void what_the_cluster_bore_is_told_with_the_host(void **state)
{
    struct output_donor donor = {
        .name = "n2", .seconds = 14.26, .flow_control_percent = 0.349, .queue_max = 3, .stream_bytes = 266569142};
    struct output_result r = {.hostname = "host-0", .donor = &donor};
    json_t *o = output_make(&ref, &r);
    AUTO_FREE char *text = NULL;

    (void)state;
    output_condition(o, 0, "NonReplicatedTables", "True", "OtherStorageEngines", "100 %s of them");
    text = output_text(json_at(o, "targetStatus.stats.0.donor"));
    assert_string_equal(text, "{\n  \"name\": \"n2\",\n  \"seconds\": 14,\n  \"flowControlMilliseconds\": 50,\n"
                              "  \"flowControlPercent\": 0,\n  \"receiveQueueMax\": 3,\n"
                              "  \"streamBytes\": 266569142\n}");
    assert_string_equal(json_text(json_at(o, "targetStatus.conditions.0"), "message"), "100 %s of them");
    assert_true(output_succeeded(o));
    json_decref(o);
}

static void a_failure_has_its_error_and_nothing_else(void **state)
{
    struct output_result r = {.hostname = "host-0", .duration_ns = 5, .error = "restic: it failed \xff here"};
    json_t *o = output_make(&ref, &r);
    const json_t *host = json_at(o, "targetStatus.stats.0");

    (void)state;
    assert_string_equal(json_text(host, "phase"), "Failed");
    assert_string_equal(json_text(host, "error"), "restic: it failed ? here");
    assert_int_equal(json_object_size(host), 3);
    assert_false(output_succeeded(o));
    json_decref(o);
}

static void a_long_error_is_cut(void **state)
{
    char text[3000];
    struct output_result r = {.hostname = "h", .error = text};
    json_t *o;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    o = output_make(&ref, &r);
    assert_int_equal(strlen(json_text(o, "targetStatus.stats.0.error")), 1024);
    json_decref(o);
}

static void a_file_that_is_no_output_is_refused(void **state)
{
    struct error e;
    json_t *o = NULL;

    (void)state;
    assert_int_equal(output_parse(STR("{\"targetStatus\":{\"stats\":[]}}"), &o, &e), 0);
    assert_false(output_succeeded(o));
    json_decref(o);
    assert_int_equal(output_parse(STR("{\"targetStatus\":3}"), &o, &e), ERR_INVALID);
    assert_int_equal(output_parse(STR("{"), &o, &e), ERR_INVALID);
    assert_int_equal(output_parse(STR_NONE, &o, &e), ERR_INVALID);
}

static void known_credentials_leave_no_text(void **state)
{
    struct redact r = {0};
    char message[64] = "login as app with geheim/1: geheim%2F1";
    struct buf b;

    (void)state;
    redact_add(&r, STR("geheim/1"));
    redact_add(&r, STR("short"));
    redact_message(&r, message, sizeof(message));
    assert_string_equal(message, "login as app with [redacted]: [redacted]");
    buf_init(&b, 1000);
    redact_text(&r, &b, STR("geheim/geheim/1geheim/ short"));
    assert_string_equal(b.data, "geheim/[redacted]geheim/ short");
    buf_done(&b);
    redact_done(&r);
}

static void each_line_of_a_key_is_a_credential(void **state)
{
    struct redact r = {0};
    struct buf b;

    (void)state;
    redact_add(&r, STR("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----\n"));
    buf_init(&b, 1000);
    redact_text(&r, &b, STR("bad line MIIEvQIBADAN of -----BEGIN PRIVATE KEY-----"));
    assert_string_equal(b.data, "bad line [redacted] of -----BEGIN PRIVATE KEY-----");
    buf_done(&b);
    redact_done(&r);
}

static void big_keys_leave_room_for_what_comes_later(void **state)
{
    struct redact r = {0};
    char message[64] = "request with one-time-secret";
    struct buf key;

    (void)state;
    buf_init(&key, 10000);
    for (int i = 0; i < 150; i++)
        buf_printf(&key, "line-%d-of-keys\n", i);
    redact_add(&r, buf_str(&key));
    redact_add(&r, STR("one-time-secret"));
    redact_message(&r, message, sizeof(message));
    assert_string_equal(message, "request with [redacted]");
    buf_done(&key);
    redact_done(&r);
}

static void command_lines_are_masked(void **state)
{
    static const char *const argv[] = {"mysqldump", "-pxyz", "--password=abc", "--host=db", "--ssl-key=/m/k", NULL};
    struct redact r = {0};
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    redact_argv(&r, &b, argv);
    assert_string_equal(b.data, "mysqldump -p*** --password=*** --host=db --ssl-key=***");
    buf_done(&b);
    redact_done(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, tear_down)
    static const struct CMUnitTest tests[] = {
        T(a_backup_is_written_as_in_the_specification),
        T(what_the_cluster_bore_is_told_with_the_host),
        T(a_failure_has_its_error_and_nothing_else),
        T(a_long_error_is_cut),
        T(a_file_that_is_no_output_is_refused),
        T(known_credentials_leave_no_text),
        T(big_keys_leave_room_for_what_comes_later),
        T(each_line_of_a_key_is_a_credential),
        T(command_lines_are_masked),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
