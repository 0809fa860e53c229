/*
 * lease: see lease.h. A try is one or two requests: read the record when we do not know it, then write it when it is
 * ours or may be taken. Two times matter: next_ns, the next try, and 10 s after the last renewal was *sent*, when
 * leadership ends whatever is under way; one timer stands for the earlier of them.
 *
 * A record that is missing says nothing about who led until now: somebody may have deleted it under a leader that has
 * yet to hear of it. So a leader makes its record again and goes on; another one gives it the time for that, and who
 * makes a record without having led leads only after keeping it for as long as if it had been another's. Until then its
 * acquireTime lies ahead of its renewTime: the container that is started anew in between goes on waiting.
 */
#include "k8s/lease.h"

#include <assert.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"

#define MS 1000000ull

static const uint64_t DURATION_NS = 15000 * MS, RENEW_DEADLINE_NS = 10000 * MS;

/* Replicas without the lead pass on what only the leader can answer. */
static const char address_annotation[] = "stash.appscode.com/leader-address";

enum { DURATION_S = 15, RETRY_MS = 2000, RETRY_JITTER_MS = 400, CALL_TIMEOUT_MS = 5000 };

static uint64_t now_ns(struct kube_lease *l)
{
    return env_now_ns(l->kube->env);
}

static void set_leader(struct kube_lease *l, bool is_leader)
{
    if (l->is_leader == is_leader)
        return;
    l->is_leader = is_leader;
    if (l->on_change)
        l->on_change(l, is_leader);
}

static void arm(struct kube_lease *l)
{
    uint64_t due = UINT64_MAX;

    if (!l->calling)
        due = l->next_ns;
    if (l->is_leader && l->renewed_ns + RENEW_DEADLINE_NS < due)
        due = l->renewed_ns + RENEW_DEADLINE_NS;
    if (due == UINT64_MAX)
        timer_clear(l->kube->env, &l->timer);
    else
        timer_set_at(l->kube->env, &l->timer, due);
}

static void next_try(struct kube_lease *l)
{
    l->next_ns = now_ns(l) + (RETRY_MS + env_random(l->kube->env) % (RETRY_JITTER_MS + 1)) * MS;
    arm(l);
}

static void stopped(struct kube_lease *l)
{
    timer_clear(l->kube->env, &l->timer);
    if (l->on_stopped)
        l->on_stopped(l);
}

/* ---- requests ---- */

static void call(struct kube_lease *l, enum kube_verb verb, const json_t *body,
                 void (*on_done)(struct kube_call *, int, const json_t *, const struct error *))
{
    l->call = (struct kube_call){.verb = verb,
                                 .kind = kind_get(KIND_LEASE),
                                 .ns = l->ns,
                                 .name = l->name,
                                 .body = body,
                                 .lane = KUBE_LANE_LEASES,
                                 .timeout_ms = CALL_TIMEOUT_MS,
                                 .on_done = on_done,
                                 .data = l};
    l->calling = true;
    l->sent_ns = now_ns(l);
    kube_start(l->kube, &l->call);
    arm(l);
}

static void format_time(struct kube_lease *l, int64_t ahead_ms, char out[64])
{
    int64_t ms = env_wall_ms(l->kube->env) + ahead_ms;
    char seconds[32];

    (void)str_format_time(ms / 1000, seconds);
    (void)snprintf(out, 64, "%.*s.%06dZ", (int)strcspn(seconds, "Z"), seconds, (int)(ms % 1000) * 1000);
}

/* What we write: a whole spec for a new or taken record, the
 * time only for a renewal, an empty holder to give it back. */
static json_t *record(struct kube_lease *l, bool is_new, const char *holder)
{
    char time[64], from[64];
    json_t *o;

    format_time(l, 0, time);
    format_time(l, l->leads_from_ns == UINT64_MAX ? DURATION_S * 1000 : 0, from);
    o = json_pack("{s:{s:s},s:{s:s,s:i,s:s}}", "metadata", "name", l->name, "spec", "holderIdentity", holder,
                  "leaseDurationSeconds", DURATION_S, "renewTime", time);
    if (*l->rv)
        (void)json_object_set_new(json_object_get(o, "metadata"), "resourceVersion", json_string(l->rv));
    if (is_new && (l->address || *l->rv)) /* null: what the last holder wrote goes */
        (void)json_object_set_new(json_object_get(o, "metadata"), "annotations",
                                  json_pack("{s:s?}", address_annotation, l->address));
    if (is_new) {
        (void)json_object_set_new(json_object_get(o, "spec"), "acquireTime", json_string(from));
        (void)json_object_set_new(json_object_get(o, "spec"), "leaseTransitions", json_integer(l->transitions));
    }
    return o;
}

static bool is_ours(const struct kube_lease *l)
{
    return strcmp(l->holder, l->identity) == 0;
}

static void take_over(struct kube_lease *l, const json_t *object)
{
    (void)snprintf(l->rv, sizeof(l->rv), "%s", json_text(object, "metadata.resourceVersion"));
    (void)snprintf(l->holder, sizeof(l->holder), "%s", json_text(object, "spec.holderIdentity"));
    (void)snprintf(l->holder_address, sizeof(l->holder_address), "%s",
                   *l->holder && !is_ours(l) ? json_meta(object, "annotations", address_annotation) : "");
    l->transitions = json_int(object, "spec.leaseTransitions", 0);
    l->is_ahead = strcmp(json_text(object, "spec.renewTime"), json_text(object, "spec.acquireTime")) < 0;
    if (strcmp(l->seen, l->rv) != 0) {
        (void)snprintf(l->seen, sizeof(l->seen), "%s", l->rv);
        l->seen_ns = now_ns(l);
    }
}

