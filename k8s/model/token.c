/*
 * token: see token.h. The model has no source of randomness but env's, which isn't made for keys: the key is hashed
 * from the model's seed and env's numbers, and is as strong as the seed that the model was given.
 */
#include "k8s/model/token.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/authn.h"

#define KEY_SECRET "service-account-key"
#define ISSUER "https://kubernetes.default.svc"

/* ---- the key ---- */

/* 64 bytes. */
static const char *key_of(struct model *m)
{
    struct stored *o = store_get(store_table(m->store, "secrets"), "kube-system", KEY_SECRET);
    char text[128], key[65];
    json_t *secret;
    struct buf data;

    if (m->token_key)
        return m->token_key;
    buf_init(&data, 1024);
    if (o && base64_decode(&data, json_str(json_at(o->json, "data.key"))) && data.len == 64) {
        m->token_key = buf_take(&data);
        return m->token_key;
    }
    buf_clear(&data);
    (void)snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64 "%016" PRIx64, m->seed, env_random(m->env),
                   env_random(m->env));
    str_sha256_hex(str_of(text), key);
    m->token_key = mem_strdup(key);
    base64_encode(&data, str_of(key));
    secret = json_pack("{s:{s:s}, s:{s:s}}", "metadata", "name", KEY_SECRET, "data", "key", data.data);
    /* Fails only while kube-system isn't there yet; such a key lives as long as the process. */
    (void)model_do(m, "system:apiserver", "POST", "/api/v1/namespaces/kube-system/secrets", secret, NULL);
    json_decref(secret);
    mem_wipe(key, sizeof(key));
    buf_done(&data);
    return m->token_key;
}

void token_done(struct model *m)
{
    if (m->token_key)
        mem_wipe(m->token_key, strlen(m->token_key));
    mem_free(m->token_key);
}

/* ---- base64url ---- */

static void url_encode(struct buf *out, struct str bytes)
{
    size_t from = out->len;

    base64_encode(out, bytes);
    while (out->len > from && out->data[out->len - 1] == '=')
        out->data[--out->len] = 0;
    for (size_t i = from; i < out->len; i++)
        out->data[i] = out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i];
}

static bool url_decode(struct buf *out, struct str text)
{
    struct buf plain;
    bool ok;

    buf_init(&plain, 64 * 1024);
    buf_add_str(&plain, text);
    for (size_t i = 0; i < plain.len; i++)
        plain.data[i] = plain.data[i] == '-' ? '+' : plain.data[i] == '_' ? '/' : plain.data[i];
    while (plain.len % 4)
        buf_putc(&plain, '=');
    ok = buf_error(&plain) == 0 && base64_decode(out, buf_str(&plain));
    buf_done(&plain);
    return ok;
}

/* SHA-256 over two parts, as bytes. */
static void sha256(struct str a, struct str b, unsigned char out[32])
{
    char hex[65];
    struct buf all;

    buf_init(&all, SIZE_MAX / 4);
    buf_add_str(&all, a);
    buf_add_str(&all, b);
    str_sha256_hex(buf_str(&all), hex);
    buf_done(&all);
    for (size_t i = 0; i < 32; i++) {
        unsigned byte = 0;

        (void)sscanf(hex + 2 * i, "%2x", &byte);
        out[i] = (unsigned char)byte;
    }
}

/* HMAC-SHA-256 (RFC 2104), as base64url. The key is 64 bytes, one block, so it needs no hashing and no padding. */
static void sign(struct model *m, struct str text, struct buf *out)
{
    const char *key = key_of(m);
    unsigned char inner[32], mac[32];
    char block[64];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)(key[i] ^ 0x36);
    sha256((struct str){block, sizeof(block)}, text, inner);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)(key[i] ^ 0x5c);
    sha256((struct str){block, sizeof(block)}, (struct str){(const char *)inner, sizeof(inner)}, mac);
    url_encode(out, (struct str){(const char *)mac, sizeof(mac)});
    mem_wipe(block, sizeof(block));
}

/* ---- tokens ---- */

