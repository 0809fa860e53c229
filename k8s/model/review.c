/* review: see review.h. Each fills in its status; nothing is stored. */
#include "k8s/model/review.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/authn.h"
#include "k8s/model/cause.h"
#include "k8s/model/rbac.h"
#include "k8s/model/token.h"

static json_t *user_info(const struct user *u)
{
    return json_pack("{s:s, s:s*, s:O}", "username", u->name, "uid", *u->uid ? u->uid : NULL, "groups", u->groups);
}

/* ---- who ---- */

static void review_token(struct request *q, json_t *review)
{
    const char *text = json_text(review, "spec.token");
    struct user *u = *text ? authn_token(q->m, str_of(text)) : NULL;
    json_t *status = json_object();

    if (u) {
        json_object_set_new(status, "authenticated", json_true());
        json_object_set_new(status, "user", user_info(u));
        if (json_at(review, "spec.audiences"))
            json_object_set(status, "audiences", json_at(review, "spec.audiences"));
    } else {
        json_object_set_new(status, "error", json_string("invalid bearer token"));
        json_object_set_new(status, "user", json_object());
    }
    authn_user_free(u);
    json_object_set_new(review, "status", status);
}

static void review_self(struct request *q, json_t *review)
{
    json_object_set_new(review, "status", json_pack("{s:o}", "userInfo", user_info(q->user)));
}

/* ---- may they ---- */

static struct access access_of(const json_t *spec)
{
    const json_t *resource = json_object_get(spec, "resourceAttributes");
    const json_t *other = json_object_get(spec, "nonResourceAttributes");

    if (!resource)
        return (struct access){.verb = json_text(other, "verb"), .group = "", .resource = "", .sub = "", .ns = "",
                               .name = "", .path = json_text(other, "path")};
    return (struct access){
        .is_resource = true,
        .verb = json_text(resource, "verb"),
        .group = json_text(resource, "group"),
        .resource = json_text(resource, "resource"),
        .sub = json_text(resource, "subresource"),
        .ns = json_text(resource, "namespace"),
        .name = json_text(resource, "name"),
        .path = "",
    };
}

static void answer_access(struct request *q, json_t *review, const struct user *u)
{
    struct access a = access_of(json_object_get(review, "spec"));
    char reason[512];
    bool allowed = rbac_allows(q->m, u, &a, reason, sizeof(reason));

    json_object_set_new(review, "status",
                        json_pack("{s:b, s:s*}", "allowed", allowed, "reason", *reason ? reason : NULL));
}

static void review_access(struct request *q, json_t *review)
{
    const json_t *groups = json_at(review, "spec.groups"), *item;
    struct user *u = authn_user_new(json_text(review, "spec.user"), json_text(review, "spec.uid"), "");
    size_t i;

    /* As asked: a review's groups are the whole truth, nothing is implied. */
    json_array_clear(u->groups);
    json_array_foreach(groups, i, item)
        json_array_append(u->groups, (json_t *)(uintptr_t)item);
    answer_access(q, review, u);
    authn_user_free(u);
}

static void review_self_access(struct request *q, json_t *review)
{
    answer_access(q, review, q->user);
}

static void review_self_rules(struct request *q, json_t *review)
{
    json_t *rules = rbac_rules(q->m, q->user, json_text(review, "spec.namespace")), *rule;
    json_t *resources = json_array(), *others = json_array();
    size_t i;

    json_array_foreach(rules, i, rule) {
        if (json_object_get(rule, "nonResourceURLs"))
            json_array_append(others, rule);
        else
            json_array_append(resources, rule);
    }
    json_decref(rules);
    json_object_set_new(review, "status", json_pack("{s:o, s:o, s:b}", "resourceRules", resources, "nonResourceRules",
                                                    others, "incomplete", 0));
}

static const struct {
    const char *kind;
    void (*run)(struct request *q, json_t *review);
} reviews[] = {
    {"TokenReview", review_token},
    {"SelfSubjectReview", review_self},
    {"SubjectAccessReview", review_access},
    {"LocalSubjectAccessReview", review_access},
    {"SelfSubjectAccessReview", review_self_access},
    {"SelfSubjectRulesReview", review_self_rules},
};

