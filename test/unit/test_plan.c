/* test_plan: effects as data: merging, settling against what
 * is known, printing; refusals and conditions beside them. */
#include "test.h"

#include <string.h>

#include "controllers/condition.h"
#include "controllers/identity.h"
#include "controllers/plan.h"
#include "controllers/world.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "support_world.h"

struct bench {
    struct arena arena;
    struct plan plan;
    struct kobj *self;
    struct buf out;
    size_t live;
};

static int setup(void **state)
{
    struct bench *b;
    json_t *object;
    size_t live;

    mem_install(1);
    live = mem_live();
    b = mem_zalloc(sizeof(*b));
    b->live = live;
    object = test_yaml("{metadata: {name: s1, namespace: demo, uid: u1, resourceVersion: '7'}}");
    b->self = kobj_from_json(kind_get(KIND_BACKUPSESSION), object);
    json_decref(object);
    arena_init(&b->arena);
    buf_init(&b->out, 64 * 1024);
    plan_init(&b->plan, &b->arena, b->self, 1000);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    size_t live = b->live;

    arena_done(&b->arena);
    buf_done(&b->out);
    kobj_unref(b->self);
    mem_free(b);
    assert_int_equal(mem_live(), live);
    return 0;
}

static const char *print(struct bench *b)
{
    buf_clear(&b->out);
    plan_print(&b->plan, &b->out);
    return b->out.data;
}

static json_t *object(const char *name)
{
    return json_pack("{s:{s:s}}", "metadata", "name", name);
}

static void each_effect_is_a_line(void **state)
{
    struct bench *b = *state;

    assert_true(plan_is_empty(&b->plan));
    plan_create(&b->plan, kind_get(KIND_JOB), "demo", object("j"));
    plan_apply(&b->plan, kind_get(KIND_SERVICEACCOUNT), "demo", object("a"));
    plan_status(&b->plan, json_pack("{s:s, s:[{s:s, s:s, s:s}]}", "phase", "Running", "conditions", "type", "A",
                                    "status", "True", "reason", "R"));
    plan_patch(&b->plan, kind_get(KIND_REPOSITORY), "demo", "r", "status", NULL, json_pack("{s:{}}", "status"));
    plan_delete(&b->plan, kind_get(KIND_JOB), "demo", "old", "u", "Foreground");
    plan_delete(&b->plan, kind_get(KIND_TASK), NULL, "t", NULL, NULL);
    plan_event(&b->plan, "Normal", "Some Thing", "%d of %s", 1, "x");
    plan_count(&b->plan, "family", "a", 2);
    plan_wake(&b->plan, kind_get(KIND_REPOSITORY), "demo", "r");
    plan_wake_at(&b->plan, 1090);
    plan_wake_at(&b->plan, 1060);
    assert_string_equal(print(b), "create Job demo/j\n"
                                  "apply ServiceAccount demo/a\n"
                                  "status phase=Running conditions=A=True/R\n"
                                  "patch Repository demo/r status {\"status\":{}}\n"
                                  "delete Job demo/old Foreground\n"
                                  "delete Task t Background\n"
                                  "event Normal Some Thing: 1 of x\n"
                                  "count family{a} 2\n"
                                  "wake Repository demo/r\n"
                                  "wake 1m0s\n");
}

static void an_object_names_its_type_and_place(void **state)
{
    struct bench *b = *state;
    const struct effect *e;

    plan_create(&b->plan, kind_get(KIND_JOB), "demo", object("j"));
    e = LIST_ENTRY(b->plan.effects.next, struct effect, link);
    assert_string_equal(json_text(e->body, "apiVersion"), "batch/v1");
    assert_string_equal(json_text(e->body, "kind"), "Job");
    assert_string_equal(json_text(e->body, "metadata.namespace"), "demo");
    assert_string_equal(e->name, "j");
}

static void statuses_in_a_row_become_one_and_others_stay_apart(void **state)
{
    struct bench *b = *state;

    plan_status(&b->plan, json_pack("{s:s, s:i}", "phase", "Pending", "n", 1));
    plan_status(&b->plan, json_pack("{s:s}", "phase", "Running"));
    plan_create(&b->plan, kind_get(KIND_JOB), "demo", object("j"));
    plan_status(&b->plan, json_pack("{s:i}", "totalHosts", 1));
    assert_string_equal(print(b), "status phase=Running n=1\ncreate Job demo/j\nstatus totalHosts=1\n");
}

