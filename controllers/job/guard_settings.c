/* guard_settings: see guard_settings.h. */
#include "controllers/job/guard_settings.h"

#include <stdio.h>

#include "core/base/json.h"

void guard_settings_defaults(struct guard_settings *s)
{
    *s = (struct guard_settings){.segment = -1, .min_synced = 1, .flow_control = 50, .receive_queue = 10000};
}

/* A whole number of the object; absent: *ret stays. */
static int read_number(const json_t *o, const char *field, int64_t max, int64_t *ret, struct error *e)
{
    const json_t *v = json_object_get(o, field);

    if (!v || json_is_null(v))
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
        return error_set(e, ERR_INVALID, "the AppBinding's parameters.donor.%s must be a whole number from 0 to %lld",
                         field, (long long)max);
    *ret = json_integer_value(v);
    return 0;
}

static int read_name(struct guard_settings *s, const json_t *o, struct error *e)
{
    const json_t *v = json_object_get(o, "name");

    if (!v || json_is_null(v))
        return 0;
    if (!json_is_string(v) || json_string_length(v) >= sizeof(s->name))
        return error_set(e, ERR_INVALID,
                         "the AppBinding's parameters.donor.name must be the name of a node (wsrep_node_name)");
    (void)snprintf(s->name, sizeof(s->name), "%s", json_string_value(v));
    return 0;
}

int guard_settings_read(struct guard_settings *s, const json_t *o, struct error *e)
{
    int64_t synced, flow, queue, seconds;
    int rc;

    guard_settings_defaults(s);
    if (!o || json_is_null(o))
        return 0;
    if (!json_is_object(o))
        return error_set(e, ERR_INVALID, "the AppBinding's parameters.donor must be an object");
    synced = s->min_synced;
    flow = s->flow_control;
    queue = (int64_t)s->receive_queue;
    seconds = (int64_t)s->max_s;
    if ((rc = read_name(s, o, e)) < 0 || (rc = read_number(o, "segment", 255, &s->segment, e)) < 0 ||
        (rc = read_number(o, "minSynced", 15, &synced, e)) < 0 ||
        (rc = read_number(o, "maxFlowControlPercent", 100, &flow, e)) < 0 ||
        (rc = read_number(o, "maxReceiveQueue", INT32_MAX, &queue, e)) < 0 ||
        (rc = read_number(o, "maxSeconds", 30 * 86400, &seconds, e)) < 0)
        return rc;
    s->min_synced = (unsigned)synced;
    s->flow_control = (unsigned)flow;
    s->receive_queue = (uint64_t)queue;
    s->max_s = (uint64_t)seconds;
    return 0;
}