static int refuse_review(struct request *q, const char *field, const char *why)
{
    json_t *causes = json_array();
    char text[64];

    (void)snprintf(text, sizeof(text), "spec.%s", field);
    cause_add(causes, "FieldValueInvalid", text, why);
    request_invalid(q, "", causes);
    return 422;
}

/* A review has to say of whom and of what. */
static int check_review(struct request *q, const json_t *review)
{
    const json_t *spec = json_object_get(review, "spec");
    bool resource = json_object_get(spec, "resourceAttributes"), path = json_object_get(spec, "nonResourceAttributes");
    bool others = strcmp(q->r->kind, "SubjectAccessReview") == 0 || strcmp(q->r->kind, "LocalSubjectAccessReview") == 0;

    if (strcmp(q->r->kind, "TokenReview") == 0 && !*json_text(spec, "token"))
        return request_fail(q, 400, "BadRequest", "token is required for TokenReview in authentication");
    if (!others && strcmp(q->r->kind, "SelfSubjectAccessReview") != 0)
        return 0;
    if (resource == path)
        return refuse_review(q, "resourceAttributes",
                             "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be "
                             "specified");
    if (others && !*json_text(spec, "user") && !json_array_size(json_object_get(spec, "groups")))
        return refuse_review(q, "user", "Invalid value: \"\": at least one of user or group must be specified");
    return 0;
}

int review_create(struct request *q)
{
    json_t *body, *review;
    char version[256];
    int status;

    body = request_body(q, &status);
    if (!body)
        return status;
    if (*json_text(body, "kind") && strcmp(json_text(body, "kind"), q->r->kind) != 0)
        return request_fail(q, 400, "BadRequest", "the object provided is no %s", q->r->kind);
    review = json_clone(body);
    json_object_set_new(review, "kind", json_string(q->r->kind));
    json_object_set_new(review, "apiVersion", json_string(resource_api_version(q->r, version)));
    if (!json_is_object(json_object_get(review, "metadata")))
        json_object_set_new(review, "metadata", json_object());
    status = check_review(q, review);
    if (status) {
        json_decref(review);
        return status;
    }
    for (size_t i = 0; i < sizeof(reviews) / sizeof(reviews[0]); i++)
        if (strcmp(reviews[i].kind, q->r->kind) == 0)
            reviews[i].run(q, review);
    q->answer = review;
    return 201;
}

/* ---- tokens ---- */

int review_token_request(struct request *q)
{
    struct stored *account = store_get(q->r->table, q->ns, q->name);
    const char *audience, *pod;
    json_t *body, *request;
    int64_t seconds, until;
    char expires[32], *token;
    int status;

    if (!account)
        return request_not_found(q, q->name);
    body = request_body(q, &status);
    if (!body)
        return status;
    seconds = json_int(body, "spec.expirationSeconds", 3600);
    if (seconds < 600)
        return request_fail(q, 422, "Invalid", "spec.expirationSeconds: Invalid value: %" PRIi64 ": may not specify a "
                                               "duration less than 10 minutes",
                            seconds);
    until = env_wall_ms(q->m->env) / 1000 + seconds;
    audience = json_string_value(json_at(body, "spec.audiences.0"));
    pod = strcmp(json_text(body, "spec.boundObjectRef.kind"), "Pod") == 0 ? json_text(body, "spec.boundObjectRef.name")
                                                                           : NULL;
    token = token_make(q->m, account->json, audience, pod, json_text(body, "spec.boundObjectRef.uid"), until);
    request = json_clone(body);
    json_object_set_new(request, "kind", json_string("TokenRequest"));
    json_object_set_new(request, "apiVersion", json_string("authentication.k8s.io/v1"));
    json_object_set_new(request, "metadata", json_pack("{s:s, s:s}", "name", q->name, "namespace", q->ns));
    if (!json_is_object(json_object_get(request, "spec")))
        json_object_set_new(request, "spec", json_object());
    json_object_set_new(json_object_get(request, "spec"), "expirationSeconds", json_integer(seconds));
    json_object_set_new(request, "status", json_pack("{s:s, s:s}", "token", token, "expirationTimestamp",
                                                     str_format_time(until, expires)));
    mem_free(token);
    q->answer = request;
    return 201;
}
