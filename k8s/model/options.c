/* options: see options.h. Lists and watches say from which state they start in three ways that exclude each other. */
#include "k8s/model/options.h"

#include "core/base/json.h"
#include "k8s/model/cause.h"

#define FORBIDDEN(causes, field, text) cause_add(causes, "FieldValueForbidden", field, "Forbidden: " text)

static bool among(const char *text, const char *list)
{
    struct str rest = str_of(list), item;

    while (str_cut(&rest, ',', &item))
        if (str_is(item, text))
            return true;
    return false;
}

/* ---- writes ---- */

static void add_dry_run(json_t *causes, const char *value)
{
    struct place top = {0}, at = {&top, "dryRun", -1, false};
    json_t *shown = json_pack("[s]", value), *all = json_pack("[s]", "All");

    cause_unsupported(causes, &at, shown, all);
    json_decref(shown);
    json_decref(all);
}

static void check_dry_run(struct request *q, json_t *causes)
{
    char text[16];

    if (!http_query(q->query, "dryRun", text, sizeof(text)))
        return;
    q->dry_run = strcmp(text, "All") == 0;
    if (!q->dry_run)
        add_dry_run(causes, text);
}

static void check_validation(const struct request *q, json_t *causes)
{
    char text[32], message[160];

    request_query(q, "fieldValidation", text, sizeof(text));
    if (!*text || among(text, "Ignore,Strict,Warn"))
        return;
    (void)snprintf(message, sizeof(message),
                   "Unsupported value: \"%s\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"", text);
    cause_add(causes, "FieldValueNotSupported", "fieldValidation", message);
}

int options_check_delete(struct request *q, const json_t *options)
{
    const char *policy = json_text(options, "propagationPolicy");
    const json_t *orphan = json_object_get(options, "orphanDependents");
    json_t *causes = json_array(), *item;
    char message[256];
    size_t i;

    (void)snprintf(message, sizeof(message),
                   "Unsupported value: \"%s\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
                   policy);
    if (*policy && !among(policy, "Foreground,Background,Orphan"))
        cause_add(causes, "FieldValueNotSupported", "propagationPolicy", message);
    (void)snprintf(message, sizeof(message),
                   "Invalid value: \"%s\": orphanDependents and deletionPropagation cannot be both set", policy);
    if (*policy && orphan)
        cause_add(causes, "FieldValueInvalid", "propagationPolicy", message);
    json_array_foreach (json_object_get(options, "dryRun"), i, item) {
        q->dry_run = q->dry_run || str_same(json_string_value(item), "All");
        if (!str_same(json_string_value(item), "All"))
            add_dry_run(causes, json_string_value(item) ? json_string_value(item) : "");
    }
    if (json_array_size(causes))
        return request_invalid_options(q, "DeleteOptions", causes);
    json_decref(causes);
    return 0;
}

/* ---- lists and watches ---- */

struct start {
    char rv[32], match[32], initial[8], next[8];
};

static void check_watch_start(const struct start *s, json_t *causes)
{
    bool initial = *s->initial != 0;

    if (initial && strcmp(s->match, "NotOlderThan") != 0)
        FORBIDDEN(causes, "resourceVersionMatch",
                  "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    if (*s->match && !initial)
        FORBIDDEN(causes, "resourceVersionMatch",
                  "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    else if (*s->match && strcmp(s->match, "NotOlderThan") != 0)
        cause_add(causes, "FieldValueNotSupported", "resourceVersionMatch",
                  strcmp(s->match, "Exact") == 0 ? "Unsupported value: \"Exact\": supported values: \"NotOlderThan\""
                                                 : "Unsupported value: supported values: \"NotOlderThan\"");
    if (*s->next)
        FORBIDDEN(causes, "continue", "continue is forbidden for watch");
}

static void check_list_start(const struct start *s, json_t *causes)
{
    char message[160];

    if (*s->match && *s->next)
        FORBIDDEN(causes, "resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
    if (*s->match && !*s->rv)
        FORBIDDEN(causes, "resourceVersionMatch",
                  "resourceVersionMatch is forbidden unless resourceVersion is provided");
    (void)snprintf(message, sizeof(message),
                   "Unsupported value: \"%s\": supported values: \"Exact\", \"NotOlderThan\", \"\"", s->match);
    if (*s->match && !among(s->match, "Exact,NotOlderThan"))
        cause_add(causes, "FieldValueNotSupported", "resourceVersionMatch", message);
    if (strcmp(s->match, "Exact") == 0 && strcmp(s->rv, "0") == 0)
        FORBIDDEN(causes, "resourceVersionMatch",
                  "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    if (*s->initial)
        FORBIDDEN(causes, "sendInitialEvents", "sendInitialEvents is forbidden for list");
}

static int check_numbers(struct request *q)
{
    static const char *const names[] = {"limit", "timeoutSeconds"};
    char text[32];
    int64_t number;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (*request_query(q, names[i], text, sizeof(text)) && str_to_i64(str_of(text), &number) < 0)
            return request_fail(q, 400, "BadRequest", "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
    return 0;
}

static void check_start(const struct request *q, json_t *causes)
{
    struct start s;

    request_query(q, "resourceVersion", s.rv, sizeof(s.rv));
    request_query(q, "resourceVersionMatch", s.match, sizeof(s.match));
    request_query(q, "sendInitialEvents", s.initial, sizeof(s.initial));
    request_query(q, "continue", s.next, sizeof(s.next));
    if (strcmp(q->verb, "watch") == 0)
        check_watch_start(&s, causes);
    else
        check_list_start(&s, causes);
}

static const char *kind_of(const char *verb)
{
    static const char *const pairs[][2] = {{"create", "CreateOptions"}, {"update", "UpdateOptions"},
                                           {"patch", "PatchOptions"},   {"list", "ListOptions"},
                                           {"watch", "ListOptions"}};

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (strcmp(pairs[i][0], verb) == 0)
            return pairs[i][1];
    return "DeleteOptions";
}

int options_check(struct request *q)
{
    bool reads = strcmp(q->verb, "list") == 0 || strcmp(q->verb, "watch") == 0;
    json_t *causes;
    int status = check_numbers(q);

    if (status || strcmp(q->verb, "get") == 0)
        return status;
    causes = json_array();
    if (reads) {
        check_start(q, causes);
    } else {
        check_dry_run(q, causes);
        check_validation(q, causes);
    }
    if (json_array_size(causes))
        return request_invalid_options(q, kind_of(q->verb), causes);
    json_decref(causes);
    return 0;
}
