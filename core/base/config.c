/* config: see config.h. */
#include "core/base/config.h"

#include <ctype.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/str.h"

static void *field_of(void *out, const struct config_item *item)
{
    return (char *)out + item->offset;
}

static void list_add(struct config_list *list, const char *text)
{
    list->items = mem_realloc(list->items, (list->n + 1) * sizeof(*list->items));
    list->items[list->n++] = text;
}

static int out_of_range(const struct config_item *item, int64_t v, struct error *e)
{
    char value[32], min[32], max[32];

    if ((item->min == 0 && item->max == 0) || (v >= item->min && v <= item->max))
        return 0;
    if (item->type == CFG_DURATION)
        return error_set(e, ERR_INVALID, "%s is not from %s to %s", str_format_duration(v * 1000000000, value),
                         str_format_duration(item->min * 1000000000, min),
                         str_format_duration(item->max * 1000000000, max));
    return error_set(e, ERR_INVALID, "%lld is not from %lld to %lld", (long long)v, (long long)item->min,
                     (long long)item->max);
}

static int set_number(const struct config_item *item, void *to, struct str text, struct error *e)
{
    int64_t v = 0;
    uint64_t u = 0;

    if (item->type == CFG_UINT ? str_to_u64(text, &u) < 0 || u > INT64_MAX : str_to_i64(text, &v) < 0)
        return error_set(e, ERR_INVALID, "\"%.*s\" is not a whole number", (int)(text.n > 40 ? 40 : text.n), text.p);
    if (item->type == CFG_UINT) {
        *(uint64_t *)to = u;
        v = (int64_t)u;
    } else {
        *(int64_t *)to = v;
    }
    return out_of_range(item, v, e);
}

static int set_bool(void *to, struct str text, struct error *e)
{
    static const char *const yes[] = {"true", "1", "yes"}, *const no[] = {"false", "0", "no"};

    for (int i = 0; i < 3; i++) {
        if (str_is(text, yes[i]) || str_is(text, no[i])) {
            *(bool *)to = str_is(text, yes[i]);
            return 0;
        }
    }
    return error_set(e, ERR_INVALID, "\"%.*s\" is neither true nor false", (int)(text.n > 40 ? 40 : text.n), text.p);
}

static int set_value(const struct config_item *item, void *out, const char *text, struct error *e)
{
    void *to = field_of(out, item);
    int rc;

    switch (item->type) {
    case CFG_STRING:
        *(const char **)to = text;
        return 0;
    case CFG_UINT:
    case CFG_INT:
        return set_number(item, to, str_of(text), e);
    case CFG_BOOL:
        return set_bool(to, str_of(text), e);
    case CFG_DURATION:
        rc = str_parse_duration_ns(str_of(text), to, e);
        return rc < 0 ? rc : out_of_range(item, *(int64_t *)to / 1000000000, e);
    case CFG_LIST:
        list_add(to, text);
        return 0;
    }
    return error_set(e, ERR_BUG, "no such type");
}

static int set_defaults(const struct config_spec *spec, void *out, struct error *e)
{
    for (size_t i = 0; i < spec->n_items; i++) {
        const struct config_item *item = &spec->items[i];
        int rc;

        if (item->type == CFG_LIST)
            *(struct config_list *)field_of(out, item) = (struct config_list){0};
        if (!item->fallback) {
            if (item->type == CFG_STRING)
                *(const char **)field_of(out, item) = NULL;
            else if (item->type == CFG_BOOL)
                *(bool *)field_of(out, item) = false;
            else if (item->type != CFG_LIST)
                *(int64_t *)field_of(out, item) = 0;
            continue;
        }
        rc = set_value(item, out, item->fallback, e);
        if (rc < 0)
            return error_wrap(e, rc, "default of --%s", item->name);
    }
    return 0;
}

/* "log-level" against "LOG_LEVEL=debug": the value, or NULL. */
static const char *env_match(const char *name, const char *entry)
{
    for (; *name; name++, entry++)
        if ((*name == '-' ? '_' : toupper((unsigned char)*name)) != *entry)
            return NULL;
    return *entry == '=' ? entry + 1 : NULL;
}

static int set_environment(const struct config_spec *spec, const char *const *envp, void *out, struct error *e)
{
    size_t prefix = spec->env_prefix ? strlen(spec->env_prefix) : 0;

    for (; prefix && envp && *envp; envp++) {
        if (strncmp(*envp, spec->env_prefix, prefix) != 0)
            continue;
        for (size_t i = 0; i < spec->n_items; i++) {
            const char *value = env_match(spec->items[i].name, *envp + prefix);
            int rc = value ? set_value(&spec->items[i], out, value, e) : 0;

            if (rc < 0)
                return error_wrap(e, rc, "environment %.*s", (int)(value - *envp - 1), *envp);
        }
    }
    return 0;
}

