/* test_session_metrics: what a new leader tells of sessions that ended before, by the cache alone. */
#include "test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "controllers/operator_metrics.h"
#include "controllers/session_metrics.h"
#include "core/base/mem.h"
#include "k8s/cache.h"
#include "metrics/push.h"

struct here {
    struct cache *cache;
    struct push *push;
    struct buf page;
    unsigned rv;
    size_t live;
};

static void ignore(void *ctx, const struct kind *k, const struct kobj *old, const struct kobj *now)
{
    (void)ctx;
    (void)k;
    (void)old;
    (void)now;
}

static int set_up(void **state)
{
    struct here *h = calloc(1, sizeof(*h));

    h->live = mem_live();
    h->cache = cache_new(1, ignore, NULL);
    controllers_index(h->cache);
    h->push = push_new(1, NULL);
    buf_init(&h->page, 1 << 20);
    *state = h;
    return 0;
}

static int tear_down(void **state)
{
    struct here *h = *state;

    buf_done(&h->page);
    push_free(h->push);
    cache_free(h->cache);
    assert_int_equal(mem_live(), h->live);
    free(h);
    return 0;
}

/* body: its spec and status. */
static void put(struct here *h, enum kind_id kind, const char *ns, const char *name, const char *created,
                const char *body)
{
    json_t *t = json_loads(body, 0, NULL);
    struct kobj *o;

    assert_non_null(t);
    json_object_set_new(t, "metadata",
                        json_pack("{s:s, s:s, s:s, s:o, s:s}", "namespace", ns, "name", name, "uid", name,
                                  "resourceVersion", json_sprintf("%u", ++h->rv), "creationTimestamp", created));
    o = kobj_from_json(kind_get(kind), t);
    cache_put(h->cache, o);
    kobj_unref(o);
    json_decref(t);
}

static void put_session(struct here *h, const char *invoker, const char *created, const char *phase)
{
    char name[128], body[256];

    (void)snprintf(name, sizeof(name), "%s-%s", invoker, created);
    (void)snprintf(body, sizeof(body),
                   "{\"spec\": {\"invoker\": {\"kind\": \"BackupConfiguration\", \"name\": \"%s\"}}, "
                   "\"status\": {\"phase\": \"%s\"}}", invoker, phase);
    put(h, KIND_BACKUPSESSION, "demo", name, created, body);
}

static void take(void *ctx, const char *ns, const char *job, const char *target, const char *text)
{
    struct here *h = ctx;
    struct error e;

    assert_int_equal(push_put(h->push, ns, job, target, str_of(text), 1772330400500, &e), 0);
}

static void shows(struct here *h, const char *line, bool is_there)
{
    buf_clear(&h->page);
    push_write(h->push, STR_NONE, &h->page);
    if ((strstr(h->page.data, line) != NULL) != is_there)
        fail_msg("\"%s\" is %s in:\n%s", line, is_there ? "not" : "there", h->page.data);
}

static const char configuration[] =
    "{\"spec\": {\"repository\": {\"name\": \"repo\"}}, \"status\": {\"phase\": \"Ready\"}}";

#define OF_DB \
    "driver=\"Restic\",instance=\"\",invoker_kind=\"BackupConfiguration\",invoker_name=\"db\"," \
    "job=\"backupconfiguration-demo-db\",namespace=\"demo\",pusher_namespace=\"demo\",repository=\"repo\""

static void a_failed_backup_stays_one_when_the_lead_changes(void **state)
{
    struct here *h = *state;

    put(h, KIND_BACKUPCONFIGURATION, "demo", "db", "2026-03-01T00:00:00Z", configuration);
    put_session(h, "db", "2026-03-02T00:00:00Z", "Succeeded");
    put_session(h, "db", "2026-03-03T00:00:00Z", "Failed");
    put_session(h, "db", "2026-03-01T00:00:00Z", "Failed");
    put_session(h, "db", "2026-03-04T00:00:00Z", "Skipped");
    put_session(h, "db", "2026-03-05T00:00:00Z", "Running");
    put_session(h, "other", "2026-03-06T00:00:00Z", "Succeeded");
    put(h, KIND_BACKUPCONFIGURATION, "demo", "new", "2026-03-01T00:00:00Z", configuration);
    session_metrics_recall(h->cache, take, h);
    shows(h, "stash_appscode_com_backupsession_success{" OF_DB "} 0\n", true);
    shows(h, "stash_appscode_com_backupsession_last_success_time_seconds{" OF_DB "} 1.7724096e+09\n", true);
    shows(h, "invoker_name=\"new\"", false);

    put_session(h, "db", "2026-03-05T00:00:00Z", "Succeeded");
    session_metrics_recall(h->cache, take, h);
    shows(h, "stash_appscode_com_backupsession_success{" OF_DB "} 1\n", true);
    shows(h, "stash_backup_session_success{" OF_DB "} 1\n", true);
}

