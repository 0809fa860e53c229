/*
 * rotation: see rotation.h.
 *
 *   none or expired --make--> current --2/3 of its life--> current + next --published, settled--> current + old CA
 *                                ^                                                                     |
 *                                +------------------------------- after an hour ----------------------+
 */
#include "controllers/rotation.h"

#include <stdio.h>

#include "core/base/base64.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

enum {
    BACKDATE_S = 300, /* clocks of others may be behind */
    SETTLE_S = 60,    /* API servers hear of a changed bundle by a watch of their own */
    KEEP_OLD_S = 3600 /* replicas look at the Secret far more often */
};

/* ---- reading ---- */

static const char *value_of(const json_t *secret, const char *key, struct arena *a)
{
    const char *text = json_string_value(json_object_get(json_at(secret, "data"), key));
    const char *value = "";
    struct buf out;

    buf_init(&out, LIMIT_STRING);
    if (text && base64_decode(&out, str_of(text)) && strlen(out.data) == out.len)
        value = arena_strdup(a, out.data);
    mem_wipe(out.data, out.len);
    buf_done(&out);
    return value;
}

static void read_pair(const json_t *secret, const char *prefix, const struct rotation_rules *rules, struct arena *a,
                      struct rotation_pair_text *ret)
{
    int64_t from_s = 0, to_s = 0;

    *ret = (struct rotation_pair_text){.ca = value_of(secret, arena_printf(a, "%sca.crt", prefix), a),
                                       .cert = value_of(secret, arena_printf(a, "%stls.crt", prefix), a),
                                       .key = value_of(secret, arena_printf(a, "%stls.key", prefix), a)};
    if (!*ret->ca || !*ret->cert || !*ret->key || rules->times(ret->cert, &from_s, &to_s, NULL) < 0)
        return;
    ret->made_s = from_s + BACKDATE_S;
    ret->expires_s = to_s;
}

void rotation_read(const json_t *secret, const struct rotation_rules *rules, struct arena *a, struct rotation *ret)
{
    read_pair(secret, "", rules, a, &ret->current);
    read_pair(secret, "next-", rules, a, &ret->next);
    ret->old_ca = value_of(secret, "old-ca.crt", a);
    if (str_to_i64(str_of(value_of(secret, "old-ca.until", a)), &ret->old_until_s) < 0)
        ret->old_until_s = 0; /* not ours: nothing is lost */
    ret->bundle = arena_printf(a, "%s%s%s", ret->current.ca, ret->next.expires_s ? ret->next.ca : "", ret->old_ca);
}

/* ---- what to write ---- */

static void put(json_t *data, const char *key, const char *value)
{
    struct buf out;

    buf_init(&out, LIMIT_STRING * 2);
    base64_encode(&out, str_of(value));
    json_object_set_new(data, key, *value ? json_string(out.data) : json_null());
    mem_wipe(out.data, out.len);
    buf_done(&out);
}

static int make_pair(const struct rotation_rules *rules, int64_t now_s, const char *const keys[3], json_t *data,
                     struct error *e)
{
    struct rotation_pair pair = {0};
    int rc = rules->make(rules->ctx, now_s - BACKDATE_S, now_s + rules->lifetime_s, &pair, e);

    if (rc < 0)
        return rc;
    put(data, keys[0], pair.ca_pem);
    put(data, keys[1], pair.cert_pem);
    put(data, keys[2], pair.key_pem);
    rules->done(&pair);
    return 0;
}

static void drop_next(json_t *data)
{
    put(data, "next-ca.crt", "");
    put(data, "next-tls.crt", "");
    put(data, "next-tls.key", "");
}

static void promote(const struct rotation *r, int64_t until_s, json_t *data)
{
    char until[32];

    (void)snprintf(until, sizeof(until), "%lld", (long long)until_s);
    put(data, "old-ca.until", until);
    put(data, "ca.crt", r->next.ca);
    put(data, "tls.crt", r->next.cert);
    put(data, "tls.key", r->next.key);
    put(data, "old-ca.crt", r->current.ca);
    drop_next(data);
}

/* Short lives are for tests and for the careful: the steps shrink with them. */
static int64_t at_most(int64_t s, int64_t part_of_life_s)
{
    return part_of_life_s < s ? part_of_life_s : s;
}

int rotation_next(const struct rotation *r, const struct rotation_rules *rules, int64_t now_s, bool published,
                  json_t **ret, const char **ret_what, struct error *e)
{
    static const char *const current[] = {"ca.crt", "tls.crt", "tls.key"};
    static const char *const next[] = {"next-ca.crt", "next-tls.crt", "next-tls.key"};
    int64_t life_s = rules->lifetime_s, settle_s = at_most(SETTLE_S, life_s / 12);
    int64_t keep_s = at_most(KEEP_OLD_S, life_s / 6);
    json_t *data = json_object();
    int rc = 0;

    *ret_what = NULL;
    if (!r->current.expires_s || now_s >= r->current.expires_s) {
        *ret_what = "made";
        rc = make_pair(rules, now_s, current, data, e);
        put(data, "old-ca.crt", "");
        put(data, "old-ca.until", "");
        drop_next(data);
    } else if (r->next.expires_s && now_s < r->next.expires_s) {
        if (published && now_s >= r->next.made_s + settle_s) {
            *ret_what = "taken into use";
            promote(r, now_s + keep_s, data);
        }
    } else if (now_s >= r->current.made_s + (r->current.expires_s - r->current.made_s) * 2 / 3) {
        *ret_what = "made for the time to come";
        rc = make_pair(rules, now_s, next, data, e);
    } else if (*r->old_ca && now_s >= r->old_until_s) {
        *ret_what = "forgotten: the old CA";
        put(data, "old-ca.crt", "");
        put(data, "old-ca.until", "");
    }
    *ret = *ret_what && rc == 0 ? json_pack("{s:O}", "data", data) : NULL;
    json_decref(data);
    return rc;
}