static void release(struct kube_lease *l);

/* After each answer. False: nothing more of this try may happen. */
static bool call_ended(struct kube_lease *l)
{
    l->calling = false;
    if (!l->stopping)
        return true;
    release(l);
    return false;
}

static void write_done(struct kube_call *c, int rc, const json_t *object, const struct error *e);

static void write_record(struct kube_lease *l, bool is_new)
{
    json_t *body;

    if (is_new && *l->rv)
        l->transitions++;
    body = record(l, is_new, l->identity);
    call(l, *l->rv ? KUBE_PATCH : KUBE_CREATE, body, write_done);
    json_decref(body);
}

/* There is none: see above. */
static void make_record(struct kube_lease *l)
{
    bool was_seen = *l->seen, holds = kube_lease_holds(l);

    l->rv[0] = l->holder[0] = l->seen[0] = 0;
    l->transitions = 0;
    if (!holds && was_seen) { /* its leader, if there is one, makes it again by then */
        l->next_ns = now_ns(l) + 2 * (RETRY_MS + RETRY_JITTER_MS) * MS;
        arm(l);
        return;
    }
    if (!holds)
        l->leads_from_ns = UINT64_MAX;
    write_record(l, true);
}

static void write_done(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct kube_lease *l = c->data;
    uint64_t sent = l->sent_ns;

    (void)e; /* the next try, or the deadline, decides */
    if (rc == 0)
        take_over(l, object);
    else
        l->rv[0] = 0; /* it may have been written all the same: look */
    if (!call_ended(l))
        return;
    if (rc == ERR_NOTFOUND && c->verb == KUBE_PATCH) {
        make_record(l);
        return;
    }
    next_try(l);
    if (rc != 0 || now_ns(l) - sent >= RENEW_DEADLINE_NS)
        return;
    l->renewed_ns = sent;
    if (l->leads_from_ns == UINT64_MAX)
        l->leads_from_ns = now_ns(l) + DURATION_NS;
    arm(l);
    set_leader(l, now_ns(l) >= l->leads_from_ns);
}

/* The record is known: writes it when it is ours or may be taken. */
static void judge(struct kube_lease *l)
{
    /* No holder: given back (release), by one who has written its last. Who empties it by hand means the same to every
     * client of Leases, client-go's too: whoever may write the Lease has the lead to give, as if by another's name. */
    bool may_take = !*l->holder || now_ns(l) - l->seen_ns >= DURATION_NS;

    if (is_ours(l)) {
        if (!l->renewed_ns && l->is_ahead) /* made by the container before us */
            l->leads_from_ns = UINT64_MAX;
        write_record(l, false);
    } else if (may_take && !l->is_leader) {
        l->leads_from_ns = 0;
        write_record(l, true);
    } else {
        l->rv[0] = 0;
        next_try(l);
        set_leader(l, false); /* somebody else has it: no need to wait for the deadline */
    }
}

static void read_done(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    struct kube_lease *l = c->data;

    (void)e;
    if (rc == 0)
        take_over(l, object);
    if (!call_ended(l))
        return;
    if (rc == ERR_NOTFOUND)
        make_record(l);
    else if (rc == 0)
        judge(l);
    else
        next_try(l);
}

static void on_timer(struct timer *t)
{
    struct kube_lease *l = t->data;

    if (l->is_leader && now_ns(l) - l->renewed_ns >= RENEW_DEADLINE_NS) {
        l->rv[0] = 0;
        set_leader(l, false);
        if (l->calling || l->stopping) /* the try under way goes on; a callback may have stopped us */
            return;
    }
    if (l->calling)
        arm(l);
    else if (l->stopping)
        stopped(l);
    else if (now_ns(l) < l->next_ns)
        arm(l);
    else if (*l->rv && is_ours(l))
        judge(l);
    else
        call(l, KUBE_GET, NULL, read_done);
}

/* ---- start and stop ---- */

void kube_lease_start(struct kube_lease *l)
{
    assert(l->kube && l->identity && *l->identity && strlen(l->identity) < sizeof(l->holder));
    timer_init(&l->timer, on_timer, l);
    l->next_ns = now_ns(l);
    arm(l);
}

bool kube_lease_holds(const struct kube_lease *l)
{
    return l->is_leader && env_now_ns(l->kube->env) - l->renewed_ns < RENEW_DEADLINE_NS;
}

static void release_done(struct kube_call *c, int rc, const json_t *object, const struct error *e)
{
    (void)rc; /* nobody is left to act on it; the record expires by itself */
    (void)object;
    (void)e;
    stopped(c->data);
}

/* No request is under way. Who was still to wait before it leads can't give the others what they would have at once. */
static void release(struct kube_lease *l)
{
    json_t *body;

    if (l->releasing)
        return;
    l->releasing = true;
    if (!*l->rv || !is_ours(l) || now_ns(l) < l->leads_from_ns) {
        timer_set_in(l->kube->env, &l->timer, 0);
        return;
    }
    body = record(l, false, "");
    call(l, KUBE_PATCH, body, release_done);
    json_decref(body);
}

void kube_lease_stop(struct kube_lease *l)
{
    if (l->stopping)
        return;
    l->stopping = true;
    set_leader(l, false);
    timer_clear(l->kube->env, &l->timer);
    if (!l->calling) /* else its answer has the version to release by; it comes within its timeout */
        release(l);
}
