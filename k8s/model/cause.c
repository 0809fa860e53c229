/* cause: see cause.h. The wording is that of Kubernetes' field errors, since users and scripts look for it. */
#include "k8s/model/cause.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

enum { TEXT_MAX = LIMIT_REQUEST_BODY }; /* a refused value is shown whole, and it came in one request */

void cause_place(const struct place *at, struct buf *out)
{
    if (!at->up)
        return;
    cause_place(at->up, out);
    if (!at->name)
        buf_printf(out, "[%zd]", at->index);
    else if (at->bracket)
        buf_printf(out, "[%s]", at->name);
    else
        buf_printf(out, "%s%s", out->len > 0 ? "." : "", at->name);
}

json_t *cause_string(const char *text)
{
    json_t *string = json_string(text);
    char *plain;

    if (string)
        return string;
    plain = mem_strdup(text);
    for (char *c = plain; *c; c++)
        if (*c & 0x80)
            *c = '?';
    string = json_string(plain);
    mem_free(plain);
    return string;
}

void cause_add(json_t *causes, const char *reason, const char *field, const char *message)
{
    json_array_append_new(causes, json_pack("{s:s, s:o, s:o}", "reason", reason, "message", cause_string(message),
                                            "field", cause_string(field)));
}

static void add(json_t *causes, const char *reason, const struct place *at, const struct buf *message)
{
    struct buf field;

    buf_init(&field, TEXT_MAX);
    cause_place(at, &field);
    cause_add(causes, reason, field.len > 0 ? field.data : "<nil>", message->data);
    buf_done(&field);
}

static void add_value(struct buf *out, const json_t *value)
{
    char *text = json_compact(value);

    buf_puts(out, text);
    mem_free(text);
}

static void add_plain(json_t *causes, const char *reason, const struct place *at, const char *head,
                      const char *detail)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "%s%s%s", head, detail ? ": " : "", detail ? detail : "");
    add(causes, reason, at, &text);
    buf_done(&text);
}

void cause_required(json_t *causes, const struct place *at, const char *detail)
{
    add_plain(causes, "FieldValueRequired", at, "Required value", detail);
}

void cause_forbidden(json_t *causes, const struct place *at, const char *detail)
{
    add_plain(causes, "FieldValueForbidden", at, "Forbidden", detail);
}

static void add_with_value(json_t *causes, const char *reason, const struct place *at, const char *head,
                           const json_t *value)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "%s: ", head);
    add_value(&text, value);
    add(causes, reason, at, &text);
    buf_done(&text);
}

void cause_duplicate(json_t *causes, const struct place *at, const json_t *value)
{
    add_with_value(causes, "FieldValueDuplicate", at, "Duplicate value", value);
}

void cause_not_found(json_t *causes, const struct place *at, const json_t *value)
{
    add_with_value(causes, "FieldValueNotFound", at, "Not found", value);
}

void cause_unsupported(json_t *causes, const struct place *at, const json_t *value, const json_t *supported)
{
    struct buf text;
    json_t *one;
    size_t i;

    buf_init(&text, TEXT_MAX);
    buf_puts(&text, "Unsupported value: ");
    add_value(&text, value);
    buf_puts(&text, ": supported values: ");
    json_array_foreach (supported, i, one) {
        buf_puts(&text, i > 0 ? ", " : "");
        add_value(&text, one);
    }
    add(causes, "FieldValueNotSupported", at, &text);
    buf_done(&text);
}

static void add_detail(json_t *causes, const char *reason, const struct place *at, struct buf *text, const char *fmt,
                       va_list ap) PRINTF_LIKE(5, 0);

static void add_detail(json_t *causes, const char *reason, const struct place *at, struct buf *text, const char *fmt,
                       va_list ap)
{
    char detail[2048];

    (void)vsnprintf(detail, sizeof(detail), fmt, ap); /* a cut text is still a text */
    buf_printf(text, ": %s", detail);
    add(causes, reason, at, text);
    buf_done(text);
}

void cause_invalid(json_t *causes, const struct place *at, const json_t *value, const char *fmt, ...)
{
    struct buf text;
    va_list ap;

    buf_init(&text, TEXT_MAX);
    buf_puts(&text, "Invalid value: ");
    add_value(&text, value);
    va_start(ap, fmt);
    add_detail(causes, "FieldValueInvalid", at, &text, fmt, ap);
    va_end(ap);
}

void cause_type(json_t *causes, const struct place *at, const char *shown, const char *fmt, ...)
{
    struct buf text;
    va_list ap;

    buf_init(&text, TEXT_MAX);
    buf_printf(&text, "Invalid value: \"%s\"", shown);
    va_start(ap, fmt);
    add_detail(causes, "FieldValueTypeInvalid", at, &text, fmt, ap);
    va_end(ap);
}

void cause_too_long(json_t *causes, const struct place *at, size_t max_bytes)
{
    char text[96];

    (void)snprintf(text, sizeof(text), "may not be more than %zu bytes", max_bytes);
    add_plain(causes, "FieldValueTooLong", at, "Too long", text);
}

void cause_too_many(json_t *causes, const struct place *at, size_t count, size_t max)
{
    char text[96];

    (void)snprintf(text, sizeof(text), "%zu: must have at most %zu item%s", count, max, max == 1 ? "" : "s");
    add_plain(causes, "FieldValueTooMany", at, "Too many", text);
}

void cause_text(const json_t *causes, struct buf *out)
{
    size_t i, n = json_array_size(causes);
    json_t *one;

    buf_puts(out, n > 1 ? "[" : "");
    json_array_foreach (causes, i, one)
        buf_printf(out, "%s%s: %s", i > 0 ? ", " : "", json_text(one, "field"), json_text(one, "message"));
    buf_puts(out, n > 1 ? "]" : "");
}
