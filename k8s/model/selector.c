/* selector: see selector.h. */
#include "k8s/model/selector_parts.h"

#include "core/base/json.h"
#include "core/base/mem.h"

/* ---- terms ---- */

struct term *selector_term(struct selector **s, struct str key, enum op op)
{
    struct term *t;

    if (!*s)
        *s = mem_zalloc(sizeof(**s));
    (*s)->terms = mem_realloc((*s)->terms, ((*s)->n + 1) * sizeof(*t));
    t = &(*s)->terms[(*s)->n++];
    *t = (struct term){.key = mem_strndup(key.p, key.n), .op = op};
    return t;
}

void selector_value(struct term *t, struct str value)
{
    t->values = mem_realloc(t->values, (t->n_values + 1) * sizeof(t->values[0]));
    t->values[t->n_values++] = mem_strndup(value.n ? value.p : "", value.n);
}

void selector_free(struct selector *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        for (size_t k = 0; k < s->terms[i].n_values; k++)
            mem_free(s->terms[i].values[k]);
        mem_free(s->terms[i].values);
        mem_free(s->terms[i].key);
    }
    mem_free(s->terms);
    mem_free(s);
}

static bool compares(const struct term *t, const char *value)
{
    int64_t is, limit;

    if (!value || str_to_i64(str_of(value), &is) < 0 || str_to_i64(str_of(t->values[0]), &limit) < 0)
        return false;
    return t->op == OP_GREATER ? is > limit : is < limit;
}

static bool term_fits(const struct term *t, const char *value)
{
    bool among = false;

    if (t->op == OP_EXISTS)
        return value != NULL;
    if (t->op == OP_ABSENT)
        return value == NULL;
    if (t->op == OP_GREATER || t->op == OP_LESS)
        return compares(t, value);
    for (size_t i = 0; i < t->n_values && value && !among; i++)
        among = strcmp(t->values[i], value) == 0;
    return t->op == OP_IN ? among : !among;
}

/* ---- fields: only "=", "==" and "!=" ---- */

static bool parse_field(struct selector **s, struct str term)
{
    const char *eq = term.n ? memchr(term.p, '=', term.n) : NULL;
    struct str key, value;
    bool not_equal;

    if (!eq)
        return false;
    not_equal = eq > term.p && eq[-1] == '!';
    key = str_trim((struct str){term.p, (size_t)(eq - term.p) - not_equal});
    eq += 1 + (!not_equal && eq + 1 < term.p + term.n && eq[1] == '=');
    value = str_trim((struct str){eq, (size_t)(term.p + term.n - eq)});
    if (!key.n)
        return false;
    selector_value(selector_term(s, key, not_equal ? OP_NOT_IN : OP_IN), value);
    return true;
}

static int parse_fields(struct selector **ret, const char *text, struct error *e)
{
    struct str rest = str_of(text), term;

    *ret = NULL;
    while (str_cut(&rest, ',', &term)) {
        if (!term.n || parse_field(ret, term))
            continue;
        selector_free(*ret);
        *ret = NULL;
        return error_set(e, ERR_INVALID, "invalid selector: '%s'; can't understand '%.*s'", text, (int)term.n, term.p);
    }
    return 0;
}

/* What objects of built-in kinds can be selected by, besides their name and namespace. */
static const struct {
    const char *plural, *fields;
} selectable[] = {
    {"pods", "spec.nodeName,spec.restartPolicy,spec.schedulerName,spec.serviceAccountName,spec.hostNetwork,"
             "status.phase,status.podIP,status.podIPs,status.nominatedNodeName"},
    {"events", "involvedObject.kind,involvedObject.namespace,involvedObject.name,involvedObject.uid,"
               "involvedObject.apiVersion,involvedObject.resourceVersion,involvedObject.fieldPath,reason,type,"
               "reportingComponent,source"},
    {"secrets", "type"},
    {"namespaces", "status.phase"},
    {"nodes", "spec.unschedulable"},
    {"jobs", "status.successful"},
};

static bool listed(const char *list, const char *key)
{
    struct str rest = str_of(list), item;

    while (str_cut(&rest, ',', &item))
        if (str_is(item, key))
            return true;
    return false;
}