static void what_is_so_already_is_left_out(void **state)
{
    struct bench *b = *state;
    json_t *doc =
        test_yaml("{metadata: {resourceVersion: '9'}, status: {phase: Running, list: [1], map: {a: 1, b: 2}}}");
    const struct effect *e;

    plan_status(&b->plan, json_pack("{s:s, s:[i], s:{s:i}, s:n, s:[i,i]}", "phase", "Running", "list", 1, "map", "a", 1,
                                    "absent", "other", 1, 2));
    plan_create(&b->plan, kind_get(KIND_JOB), "demo", object("j"));
    plan_status(&b->plan, json_pack("{s:[i,i]}", "other", 1, 2)); /* the first patch made it so */
    plan_settle(&b->plan, doc);
    assert_string_equal(print(b), "status other=[1,2]\ncreate Job demo/j\n");
    e = LIST_ENTRY(b->plan.effects.next, struct effect, link);
    assert_string_equal(e->rv, "9");
    json_decref(doc);
}

static void without_the_document_all_is_written_with_the_records_version(void **state)
{
    struct bench *b = *state;
    const struct effect *e;

    plan_status(&b->plan, json_pack("{s:s}", "phase", "Running"));
    plan_settle(&b->plan, NULL);
    e = LIST_ENTRY(b->plan.effects.next, struct effect, link);
    assert_string_equal(e->rv, "7");
}

static void an_empty_patch_is_known_by_its_effect(void **state)
{
    json_t *target = test_yaml("{a: 1, b: {c: 2, d: [1, 2]}}"), *patch;

    (void)state;
    patch = test_yaml("{b: {c: 2, x: null}, y: null}");
    assert_true(plan_patch_is_empty(target, patch));
    json_decref(patch);
    patch = test_yaml("{b: {d: [2, 1]}}");
    assert_false(plan_patch_is_empty(target, patch));
    json_decref(patch);
    patch = test_yaml("{a: null}");
    assert_false(plan_patch_is_empty(target, patch));
    json_decref(patch);
    json_decref(target);
}

/* ---- refusals ---- */

