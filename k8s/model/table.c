/*
 * table: objects as kubectl shows them: a Table with the columns of their kind. Custom kinds bring their own columns
 * (additionalPrinterColumns); those of built-in kinds are rows of tablekinds.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/tablekinds.h"
#include "k8s/model/verbs.h"

/* "5m10s" as kubectl writes ages. */
const char *table_age(int64_t seconds, char out[32])
{
    int64_t s = seconds < 0 ? 0 : seconds, m = s / 60, h = m / 60, d = h / 24;

    if (s < 120)
        (void)snprintf(out, 32, "%llds", (long long)s);
    else if (m < 10)
        (void)snprintf(out, 32, s % 60 ? "%lldm%llds" : "%lldm", (long long)m, (long long)(s % 60));
    else if (m < 180)
        (void)snprintf(out, 32, "%lldm", (long long)m);
    else if (h < 8)
        (void)snprintf(out, 32, m % 60 ? "%lldh%lldm" : "%lldh", (long long)h, (long long)(m % 60));
    else if (h < 48)
        (void)snprintf(out, 32, "%lldh", (long long)h);
    else if (d < 8)
        (void)snprintf(out, 32, h % 24 ? "%lldd%lldh" : "%lldd", (long long)d, (long long)(h % 24));
    else if (d < 730)
        (void)snprintf(out, 32, "%lldd", (long long)d);
    else
        (void)snprintf(out, 32, d / 365 < 8 && d % 365 ? "%lldy%lldd" : "%lldy", (long long)(d / 365),
                       (long long)(d % 365));
    return out;
}

const char *table_age_of(const json_t *object, const char *path, int64_t now_s, char out[32])
{
    int64_t then;

    if (str_parse_time(str_of(json_text(object, path)), &then) < 0)
        return "<unknown>";
    return table_age(now_s - then, out);
}

/* ---- custom kinds ---- */

/* A JSONPath as columns use them: .a.b, .a[0].b, .a['key'], .a[?(@.type=="x")].b. Borrowed, or NULL. */
static const json_t *column_value(const json_t *object, const char *path)
{
    const json_t *at = object;
    char word[256], wanted[256];

    while (at && *path) {
        size_t n;

        if (*path == '.') {
            path++;
            n = 0;
            for (; *path && *path != '.' && *path != '['; path++) {
                if (*path == '\\' && path[1])
                    path++;
                if (n + 1 < sizeof(word))
                    word[n++] = *path;
            }
            word[n] = 0;
            if (n)
                at = json_object_get(at, word);
        } else if (sscanf(path, "[?(@.%255[^=]==\"%255[^\"]\")]", word, wanted) == 2) {
            const json_t *item, *found = NULL;
            size_t i;

            json_array_foreach(at, i, item)
                if (!found && strcmp(json_text(item, word), wanted) == 0)
                    found = item;
            at = found;
            path = strchr(path, ']') + 1;
        } else if (sscanf(path, "['%255[^']']", word) == 1) {
            at = json_object_get(at, word);
            path = strchr(path, ']') + 1;
        } else if (*path == '[' && strchr(path, ']')) {
            at = json_array_get(at, (size_t)strtoul(path + 1, NULL, 10));
            path = strchr(path, ']') + 1;
        } else {
            return NULL;
        }
    }
    return at;
}

/* A cell by the column's type; NULL when there is nothing to show (kubectl prints nothing). */
static json_t *custom_cell(const json_t *object, const json_t *column, int64_t now_s)
{
    const json_t *value = column_value(object, json_text(column, "jsonPath"));
    const char *type = json_text(column, "type");
    char age[32];
    int64_t then;

    if (!value || json_is_null(value))
        return json_null();
    if (strcmp(type, "date") == 0) {
        if (str_parse_time(json_str(value), &then) < 0)
            return json_string("<invalid>");
        return json_string(table_age(now_s - then, age));
    }
    if (strcmp(type, "string") == 0 && !json_is_string(value)) {
        char *text = json_compact(value);
        json_t *cell = json_string(text);

        mem_free(text);
        return cell;
    }
    return json_incref((json_t *)(uintptr_t)value);
}

