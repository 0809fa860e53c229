/* plan_print: a plan as lines, one an effect, short enough to be written into a test by hand. */
#include "controllers/plan.h"
#include "core/base/buf.h"
#include "core/base/mem.h"

static void put_name(struct buf *out, const struct effect *e)
{
    buf_printf(out, "%s ", e->kind->name);
    if (e->ns)
        buf_printf(out, "%s/", e->ns);
    buf_puts(out, e->name ? e->name : "?");
}

/* "conditions=A=True/R,B=False/S" */
static void put_conditions(struct buf *out, const json_t *list)
{
    const json_t *c;
    size_t i;

    json_array_foreach ((json_t *)list, i, c) {
        buf_printf(out, "%s%s=%s/%s", i ? "," : "", json_string_value(json_object_get(c, "type")),
                   json_string_value(json_object_get(c, "status")), json_string_value(json_object_get(c, "reason")));
    }
}

static void put_json(struct buf *out, const json_t *v)
{
    char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

    buf_puts(out, text ? text : json_string_value(v));
    mem_free(text);
}

static void put_status(struct buf *out, const json_t *status)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)status, key, value) {
        buf_printf(out, " %s=", key);
        if (strcmp(key, "conditions") == 0 && json_is_array(value))
            put_conditions(out, value);
        else
            put_json(out, value);
    }
}

/* A patch of metadata.annotations or labels reads better than its JSON. */
static void put_patch(struct buf *out, const struct effect *e)
{
    const json_t *meta = json_object_get(e->body, "metadata");
    const json_t *annotations = json_object_get(meta, "annotations");
    const char *key;
    json_t *value;

    if (e->subresource)
        buf_printf(out, " %s", e->subresource);
    if (!annotations || json_object_size(e->body) != 1) {
        buf_putc(out, ' ');
        put_json(out, e->body);
        return;
    }
    json_object_foreach ((json_t *)annotations, key, value) {
        buf_printf(out, " annotation:%s=", key);
        put_json(out, value);
    }
}

static void put_effect(struct buf *out, const struct effect *e)
{
    switch (e->type) {
    case EFFECT_CREATE:
        buf_puts(out, "create ");
        put_name(out, e);
        break;
    case EFFECT_STATUS:
        buf_puts(out, "status");
        put_status(out, json_object_get(e->body, "status"));
        break;
    case EFFECT_PATCH:
        buf_puts(out, "patch ");
        put_name(out, e);
        put_patch(out, e);
        break;
    case EFFECT_APPLY:
        buf_puts(out, "apply ");
        put_name(out, e);
        break;
    case EFFECT_DELETE:
        buf_puts(out, "delete ");
        put_name(out, e);
        buf_printf(out, " %s", e->propagation ? e->propagation : "Background");
        if (e->stays)
            buf_printf(out, " beside %s", e->stays);
        break;
    case EFFECT_EVENT:
        buf_printf(out, "event %s %s: %s", e->event_type, e->reason, e->message);
        break;
    case EFFECT_COUNT:
        buf_printf(out, "count %s{%s} %g", e->family, e->label ? e->label : "", e->by);
        break;
    case EFFECT_PUSH:
        buf_printf(out, "push %s%s%s", e->family, e->label ? "/" : "", e->label ? e->label : "");
        break;
    case EFFECT_WAKE:
        buf_puts(out, "wake ");
        put_name(out, e);
        break;
    }
    buf_putc(out, '\n');
}

void plan_print(const struct plan *p, struct buf *out)
{
    char text[32];

    LIST_EACH (it, &p->effects)
        put_effect(out, LIST_ENTRY(it, struct effect, link));
    if (p->wake_at_s != INT64_MAX)
        buf_printf(out, "wake %s\n", str_format_duration((p->wake_at_s - p->now_s) * 1000000000, text));
}
