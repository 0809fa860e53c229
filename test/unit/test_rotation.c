/* rotation: the life of a certificate by a clock that we turn: made, renewed, promoted, forgotten; never a gap. */
#include "test.h"

#include "controllers/rotation.h"
#include "core/base/base64.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/net/cert.h"

enum { LIFE = 90 * 86400 };

struct world {
    struct arena arena;
    struct rotation_rules rules;
    struct rotation r;
    json_t *secret; /* NULL: none */
    int64_t now;
    unsigned made;
    size_t live;
};

static int make(void *ctx, int64_t from_s, int64_t to_s, struct rotation_pair *ret, struct error *e)
{
    struct world *w = ctx;
    const char *const names[] = {"stashd.stash.svc", NULL};
    struct cert ca = {0}, own = {0};

    w->made++;
    assert_int_equal(cert_make(&(struct cert_spec){.common_name = "CA", .ca = true, .from_unix_s = from_s,
                                                   .to_unix_s = to_s}, NULL, &ca, e), 0);
    assert_int_equal(cert_make(&(struct cert_spec){.common_name = "s", .names = names, .from_unix_s = from_s,
                                                   .to_unix_s = to_s}, &ca, &own, e), 0);
    *ret = (struct rotation_pair){mem_strdup(ca.cert_pem), own.cert_pem, own.key_pem};
    cert_done(&ca);
    return 0;
}

static void done(struct rotation_pair *pair)
{
    mem_free(pair->ca_pem);
    mem_free(pair->cert_pem);
    mem_free(pair->key_pem);
}

static int setup(void **state)
{
    size_t live = mem_live();
    struct world *w = mem_zalloc(sizeof(*w));

    w->live = live;
    w->now = 1800000000;
    w->rules = (struct rotation_rules){LIFE, make, done, cert_times, w};
    arena_init(&w->arena);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    size_t live = w->live;

    json_decref(w->secret);
    arena_done(&w->arena);
    mem_free(w);
    assert_int_equal(mem_live(), live);
    return 0;
}

/* One look; the write is carried out. What it did; "" for nothing. */
static const char *look(struct world *w, bool published)
{
    const char *what, *key;
    json_t *patch, *value, *data;
    struct error e;

    arena_reset(&w->arena);
    rotation_read(w->secret, &w->rules, &w->arena, &w->r);
    assert_int_equal(rotation_next(&w->r, &w->rules, w->now, published, &patch, &what, &e), 0);
    if (!patch)
        return "";
    if (!w->secret)
        w->secret = json_pack("{s:{}}", "data");
    data = json_object_get(w->secret, "data");
    json_object_foreach (json_object_get(patch, "data"), key, value) {
        if (json_is_null(value))
            json_object_del(data, key);
        else
            json_object_set(data, key, value);
    }
    json_decref(patch);
    rotation_read(w->secret, &w->rules, &w->arena, &w->r);
    return what;
}

static void a_certificate_is_made_once_and_rests(void **state)
{
    struct world *w = *state;

    assert_string_equal(look(w, false), "made");
    assert_int_equal(w->r.current.made_s, w->now);
    assert_int_equal(w->r.current.expires_s, w->now + LIFE);
    assert_string_equal(w->r.bundle, w->r.current.ca);
    assert_string_equal(look(w, false), "");
    w->now += LIFE * 2 / 3 - 1;
    assert_string_equal(look(w, true), "");
    assert_int_equal(w->made, 1);
}

static void a_renewal_tells_clients_first_and_forgets_last(void **state)
{
    struct world *w = *state;
    char *first;

    (void)look(w, false);
    first = mem_strdup(w->r.current.cert);
    w->now += LIFE * 2 / 3;
    assert_string_equal(look(w, true), "made for the time to come");
    assert_string_equal(w->r.current.cert, first); /* still served */
    assert_non_null(strstr(w->r.bundle, w->r.current.ca));
    assert_non_null(strstr(w->r.bundle, w->r.next.ca));
    w->now += 3600;
    assert_string_equal(look(w, false), ""); /* not before clients know it */
    assert_string_equal(look(w, true), "taken into use");
    assert_string_not_equal(w->r.current.cert, first);
    assert_non_null(strstr(w->r.bundle, w->r.old_ca));
    assert_true(*w->r.old_ca);
    assert_string_equal(look(w, true), "");
    w->now += 3600;
    assert_string_equal(look(w, true), "forgotten: the old CA");
    assert_string_equal(w->r.bundle, w->r.current.ca);
    assert_string_equal(look(w, true), "");
    assert_int_equal(w->made, 2);
    mem_free(first);
}

/* API servers and replicas are given time even when all goes at once. */
static void each_step_waits_for_those_who_follow(void **state)
{
    struct world *w = *state;

    (void)look(w, false);
    w->now += LIFE * 2 / 3;
    (void)look(w, true);
    w->now += 59;
    assert_string_equal(look(w, true), "");
    w->now += 1;
    assert_string_equal(look(w, true), "taken into use");
    w->now += 3599;
    assert_string_equal(look(w, true), "");
    w->now += 1;
    assert_string_equal(look(w, true), "forgotten: the old CA");
}

static void an_expired_or_broken_one_is_made_anew(void **state)
{
    struct world *w = *state;

    (void)look(w, false);
    w->now += LIFE;
    assert_string_equal(look(w, true), "made");
    assert_int_equal(w->r.current.expires_s, w->now + LIFE);
    json_object_set_new(json_object_get(w->secret, "data"), "tls.crt", json_string("bm9uc2Vuc2U="));
    assert_string_equal(look(w, true), "made");
    json_object_clear(json_object_get(w->secret, "data"));
    assert_string_equal(look(w, true), "made");
    assert_string_equal(look(w, true), "");
    assert_int_equal(w->made, 4);
}

/* A year, a look every six hours: what is served is always valid, and clients were told of it a look before. */
static void through_a_year_there_is_no_gap(void **state)
{
    struct world *w = *state;
    char *told = mem_strdup("");

    for (int64_t end = w->now + 365 * 86400; w->now < end; w->now += 6 * 3600) {
        (void)look(w, strcmp(told, w->r.bundle ? w->r.bundle : "") == 0);
        assert_true(w->r.current.expires_s > w->now);
        if (*told)
            assert_non_null(strstr(told, w->r.current.ca));
        mem_free(told);
        told = mem_strdup(w->r.bundle);
    }
    assert_in_range(w->made, 5, 8);
    mem_free(told);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_certificate_is_made_once_and_rests),
        T(a_renewal_tells_clients_first_and_forgets_last),
        T(each_step_waits_for_those_who_follow),
        T(an_expired_or_broken_one_is_made_anew),
        T(through_a_year_there_is_no_gap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