static json_t *column(const char *name, const char *type, const char *format, int64_t priority, const char *about)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", name, "type", type, "format", format, "description", about,
                     "priority", (json_int_t)priority);
}

static json_t *custom_columns(const struct resource *r)
{
    json_t *list = json_array(), *c;
    size_t i;

    json_array_append_new(list, column("Name", "string", "name", 0, "Name must be unique within a namespace."));
    json_array_foreach(r->columns, i, c)
        json_array_append_new(list, column(json_text(c, "name"), json_text(c, "type"), json_text(c, "format"),
                                           json_int(c, "priority", 0), json_text(c, "description")));
    if (!json_array_size(r->columns))
        json_array_append_new(list, column("Age", "date", "", 0, "CreationTimestamp"));
    return list;
}

static json_t *custom_cells(const struct resource *r, const json_t *object, int64_t now_s)
{
    json_t *cells = json_array(), *c;
    char age[32];
    size_t i;

    json_array_append_new(cells, json_string(json_text(object, "metadata.name")));
    json_array_foreach(r->columns, i, c)
        json_array_append_new(cells, custom_cell(object, c, now_s));
    if (!json_array_size(r->columns))
        json_array_append_new(cells, json_string(table_age_of(object, "metadata.creationTimestamp", now_s, age)));
    return cells;
}

/* ---- built-in kinds ---- */

static json_t *kind_columns(const struct table_kind *k)
{
    json_t *list = json_array();

    for (size_t i = 0; i < k->n_columns; i++)
        json_array_append_new(list, column(k->columns[i].name, "string", i == 0 ? "name" : "", k->columns[i].wide, ""));
    return list;
}

static json_t *kind_cells(const struct table_kind *k, const json_t *object, int64_t now_s)
{
    json_t *cells = json_array();

    for (size_t i = 0; i < k->n_columns; i++) {
        const struct table_column *c = &k->columns[i];
        struct buf text;
        char age[32];

        buf_init(&text, 64 * 1024);
        if (c->cell)
            c->cell(object, now_s, &text);
        else if (c->is_age && (!c->absent || *json_text(object, c->path)))
            buf_puts(&text, table_age_of(object, c->path, now_s, age));
        else if (json_is_integer(json_at(object, c->path)))
            buf_printf(&text, "%lld", (long long)json_integer_value(json_at(object, c->path)));
        else if (json_is_boolean(json_at(object, c->path)))
            buf_puts(&text, json_is_true(json_at(object, c->path)) ? "true" : "false");
        else
            buf_puts(&text, *json_text(object, c->path) ? json_text(object, c->path) : c->absent ? c->absent : "");
        json_array_append_new(cells, json_stringn(text.data, text.len));
        buf_done(&text);
    }
    return cells;
}

/* ---- the Table ---- */

static json_t *row_object(const struct resource *r, const json_t *object, const char *include)
{
    if (strcmp(include, "None") == 0)
        return NULL;
    if (strcmp(include, "Object") == 0)
        return request_as(r, object);
    return json_pack("{s:s, s:s, s:O}", "kind", "PartialObjectMetadata", "apiVersion", "meta.k8s.io/v1", "metadata",
                     json_object_get(object, "metadata"));
}

json_t *table_of(const struct resource *r, struct stored *const *items, size_t n, const char *include, bool headers,
                 int64_t now_s)
{
    const struct table_kind *k = r->builtin ? table_kind_of(r) : NULL;
    json_t *rows = json_array();

    for (size_t i = 0; i < n; i++) {
        const json_t *object = items[i]->json;

        json_array_append_new(rows, json_pack("{s:o, s:o*}", "cells",
                                              k ? kind_cells(k, object, now_s) : custom_cells(r, object, now_s),
                                              "object", row_object(r, object, include)));
    }
    return json_pack("{s:s, s:s, s:{}, s:o, s:o}", "kind", "Table", "apiVersion", "meta.k8s.io/v1", "metadata",
                     "columnDefinitions", headers ? (k ? kind_columns(k) : custom_columns(r)) : json_array(), "rows",
                     rows);
}
