/*
 * refusal: what a refused write means (multitenancy.md 7.1). A 403 is not one thing: a full quota is waited for, a
 * missing right is reported, a policy's no is tried a few times. Recognised by the server's own words, which have been
 * the same since quota admission exists; what is not recognised counts as RBAC, the safe side (slow tries, loud).
 */
#include <string.h>

#include "controllers/world.h"
#include "core/base/mem.h"

enum { POLICY_TRIES = 3 };

static bool has(const char *text, const char *part)
{
    return text && strstr(text, part) != NULL;
}

enum refusal_kind refusal_classify(int rc, int status, const char *reason, const char *cause, const char *message)
{
    if (str_same(cause, "NamespaceTerminating"))
        return REFUSAL_TERMINATING;
    if (rc == ERR_INVALID || rc == ERR_TOOBIG)
        return REFUSAL_INVALID;
    if (rc != ERR_DENIED || status == 401) /* 401: a token is about to be read again */
        return N_REFUSALS;
    if (has(message, "exceeded quota:") || has(message, "insufficient quota") ||
        has(message, "status unknown for quota"))
        return REFUSAL_QUOTA;
    if (has(message, "failed quota:"))
        return REFUSAL_QUOTA_NEEDS;
    if (has(message, "usage per Container is") || has(message, "usage per Pod is"))
        return REFUSAL_LIMIT_RANGE;
    if (has(message, "violates PodSecurity") || has(message, "admission webhook") ||
        has(message, "ValidatingAdmissionPolicy") || !str_same(reason, "Forbidden"))
        return REFUSAL_POLICY;
    return REFUSAL_FORBIDDEN;
}

const char *refusal_reason(enum refusal_kind why)
{
    static const char *const names[N_REFUSALS] = {
        [REFUSAL_NAME] = "NameConflict",         [REFUSAL_INVALID] = "",
        [REFUSAL_QUOTA] = "NamespaceQuotaExceeded", [REFUSAL_QUOTA_NEEDS] = "QuotaNeedsResources",
        [REFUSAL_LIMIT_RANGE] = "LimitRangeViolation", [REFUSAL_POLICY] = "AdmissionDenied",
        [REFUSAL_FORBIDDEN] = "OperatorForbidden",     [REFUSAL_TERMINATING] = "NamespaceTerminating",
    };

    return names[why];
}

int64_t refusal_delay_s(enum refusal_kind why, const char *message, uint32_t times, uint64_t random)
{
    int64_t span = 30;

    switch (why) {
    case REFUSAL_QUOTA:
        if (has(message, "status unknown for quota"))
            return 5;
        for (uint32_t i = 1; i < times && span < 600; i++)
            span *= 2;
        if (span > 600)
            span = 600;
        return 30 + (span > 30 ? (int64_t)(random % (uint64_t)(span - 29)) : 0);
    case REFUSAL_FORBIDDEN:
    case REFUSAL_TERMINATING:
        return 300;
    case REFUSAL_NAME:
    case REFUSAL_INVALID:
    case REFUSAL_QUOTA_NEEDS:
    case REFUSAL_LIMIT_RANGE:
    case REFUSAL_POLICY:
    case N_REFUSALS:
        break;
    }
    return 600;
}

static struct world_refusal *find(const struct list *refusals, const struct kind *k, const char *ns, const char *name)
{
    LIST_EACH (it, refusals) {
        struct world_refusal *r = LIST_ENTRY(it, struct world_refusal, link);

        if (r->kind == k && str_same(r->ns, ns) && str_same(r->name, name))
            return r;
    }
    return NULL;
}

bool refusal_is_for_good(const struct refusal *r, bool is_name_passing)
{
    return r && (r->why == REFUSAL_INVALID || (r->why == REFUSAL_NAME && !is_name_passing) ||
                 (r->why == REFUSAL_POLICY && r->times >= POLICY_TRIES));
}

void refusals_note(struct list *refusals, const struct kind *k, const char *ns, const char *name,
                   enum refusal_kind why, const char *message, int64_t now_s, uint64_t random)
{
    struct world_refusal *r = find(refusals, k, ns, name);

    if (!r) {
        r = mem_zalloc(sizeof(*r));
        r->kind = k;
        r->ns = ns ? mem_strdup(ns) : NULL;
        r->name = mem_strdup(name ? name : "");
        list_add_tail(refusals, &r->link);
    }
    mem_free(r->message);
    r->message = mem_strdup(message ? message : "");
    if (r->refusal.why != why)
        r->refusal.times = 0;
    r->refusal.why = why;
    r->refusal.times++;
    r->refusal.reason = refusal_reason(why);
    r->refusal.message = r->message;
    r->refusal.retry_s = now_s + refusal_delay_s(why, message, r->refusal.times, random);
}

static void drop(struct world_refusal *r)
{
    list_del(&r->link);
    mem_free(r->ns);
    mem_free(r->name);
    mem_free(r->message);
    mem_free(r);
}

void refusals_clear(struct list *refusals, const struct kind *k, const char *ns, const char *name)
{
    struct world_refusal *r = find(refusals, k, ns, name);

    if (r)
        drop(r);
}

void refusals_free(struct list *refusals)
{
    while (!list_empty(refusals))
        drop(LIST_ENTRY(refusals->next, struct world_refusal, link));
}