static void a_failed_restore_stays_one_too(void **state)
{
    static const char body[] =
        "{\"spec\": {\"repository\": {\"name\": \"repo\"}, \"target\": {\"ref\": {\"apiVersion\": "
        "\"appcatalog.appscode.com/v1alpha1\", \"kind\": \"AppBinding\", \"name\": \"db\"}}}, "
        "\"status\": {\"phase\": \"%s\"}}";
    struct here *h = *state;
    char text[512];

    put(h, KIND_APPBINDING, "demo", "db", "2026-03-01T00:00:00Z",
        "{\"spec\": {\"type\": \"kubedb.com/perconaxtradb\"}}");
    (void)snprintf(text, sizeof(text), body, "Failed");
    put(h, KIND_RESTORESESSION, "demo", "r", "2026-03-01T00:00:00Z", text);
    (void)snprintf(text, sizeof(text), body, "Pending");
    put(h, KIND_RESTORESESSION, "demo", "waits", "2026-03-01T00:00:00Z", text);
    session_metrics_recall(h->cache, take, h);
    shows(h, "stash_appscode_com_restoresession_success{", true);
    shows(h,
          "stash_appscode_com_restoresession_target_success{driver=\"Restic\",group=\"kubedb.com\",instance=\"\","
          "invoker_kind=\"RestoreSession\",invoker_name=\"r\",job=\"restoresession-demo-r\",kind=\"perconaxtradb\","
          "name=\"db\",namespace=\"demo\",pusher_namespace=\"demo\",repository=\"repo\",target=\"appbinding-db\"} 0\n",
          true);
    shows(h, "waits", false);
}

static void phases_and_damage_are_read_from_the_cache(void **state)
{
    static const char invalid[] = "{\"spec\": {}, \"status\": {\"phase\": \"Invalid\"}}";
    const struct operator_settings settings = {.fullname = "stashd"};
    struct here *h = *state;
    struct registry *r = registry_new();
    struct operator_metrics m;

    operator_metrics_init(&m, r, &settings);
    put(h, KIND_BACKUPCONFIGURATION, "demo", "a", "2026-03-01T00:00:00Z", configuration);
    put(h, KIND_BACKUPCONFIGURATION, "demo", "b", "2026-03-01T00:00:00Z", configuration);
    put(h, KIND_BACKUPCONFIGURATION, "demo", "c", "2026-03-01T00:00:00Z", invalid);
    put(h, KIND_REPOSITORY, "demo", "good", "2026-03-01T00:00:00Z", "{\"status\": {\"integrity\": true}}");
    put(h, KIND_REPOSITORY, "demo", "bad", "2026-03-01T00:00:00Z", "{\"status\": {\"integrity\": false}}");
    put(h, KIND_REPOSITORY, "demo", "unknown", "2026-03-01T00:00:00Z", "{\"status\": {}}");
    operator_metrics_collect(&m, h->cache, true, NULL, 0, 0);
    registry_write(r, &h->page);
    assert_non_null(strstr(h->page.data, "\nstash_operator_configurations{phase=\"Ready\"} 2\n"));
    assert_non_null(strstr(h->page.data, "\nstash_operator_configurations{phase=\"NotReady\"} 0\n"));
    assert_non_null(strstr(h->page.data, "\nstash_operator_configurations{phase=\"Invalid\"} 1\n"));
    assert_non_null(strstr(h->page.data, "\nstash_operator_repositories_damaged 1\n"));
    registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failed_backup_stays_one_when_the_lead_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_restore_stays_one_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(phases_and_damage_are_read_from_the_cache, set_up, tear_down),
    };

    mem_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