char *token_make(struct model *m, const json_t *account, const char *audience, const char *pod, const char *pod_uid,
                 int64_t until_s)
{
    const char *ns = json_text(account, "metadata.namespace"), *name = json_text(account, "metadata.name");
    int64_t now = env_wall_ms(m->env) / 1000;
    char *subject = mem_printf("system:serviceaccount:%s:%s", ns, name), *text;
    json_t *bound = json_pack("{s:s, s:{s:s, s:s}}", "namespace", ns, "serviceaccount", "name", name, "uid",
                              json_text(account, "metadata.uid"));
    json_t *claims;
    struct buf out, mac;

    if (pod)
        json_object_set_new(bound, "pod", json_pack("{s:s, s:s*}", "name", pod, "uid", pod_uid));
    claims = json_pack("{s:[s], s:I, s:I, s:I, s:s, s:s, s:o, s:I}", "aud", audience ? audience : ISSUER, "exp",
                       (json_int_t)until_s, "iat", (json_int_t)now, "nbf", (json_int_t)now, "iss", ISSUER, "sub",
                       subject, "kubernetes.io", bound, "jti", (json_int_t)++m->token_serial);
    text = json_compact(claims);
    buf_init(&out, 64 * 1024);
    buf_init(&mac, 256);
    url_encode(&out, STR("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    buf_putc(&out, '.');
    url_encode(&out, str_of(text));
    sign(m, buf_str(&out), &mac);
    buf_putc(&out, '.');
    buf_add_str(&out, buf_str(&mac));
    buf_done(&mac);
    mem_free(text);
    mem_free(subject);
    json_decref(claims);
    return buf_take(&out);
}

static bool signature_holds(struct model *m, struct str signed_part, struct str signature)
{
    struct buf mac;
    bool same;

    buf_init(&mac, 256);
    sign(m, signed_part, &mac);
    /* Over its hash, so that the time taken tells nothing of how much was right. */
    {
        char a[65], b[65];

        str_sha256_hex(buf_str(&mac), a);
        str_sha256_hex(signature, b);
        same = strcmp(a, b) == 0;
    }
    buf_done(&mac);
    return same;
}

static struct user *user_of_claims(struct model *m, const json_t *claims)
{
    const json_t *bound = json_object_get(claims, "kubernetes.io");
    const char *ns = json_text(bound, "namespace"), *pod = json_text(bound, "pod.name");
    const char *pod_uid = json_text(bound, "pod.uid");
    struct stored *account, *held_by;

    if (json_int(claims, "exp", 0) <= env_wall_ms(m->env) / 1000)
        return NULL;
    account = store_get(store_table(m->store, "serviceaccounts"), ns, json_text(bound, "serviceaccount.name"));
    if (!account || strcmp(account->uid, json_text(bound, "serviceaccount.uid")) != 0)
        return NULL;
    if (*pod) {
        held_by = store_get(store_table(m->store, "pods"), ns, pod);
        if (!held_by || (*pod_uid && strcmp(held_by->uid, pod_uid) != 0))
            return NULL;
    }
    return authn_user_new(json_text(claims, "sub"), account->uid, "");
}

struct user *token_user(struct model *m, struct str token)
{
    struct str rest = token, head, claims_text;
    struct user *u = NULL;
    struct buf text;
    json_t *claims;

    if (!str_cut(&rest, '.', &head) || !str_cut(&rest, '.', &claims_text) || !rest.n)
        return NULL;
    if (!signature_holds(m, (struct str){token.p, head.n + 1 + claims_text.n}, rest))
        return NULL;
    buf_init(&text, 64 * 1024);
    if (url_decode(&text, claims_text)) {
        claims = json_loadb(text.data, text.len, 0, NULL);
        if (claims)
            u = user_of_claims(m, claims);
        json_decref(claims);
    }
    buf_done(&text);
    return u;
}

char *model_account_token(struct model *m, const char *ns, const char *account, int64_t seconds)
{
    struct stored *o = store_get(store_table(m->store, "serviceaccounts"), ns, account);

    return o ? token_make(m, o->json, NULL, NULL, NULL, env_wall_ms(m->env) / 1000 + seconds) : NULL;
}