static void a_403_is_not_one_thing(void **state)
{
    static const struct {
        const char *message;
        enum refusal_kind why;
    } rows[] = {
        {"pods \"x\" is forbidden: exceeded quota: q, requested: pods=1", REFUSAL_QUOTA},
        {"jobs is forbidden: status unknown for quota: q", REFUSAL_QUOTA},
        {"pods \"x\" is forbidden: failed quota: q: must specify limits.cpu", REFUSAL_QUOTA_NEEDS},
        {"maximum memory usage per Container is 1Gi, but limit is 2Gi", REFUSAL_LIMIT_RANGE},
        {"pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"", REFUSAL_POLICY},
        {"admission webhook \"x\" denied the request", REFUSAL_POLICY},
        {"User \"u\" cannot create resource \"jobs\"", REFUSAL_FORBIDDEN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(refusal_classify(ERR_DENIED, 403, "Forbidden", "", rows[i].message), rows[i].why);
    assert_int_equal(refusal_classify(ERR_DENIED, 403, "Forbidden", "NamespaceTerminating", ""), REFUSAL_TERMINATING);
    assert_int_equal(refusal_classify(ERR_DENIED, 401, "Unauthorized", "", ""), N_REFUSALS);
    assert_int_equal(refusal_classify(ERR_INVALID, 422, "Invalid", "", ""), REFUSAL_INVALID);
    assert_int_equal(refusal_classify(ERR_NET, 500, "", "", ""), N_REFUSALS);
    assert_int_equal(refusal_classify(ERR_CONFLICT, 409, "Conflict", "", ""), N_REFUSALS);
}

static void a_full_quota_is_asked_again_within_ten_minutes(void **state)
{
    (void)state;
    for (uint32_t times = 1; times < 40; times++) {
        for (uint64_t r = 0; r < 5000; r += 97)
            assert_in_range(refusal_delay_s(REFUSAL_QUOTA, "exceeded quota", times, r), 30, 630);
    }
    assert_int_equal(refusal_delay_s(REFUSAL_QUOTA, "status unknown for quota: q", 9, 5), 5);
}

/* ---- conditions ---- */

static void an_equal_condition_keeps_its_time(void **state)
{
    json_t *list = json_array();

    (void)state;
    condition_set(list, 1000, "A", "True", "R", "n %d", 1);
    condition_set(list, 2000, "B", "False", "R", "x");
    condition_set(list, 3000, "A", "True", "R", "n %d", 1);
    assert_int_equal(condition_since(list, "A"), 1000);
    condition_set(list, 3000, "A", "True", "R", "n %d", 2); /* another message moves it */
    assert_int_equal(condition_since(list, "A"), 3000);
    assert_string_equal(json_text(list, "0.type"), "A"); /* in place */
    assert_string_equal(condition_status(list, "B"), "False");
    condition_drop(list, "A");
    assert_string_equal(condition_status(list, "A"), "");
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
}

static void a_message_cut_within_a_character_is_still_a_string(void **state)
{
    json_t *list = json_array();
    char text[2000];

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa4", 3);
    condition_set(list, 1, "A", "True", "R", "x%s", text);
    assert_in_range(strlen(condition_message(list, "A")), 1000, 1023);
    json_decref(list);
}

/* ---- identities ---- */

static void note_wake(void *ctx, const char *ns, const char *name)
{
    (void)ns;
    buf_printf(ctx, "%s ", name);
}

/* The namespaces that the operator looks at when it begins to lead. */
static const char *first_looks(struct test_world *w)
{
    buf_clear(&w->out);
    identity_controller.first_look(w->cache, &w->settings, 7, note_wake, &w->out);
    return w->out.data;
}

static void accounts_are_made_once_and_go_with_the_last_invoker(void **state)
{
    struct test_world *w;
    const struct kobj *invoker;
    struct identity_want want = {0};

    (void)state;
    test_world_setup((void **)&w);
    test_world_add(w, "{apiVersion: v1, kind: Namespace, metadata: {name: demo}}");
    test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupConfiguration, metadata: {name: db, "
                      "namespace: demo}}");
    invoker = cache_find(w->cache, kind_get(KIND_BACKUPCONFIGURATION), "demo", "db");
    arena_init(&w->arena);
    for (int round = 0; round < 2; round++) {
        world_init(&w->world, &w->settings, w->cache, &w->arena, w->now_ms, w->now_ms);
        plan_init(&w->plan, &w->arena, invoker, 0);
        want.invoker = invoker;
        assert_string_equal(identity_ensure(&w->world, &w->plan, &want), "stash-backup");
        buf_clear(&w->out);
        plan_print(&w->plan, &w->out);
        assert_string_equal(w->out.data, round ? ""
                                               : "apply ServiceAccount demo/stash-backup\n"
                                                 "apply RoleBinding demo/stash-backup\n");
        test_world_carry_out(w);
    }
    want.user_account = "mine";
    assert_string_equal(identity_ensure(&w->world, &w->plan, &want), "mine");
    buf_clear(&w->out);
    plan_print(&w->plan, &w->out);
    assert_string_equal(w->out.data, "apply RoleBinding demo/backupconfiguration-db-0\n");
    test_world_carry_out(w);
    plan_init(&w->plan, &w->arena, invoker, 0);
    assert_string_equal(identity_ensure(&w->world, &w->plan, &want), "mine");
    assert_true(plan_is_empty(&w->plan));
    want.user_account = "another"; /* the invoker was edited: its binding must follow */
    assert_string_equal(identity_ensure(&w->world, &w->plan, &want), "another");
    buf_clear(&w->out);
    plan_print(&w->plan, &w->out);
    assert_string_equal(w->out.data, "apply RoleBinding demo/backupconfiguration-db-0\n");
    assert_string_equal(test_world_decide(w, &identity_controller, NULL, "demo"), "");
    assert_string_equal(first_looks(w), "");
    test_world_del(w, KIND_BACKUPCONFIGURATION, "demo", "db");
    assert_string_equal(first_looks(w), "demo "); /* whoever heard of the deletion was killed */
    assert_string_equal(test_world_step(w, &identity_controller, NULL, "demo"),
                        "delete RoleBinding demo/stash-backup Background\n"
                        "delete ServiceAccount demo/stash-backup Background\n");
    assert_string_equal(first_looks(w), "");
    test_world_teardown((void **)&w);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_effect_is_a_line),
        T(an_object_names_its_type_and_place),
        T(statuses_in_a_row_become_one_and_others_stay_apart),
        T(what_is_so_already_is_left_out),
        T(without_the_document_all_is_written_with_the_records_version),
        T(an_empty_patch_is_known_by_its_effect),
        cmocka_unit_test(a_403_is_not_one_thing),
        cmocka_unit_test(a_full_quota_is_asked_again_within_ten_minutes),
        cmocka_unit_test(an_equal_condition_keeps_its_time),
        cmocka_unit_test(a_message_cut_within_a_character_is_still_a_string),
        cmocka_unit_test(accounts_are_made_once_and_go_with_the_last_invoker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