static bool field_known(const struct resource *r, const char *key)
{
    if (strcmp(key, "metadata.name") == 0 || (strcmp(key, "metadata.namespace") == 0 && r->namespaced))
        return true;
    for (size_t i = 0; r->builtin && i < sizeof(selectable) / sizeof(selectable[0]); i++)
        if (strcmp(selectable[i].plural, r->plural) == 0 && listed(selectable[i].fields, key))
            return true;
    return false;
}

/* Each kind of kinds says it in its own words. */
static int unknown_field(const struct resource *r, const char *key, struct error *e)
{
    bool known = !r->builtin;

    if (r->builtin && strcmp(r->plural, "jobs") == 0)
        return error_set(e, ERR_INVALID, "field label \"%s\" not supported for Job", key);
    for (size_t i = 0; i < sizeof(selectable) / sizeof(selectable[0]); i++)
        known = known || strcmp(selectable[i].plural, r->plural) == 0;
    if (known)
        return error_set(e, ERR_INVALID, "field label not supported: %s", key);
    return error_set(e, ERR_INVALID,
                     "\"%s\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", key);
}

int selector_parse_fields(struct selector **ret, const struct resource *r, const char *text, struct error *e)
{
    int rc = parse_fields(ret, text, e);

    for (size_t i = 0; rc == 0 && *ret && i < (*ret)->n; i++) {
        if (!field_known(r, (*ret)->terms[i].key)) {
            rc = unknown_field(r, (*ret)->terms[i].key, e);
            selector_free(*ret);
            *ret = NULL;
        }
    }
    return rc;
}

/* ---- matching ---- */

bool selector_fits_labels(const struct selector *s, const json_t *object)
{
    const json_t *labels = s ? json_at(object, "metadata.labels") : NULL;

    for (size_t i = 0; s && i < s->n; i++)
        if (!term_fits(&s->terms[i], json_string_value(json_object_get(labels, s->terms[i].key))))
            return false;
    return true;
}

/* A field's text; absent ones are "". Two names are not paths: Event's source, Job's status.successful. */
static const char *field_text(const json_t *object, const char *key)
{
    const json_t *value;

    if (strcmp(key, "source") == 0)
        return json_text(object, "source.component");
    if (strcmp(key, "status.successful") == 0)
        return json_int(object, "status.succeeded", 0) > 0 ? "1" : "0";
    value = json_at(object, key);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (!value && (strcmp(key, "spec.unschedulable") == 0 || strcmp(key, "spec.hostNetwork") == 0))
        return "false";
    return json_is_string(value) ? json_string_value(value) : "";
}

bool selector_fits_fields(const struct selector *s, const json_t *object)
{
    for (size_t i = 0; s && i < s->n; i++)
        if (!term_fits(&s->terms[i], field_text(object, s->terms[i].key)))
            return false;
    return true;
}

const char *selector_name(const struct selector *fields)
{
    for (size_t i = 0; fields && i < fields->n; i++)
        if (strcmp(fields->terms[i].key, "metadata.name") == 0 && fields->terms[i].op == OP_IN)
            return fields->terms[i].values[0];
    return NULL;
}

static bool expression_fits(const json_t *expression, const json_t *labels)
{
    const char *op = json_text(expression, "operator");
    const char *value = json_string_value(json_object_get(labels, json_text(expression, "key")));
    const json_t *item;
    bool among = false;
    size_t i;

    if (strcmp(op, "Exists") == 0)
        return value != NULL;
    if (strcmp(op, "DoesNotExist") == 0)
        return value == NULL;
    json_array_foreach(json_object_get(expression, "values"), i, item)
        among = among || (value && str_same(json_string_value(item), value));
    return strcmp(op, "NotIn") == 0 ? !among : among;
}

bool selector_fits_object(const json_t *label_selector, const json_t *labels)
{
    const json_t *item;
    const char *key;
    size_t i;

    if (!json_is_object(label_selector))
        return false;
    json_object_foreach((json_t *)(uintptr_t)json_object_get(label_selector, "matchLabels"), key, item)
        if (!json_equal(item, json_object_get(labels, key)))
            return false;
    json_array_foreach(json_object_get(label_selector, "matchExpressions"), i, item)
        if (!expression_fits(item, labels))
            return false;
    return true;
}