static const struct config_item *find_item(const struct config_spec *spec, struct str name)
{
    for (size_t i = 0; i < spec->n_items; i++)
        if (str_is(name, spec->items[i].name))
            return &spec->items[i];
    return NULL;
}

/* One flag at argv[*at], which may take the next word too. */
static int set_flag(const struct config_spec *spec, int argc, const char *const *argv, int *at, void *out, bool *seen,
                    struct error *e)
{
    const char *word = argv[*at] + 2, *equals = strchr(word, '=');
    struct str name = {word, equals ? (size_t)(equals - word) : strlen(word)};
    const struct config_item *item = find_item(spec, name);
    const char *value = equals ? equals + 1 : NULL;
    int rc;

    if (!item)
        return error_set(e, ERR_INVALID, "unknown flag --%.*s; see %s --help", (int)name.n, name.p, spec->program);
    if (!value && item->type == CFG_BOOL)
        value = "true";
    if (!value) {
        if (*at + 1 >= argc)
            return error_set(e, ERR_INVALID, "flag --%s needs a value", item->name);
        value = argv[++*at];
    }
    if (item->type == CFG_LIST && !seen[item - spec->items])
        ((struct config_list *)field_of(out, item))->n = 0; /* flags take the place of the environment */
    seen[item - spec->items] = true;
    rc = set_value(item, out, value, e);
    return rc < 0 ? error_wrap(e, rc, "flag --%s", item->name) : 0;
}

static int set_help(const struct config_spec *spec, void *out, struct error *e)
{
    return set_value(find_item(spec, str_of("help")), out, "true", e);
}

int config_parse(const struct config_spec *spec, int argc, const char *const *argv, const char *const *envp,
                 void *out, struct config_list *ret_args, bool *given, struct error *e)
{
    struct config_list args = {0};
    bool only_words = false, *seen = given ? given : mem_zalloc(spec->n_items * sizeof(*seen));
    int rc = set_defaults(spec, out, e);

    if (rc == 0)
        rc = set_environment(spec, envp, out, e);
    for (int i = 1; rc == 0 && i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (!only_words && strncmp(argv[i], "--", 2) == 0)
            rc = set_flag(spec, argc, argv, &i, out, seen, e);
        else if (!only_words && strcmp(argv[i], "-h") == 0 && find_item(spec, str_of("help")))
            rc = set_help(spec, out, e);
        else if (!only_words && argv[i][0] == '-' && argv[i][1])
            rc = error_set(e, ERR_INVALID, "unknown flag %s; see %s --help", argv[i], spec->program);
        else if (ret_args)
            list_add(&args, argv[i]);
        else
            rc = error_set(e, ERR_INVALID, "unexpected word \"%s\"; see %s --help", argv[i], spec->program);
    }
    if (!given)
        mem_free(seen);
    if (rc < 0) {
        mem_free(args.items);
        config_done(spec, out);
        return rc;
    }
    if (ret_args)
        *ret_args = args;
    return 0;
}

void config_done(const struct config_spec *spec, void *out)
{
    for (size_t i = 0; i < spec->n_items; i++) {
        struct config_list *list = field_of(out, &spec->items[i]);

        if (spec->items[i].type != CFG_LIST)
            continue;
        mem_free(list->items);
        *list = (struct config_list){0};
    }
}

void config_help(const struct config_spec *spec, FILE *to)
{
    static const char *const types[] = {"TEXT", "N", "N", "", "DURATION", "TEXT"};

    (void)fprintf(to, "usage: %s %s\n\n%s\n\nflags:\n", spec->program, spec->usage, spec->about);
    for (size_t i = 0; i < spec->n_items; i++) {
        const struct config_item *item = &spec->items[i];
        char left[80];

        if (!item->help)
            continue;
        (void)snprintf(left, sizeof(left), "--%s%s%s", item->name, types[item->type][0] ? "=" : "", types[item->type]);
        (void)fprintf(to, "  %-38s %s", left, item->help);
        if (item->fallback && item->fallback[0])
            (void)fprintf(to, " (default %s)", item->fallback);
        (void)fputc('\n', to);
    }
    if (spec->env_prefix)
        (void)fprintf(to, "\nEach flag can also be set in the environment: --log-level as %sLOG_LEVEL.\n",
                      spec->env_prefix);
}
