/* condition: see condition.h. */
#include "controllers/condition.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "k8s/object.h"

json_t *condition_copy(const json_t *object)
{
    json_t *list = json_at(object, "status.conditions");

    return json_is_array(list) ? json_clone(list) : json_array();
}

static json_t *find(const json_t *list, const char *type, size_t *ret_at)
{
    json_t *c;
    size_t i;

    json_array_foreach ((json_t *)list, i, c) {
        if (strcmp(json_text(c, "type"), type) == 0) {
            if (ret_at)
                *ret_at = i;
            return c;
        }
    }
    return NULL;
}

void condition_set(json_t *list, int64_t now_s, const char *type, const char *status, const char *reason,
                   const char *fmt, ...)
{
    json_t *old, *new;
    char text[LIMIT_MESSAGE], time[32];
    va_list ap;
    size_t at = 0;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut text is still a text */
    va_end(ap);
    old = find(list, type, &at);
    if (old && strcmp(json_text(old, "status"), status) == 0 && strcmp(json_text(old, "reason"), reason) == 0 &&
        strcmp(json_text(old, "message"), text) == 0)
        return;
    /* A cut in the middle of a character is no string for JSON: then the message goes without its tail. */
    new = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status, "lastTransitionTime",
                    str_format_time(now_s, time), "reason", reason, "message", text);
    while (!new && text[0] != '\0') {
        text[strlen(text) - 1] = '\0';
        new = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", type, "status", status, "lastTransitionTime", time,
                        "reason", reason, "message", text);
    }
    if (old)
        json_array_set_new(list, at, new);
    else
        json_array_append_new(list, new);
}

void condition_drop(json_t *list, const char *type)
{
    size_t at = 0;

    if (find(list, type, &at))
        json_array_remove(list, at);
}

const char *condition_status(const json_t *list, const char *type)
{
    return json_text(find(list, type, NULL), "status");
}

const char *condition_reason(const json_t *list, const char *type)
{
    return json_text(find(list, type, NULL), "reason");
}

const char *condition_message(const json_t *list, const char *type)
{
    return json_text(find(list, type, NULL), "message");
}

bool condition_is(const json_t *list, const char *type, const char *status)
{
    return strcmp(condition_status(list, type), status) == 0;
}

bool condition_fails_anew(const json_t *old, const json_t *now, const char *type)
{
    return condition_is(now, type, "False") &&
           (!condition_is(old, type, "False") ||
            strcmp(condition_message(old, type), condition_message(now, type)) != 0);
}

int64_t condition_since(const json_t *list, const char *type)
{
    int64_t at = 0;

    if (str_parse_time(str_of(json_text(find(list, type, NULL), "lastTransitionTime")), &at) < 0)
        return 0;
    return at;
}

/* ---- of a record ---- */

struct str condition_record_status(const char *text, const char *type)
{
    struct str status, reason;

    return kobj_condition_in(text, type, &status, &reason) ? status : STR_NONE;
}

struct str condition_record_reason(const char *text, const char *type)
{
    struct str status, reason;

    return kobj_condition_in(text, type, &status, &reason) ? reason : STR_NONE;
}

bool condition_record_is(const char *text, const char *type, const char *status)
{
    return str_is(condition_record_status(text, type), status);
}
