/* lines: see lines.h. */
#include "metrics/lines.h"

#include <string.h>

#include "core/base/str.h"
#include "metrics/text.h"

enum { LABELS_MAX = 64 * 1024 };

void lines_init(struct lines *l, struct buf *out)
{
    buf_init(&l->labels, LABELS_MAX);
    l->out = out;
}

void lines_done(struct lines *l)
{
    buf_done(&l->labels);
}

static void put_label(struct lines *l, const char *name, struct str value)
{
    if (!value.n)
        return;
    buf_printf(&l->labels, "%s%s=\"", l->labels.len ? "," : "", name);
    text_put_escaped(&l->labels, value, true);
    buf_putc(&l->labels, '"');
}

void lines_label(struct lines *l, const char *name, const char *value)
{
    put_label(l, name, str_of(value ? value : ""));
}

static void put_kind(struct lines *l, const char *app_type, const char *app_version)
{
    struct str group = str_of(app_type), kind = group, version = str_of(app_version ? app_version : "");
    const char *slash = group.n ? strrchr(app_type, '/') : NULL;

    if (slash) {
        kind = str_of(slash + 1);
        group.n = (size_t)(slash - app_type);
    } else {
        if (!kind.n)
            kind = STR("appbindings");
        if (!str_cut(&version, '/', &group) || !version.p)
            group = STR_NONE;
    }
    put_label(l, "kind", kind);
    put_label(l, "group", group);
}

void lines_target(struct lines *l, const char *kind, const char *name, const char *app_type, const char *app_version)
{
    if (strcmp(kind, "AppBinding") != 0)
        lines_label(l, "kind", kind);
    else if (app_type)
        put_kind(l, app_type, app_version);
    lines_label(l, "name", name);
}

void lines_gauge(struct lines *l, const struct lines_metric *m, double value)
{
    const char *names[] = {m->name, m->legacy};
    char text[32];

    text_format_value(value, text);
    for (int i = 0; i < 2; i++)
        buf_printf(l->out, "# HELP %s %s\n# TYPE %s gauge\n%s{%s} %s\n", names[i], m->help, names[i], names[i],
                   l->labels.data, text);
}
