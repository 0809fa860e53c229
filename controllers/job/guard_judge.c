/* guard_judge: the pure part of guard.h: what nodes said, and whether it is too much. */
#include "controllers/job/guard.h"

static uint64_t number(struct str s)
{
    uint64_t n = 0;

    return str_to_u64(s, &n) < 0 ? 0 : n;
}

bool guard_parse(struct str line, struct guard_sample *s)
{
    struct str key;

    if (!str_cut(&line, '\t', &key))
        return false;
    if (str_is(key, "wsrep_flow_control_paused_ns"))
        s->paused_ns = number(line);
    else if (str_is(key, "wsrep_local_recv_queue"))
        s->queue = number(line);
    else if (str_is(key, "wsrep_local_state_comment"))
        s->synced = str_is(line, "Synced");
    else if (str_is(key, "wsrep_cluster_status"))
        s->synced = s->synced && str_is(line, "Primary");
    else
        return str_is(key, "sample") && str_is(line, "ends");
    return false;
}

static const struct guard_sample *newest(const struct guard_view *v)
{
    return v->n ? &v->window[(v->n - 1) % GUARD_WINDOW] : NULL;
}

/* The oldest of the window; NULL: it is not full. */
static const struct guard_sample *oldest(const struct guard_view *v)
{
    return v->n >= GUARD_WINDOW ? &v->window[v->n % GUARD_WINDOW] : NULL;
}

void guard_note(struct guard_view *v, const struct guard_sample *s)
{
    const struct guard_sample *last = newest(v);

    if (last && s->paused_ns < last->paused_ns) { /* a new server, or FLUSH STATUS: its counter began anew */
        v->n = 0;
        last = NULL;
    }
    if (last)
        v->paused_ns += s->paused_ns - last->paused_ns;
    if (!v->first.at_ns)
        v->first = *s;
    if (s->queue > v->queue_max)
        v->queue_max = s->queue;
    v->window[v->n++ % GUARD_WINDOW] = *s;
}

int guard_flow_control(const struct guard_view *v)
{
    const struct guard_sample *a = oldest(v), *b = newest(v);

    if (!a || b->at_ns <= a->at_ns)
        return -1;
    return (int)((b->paused_ns - a->paused_ns) * 100 / (b->at_ns - a->at_ns));
}

/* Waits for apply in every sample of the window. */
static uint64_t queue_always(const struct guard_view *v)
{
    uint64_t least = UINT64_MAX;

    if (!oldest(v))
        return 0;
    for (size_t i = 0; i < GUARD_WINDOW; i++)
        if (v->window[i].queue < least)
            least = v->window[i].queue;
    return least;
}

/* Was it Synced at some moment of the window? A node that joins or is restarted may be away for a moment. */
static bool was_synced(const struct guard_view *v, uint64_t now_ns)
{
    const uint64_t window_ns = (GUARD_WINDOW - 1) * 1000000000ull;

    for (size_t i = 0; i < GUARD_WINDOW && i < v->n; i++)
        if (v->window[i].synced && v->window[i].at_ns + window_ns >= now_ns)
            return true;
    return false;
}

static int judge_node(const struct guard_view *v, const struct guard_settings *limits, struct error *e)
{
    int flow = guard_flow_control(v);

    if (limits->flow_control < 100 && flow > (int)limits->flow_control)
        return error_set(e, ERR_INVALID,
                         "flow control held node %s back for %d %% of the last %d s, over the limit of %u %% "
                         "(parameters.donor.maxFlowControlPercent)",
                         v->name, flow, GUARD_WINDOW - 1, limits->flow_control);
    if (limits->receive_queue && queue_always(v) > limits->receive_queue)
        return error_set(e, ERR_INVALID,
                         "over %llu write sets waited on node %s for %d s, over the limit of %llu "
                         "(parameters.donor.maxReceiveQueue)",
                         (unsigned long long)queue_always(v), v->name, GUARD_WINDOW - 1,
                         (unsigned long long)limits->receive_queue);
    return 0;
}

int guard_judge(const struct guard_view *views, size_t n, const struct guard_settings *limits, uint64_t now_ns,
                struct error *e)
{
    unsigned synced = 0, others = 0;
    int rc;

    for (size_t i = 0; i < n; i++) {
        if (views[i].is_donor)
            continue; /* it is desynced, and its queue grows: that is its part */
        if ((rc = judge_node(&views[i], limits, e)) < 0)
            return rc;
        others++;
        synced += was_synced(&views[i], now_ns);
    }
    if (others && synced < limits->min_synced)
        return error_set(e, ERR_INVALID,
                         "besides the donor only %u nodes were Synced in the last %d s, %u must be "
                         "(parameters.donor.minSynced)",
                         synced, GUARD_WINDOW - 1, limits->min_synced);
    return 0;
}
