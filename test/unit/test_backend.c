/* test_backend: coordinates and Secret keys to restic's variables and flags (restic.md 1-3). */
#include "test.h"

#include "core/base/mem.h"
#include "core/restic/backend.h"

static int tear_down(void **state)
{
    (void)state;
    return mem_live() ? -1 : 0;
}

/* A Secret as "KEY", "value" pairs, NULL-terminated. */
static struct str key_of(void *ctx, const char *key)
{
    for (const char *const *p = ctx; *p; p += 2)
        if (strcmp(*p, key) == 0)
            return str_of(p[1]);
    return STR_NONE;
}

static const char *const password[] = {"RESTIC_PASSWORD", "pw\n", NULL};

static void assert_location(const struct backend_params *p, const char *const *keys, const char *expected)
{
    struct backend b;
    struct error e = {0};

    if (backend_init(&b, p, key_of, (void *)(uintptr_t)keys, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(b.repository, expected);
    backend_done(&b);
}

static void assert_refused(const struct backend_params *p, const char *const *keys, const char *message)
{
    struct backend b;
    struct error e = {0};

    assert_int_equal(backend_init(&b, p, key_of, (void *)(uintptr_t)keys, &e), ERR_INVALID);
    assert_string_equal(e.msg, message);
    backend_done(&b);
}

static void each_provider_has_its_form(void **state)
{
    static const char *const b2[] = {"RESTIC_PASSWORD", "p", "B2_ACCOUNT_ID", "i", "B2_ACCOUNT_KEY", "k", NULL};

    (void)state;
    assert_location(&(struct backend_params){.provider = "local", .bucket = "/safe/data"}, password, "/safe/data");
    assert_location(&(struct backend_params){.provider = "s3", .endpoint = "https://s3.example/", .bucket = "b",
                                             .prefix = "/demo//db/"},
                    password, "s3:https://s3.example/b/demo/db");
    assert_location(&(struct backend_params){.provider = "s3", .endpoint = "s3.example", .bucket = "b"}, password,
                    "s3:s3.example/b");
    assert_location(&(struct backend_params){.provider = "gcs", .bucket = "b", .prefix = "/demo"}, password,
                    "gs:b:/demo");
    assert_location(&(struct backend_params){.provider = "azure", .bucket = "c", .prefix = "x"}, password,
                    "azure:c:/x");
    assert_location(&(struct backend_params){.provider = "swift", .bucket = "c"}, password, "swift:c:/");
    assert_location(&(struct backend_params){.provider = "b2", .bucket = "b", .prefix = "p"}, b2, "b2:b:/p");
    assert_location(&(struct backend_params){.provider = "rest", .endpoint = "http://h:8000/r"}, password,
                    "rest:http://h:8000/r");
}

static void a_rest_password_is_escaped_and_stays_out_of_the_location(void **state)
{
    static const char *const keys[] = {"RESTIC_PASSWORD", "p", "REST_SERVER_USERNAME", "me@x", "REST_SERVER_PASSWORD",
                                       "a/b:c", NULL};
    struct backend_params p = {.provider = "rest", .endpoint = "https://h/r"};
    struct backend b;
    struct error e;

    (void)state;
    assert_int_equal(backend_init(&b, &p, key_of, (void *)(uintptr_t)keys, &e), 0);
    assert_string_equal(b.repository, "rest:https://me%40x:a%2Fb%3Ac@h/r");
    assert_string_equal(b.location, "rest:https://h/r");
    backend_done(&b);
}

static bool has_var(const struct backend *b, const char *line)
{
    for (size_t i = 0; i < b->n_vars; i++)
        if (strcmp(b->vars[i].bytes, line) == 0)
            return true;
    return false;
}

static void only_the_keys_of_the_provider_reach_restic(void **state)
{
    static const char *const keys[] = {"RESTIC_PASSWORD", "pw\n", "AWS_ACCESS_KEY_ID", "id", "AWS_SECRET_ACCESS_KEY",
                                       "sk", "B2_ACCOUNT_KEY", "no", "LD_PRELOAD", "no", NULL};
    struct backend_params p = {.provider = "s3", .endpoint = "e", .bucket = "b", .region = "eu"};
    struct backend b;
    struct error e;

    (void)state;
    assert_int_equal(backend_init(&b, &p, key_of, (void *)(uintptr_t)keys, &e), 0);
    assert_true(has_var(&b, "RESTIC_PASSWORD=pw\n")); /* not trimmed (restic.md 2) */
    assert_true(has_var(&b, "AWS_ACCESS_KEY_ID=id"));
    assert_true(has_var(&b, "AWS_SECRET_ACCESS_KEY=sk"));
    assert_true(has_var(&b, "AWS_DEFAULT_REGION=eu"));
    assert_int_equal(b.n_vars, 5);
    backend_done(&b);
}

static void files_and_flags_are_told(void **state)
{
    static const char *const keys[] = {"RESTIC_PASSWORD", "p", "CA_CERT_DATA", "PEM", "GOOGLE_SERVICE_ACCOUNT_JSON_KEY",
                                       "{}", "GOOGLE_PROJECT_ID", "proj", NULL};
    struct backend_params p = {.provider = "gcs", .bucket = "b", .max_connections = 7, .cache = true,
                               .cache_dir = "/s/restic-cache", .file_dir = "/m", .insecure_tls = true};
    static const char *const flags[] = {"--cache-dir", "/s/restic-cache", "--cacert", "/m/backend-ca.crt",
                                        "--insecure-tls", "--option", "gs.connections=7"};
    struct backend b;
    struct error e;

    (void)state;
    assert_int_equal(backend_init(&b, &p, key_of, (void *)(uintptr_t)keys, &e), 0);
    assert_int_equal(b.n_flags, sizeof(flags) / sizeof(*flags));
    for (size_t i = 0; i < b.n_flags; i++)
        assert_string_equal(b.flags[i], flags[i]);
    assert_int_equal(b.n_files, 2);
    assert_string_equal(b.files[1].path, "/m/backend-google.json");
    assert_string_equal(b.files[1].bytes.bytes, "{}");
    assert_true(has_var(&b, "GOOGLE_APPLICATION_CREDENTIALS=/m/backend-google.json"));
    assert_true(has_var(&b, "GOOGLE_PROJECT_ID=proj"));
    backend_done(&b);
}

static void what_is_missing_is_named(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const no_b2_key[] = {"RESTIC_PASSWORD", "p", "B2_ACCOUNT_ID", "i", NULL};

    (void)state;
    assert_refused(&(struct backend_params){.provider = "local", .bucket = "/x"}, none,
                   "the storage Secret has no key RESTIC_PASSWORD");
    assert_refused(&(struct backend_params){.provider = "b2", .bucket = "b"}, no_b2_key,
                   "the storage Secret has no key B2_ACCOUNT_KEY, which backend b2 needs");
    assert_refused(&(struct backend_params){.provider = "s4"}, password,
                   "--provider=s4 is no backend: give one of local, s3, gcs, azure, swift, b2 or rest");
    assert_refused(&(struct backend_params){.bucket = "b"}, password,
                   "--provider is missing: give one of local, s3, gcs, azure, swift, b2 or rest");
    assert_refused(&(struct backend_params){.provider = "local"}, password,
                   "backend local needs its mount path: give --bucket (spec.backend.local.mountPath of a Repository)");
    assert_refused(&(struct backend_params){.provider = "s3", .bucket = "b"}, password,
                   "backend s3 needs its endpoint: give --endpoint (spec.backend.s3.endpoint of a Repository)");
    assert_refused(&(struct backend_params){.provider = "azure"}, password,
                   "backend azure needs its container: give --bucket (spec.backend.azure.container of a Repository)");
    assert_refused(&(struct backend_params){.provider = "rest"}, password,
                   "backend rest needs its url: give --endpoint (spec.backend.rest.url of a Repository)");
    assert_refused(&(struct backend_params){.provider = "s3", .bucket = "b", .of_repository = true}, password,
                   "backend s3 needs its endpoint: set spec.backend.s3.endpoint of the Repository");
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, tear_down)
    static const struct CMUnitTest tests[] = {
        T(each_provider_has_its_form),
        T(a_rest_password_is_escaped_and_stays_out_of_the_location),
        T(only_the_keys_of_the_provider_reach_restic),
        T(files_and_flags_are_told),
        T(what_is_missing_is_named),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
