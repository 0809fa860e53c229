/*
 * substitute: see substitute.h. One pass over each string; the places that tenants' values may enter are a table, and
 * all that is not in it is closed to them.
 */
#include "controllers/substitute.h"

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/limits.h"

enum { NESTING_MAX = 8 };

#define CLIENT_ARGS "--xtradb-args=" /* the item whose words go to the database client (jobs.md 14.2) */

/* ---- one text ---- */

struct scan {
    const struct variables *vars;
    enum substitute_place place;
    const char *field;
    struct str text;
    size_t at;
    struct buf out;
    bool is_tenant;
    struct error *e;
};

/* A byte of a name. Bytes over 127 are letters of other scripts. */
static bool is_name_byte(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80;
}

static char peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->text.n ? s->text.p[s->at + ahead] : '\0';
}

/* "--flag=" stands before the value in the same item, so it can't become an option of its own. */
static bool behind_flag(const struct buf *out)
{
    return out->len > 3 && out->data[0] == '-' && out->data[1] == '-' && memchr(out->data + 3, '=', out->len - 3);
}

static int check_value(const struct scan *s, const struct variable *v)
{
    const char *what = v->is_param ? "task parameter" : "variable";

    if (strlen(v->value) > LIMIT_PARAM)
        return error_set(s->e, ERR_INVALID, "%s \"%s\" is over %d bytes", what, v->name, LIMIT_PARAM);
    if (s->place == PLACE_PLATFORM)
        return error_set(s->e, ERR_INVALID, "%s \"%s\" may not be used in %s", what, v->name, s->field);
    if (s->place != PLACE_ITEM)
        return 0;
    if (v->value[0] == '-' && !behind_flag(&s->out))
        return error_set(s->e, ERR_INVALID, "%s \"%s\" may not begin with '-' here: it would be a new option", what,
                         v->name);
    return 0;
}

static int put_value(struct scan *s, const struct variable *v)
{
    if (v->is_tenant) {
        int rc = check_value(s, v);

        if (rc < 0)
            return rc;
        s->is_tenant = true;
    }
    buf_puts(&s->out, v->value);
    return 0;
}

static int variable(struct scan *s, unsigned depth);

/* Text up to the end, or (in a word) up to its '}'. */
static int run(struct scan *s, unsigned depth)
{
    while (s->at < s->text.n) {
        char c = s->text.p[s->at];

        if (depth && c == '}')
            return 0;
        if (c == '$' && peek(s, 1) == '$') {
            buf_putc(&s->out, '$');
            s->at += 2;
        } else if (c == '$' && peek(s, 1) == '{') {
            int rc = variable(s, depth + 1);

            if (rc < 0)
                return rc;
        } else {
            size_t from = s->at++;

            while (s->at < s->text.n && peek(s, 0) != '$' && !(depth && peek(s, 0) == '}'))
                s->at++;
            buf_add(&s->out, s->text.p + from, s->at - from);
        }
    }
    return 0;
}

/* The word after an operator; evaluated even when it is not needed, so that a mistake in it is always seen. */
static int word(struct scan *s, bool needed, unsigned depth)
{
    struct scan aside = *s;
    int rc;

    if (needed)
        return run(s, depth);
    buf_init(&aside.out, LIMIT_STRING);
    aside.place = PLACE_FREE;
    rc = run(&aside, depth);
    buf_done(&aside.out);
    s->at = aside.at;
    return rc;
}

static int operator_error(const struct scan *s)
{
    char c = peek(s, 0);

    if (c && strchr("#%/,^", c))
        return error_set(s->e, ERR_INVALID, "unsupported substitution");
    if (c == ':' && s->at + 1 < s->text.n)
        return error_set(s->e, ERR_INVALID, "unsupported substitution");
    return error_set(s->e, ERR_INVALID, "missing closing brace");
}

/* At "${". */
static int variable(struct scan *s, unsigned depth)
{
    const struct variable *v;
    struct str name;
    int rc = 0;

    if (depth > NESTING_MAX)
        return error_set(s->e, ERR_INVALID, "more than %d levels of ${}", NESTING_MAX);
    s->at += 2;
    name.p = s->text.p + s->at;
    while (s->at < s->text.n && is_name_byte((unsigned char)s->text.p[s->at]))
        s->at++;
    name.n = (size_t)(s->text.p + s->at - name.p);
    if (!name.n)
        return error_set(s->e, ERR_INVALID,
                         peek(s, 0) == '#' ? "unsupported substitution" : "unable to parse variable name");
    v = variables_find(s->vars, name);
    if (peek(s, 0) == '}') {
        if (!v)
            return error_set(s->e, ERR_INVALID, "input/default value not found for key %.*s", (int)name.n, name.p);
        rc = put_value(s, v);
    } else {
        if (peek(s, 0) == '=')
            s->at += 1;
        else if (peek(s, 0) == ':' && (peek(s, 1) == '=' || peek(s, 1) == '-'))
            s->at += 2;
        else
            return operator_error(s);
        if (v)
            rc = put_value(s, v);
        if (rc == 0)
            rc = word(s, !v, depth);
    }
    if (rc < 0)
        return rc;
    if (peek(s, 0) != '}')
        return error_set(s->e, ERR_INVALID, "missing closing brace");
    s->at++;
    return 0;
}

/* What only the whole result tells. */
static int check_result(const struct scan *s)
{
    struct str out = buf_str(&s->out);

    if (buf_error(&s->out) < 0)
        return error_set(s->e, ERR_INVALID, "over %d bytes after substitution", LIMIT_STRING);
    if (!s->is_tenant)
        return 0;
    if (s->place == PLACE_MOUNT)
        return substitute_check_mount(s->out.data, s->e);
    if (s->place == PLACE_SUBPATH)
        return substitute_check_subpath(s->out.data, s->e);
    if (s->place == PLACE_ITEM && str_starts(out, STR(CLIENT_ARGS)))
        return substitute_check_client_args(out.p + strlen(CLIENT_ARGS), s->e);
    return 0;
}

/* As most are: nothing to put in, nothing to refuse. */
static bool is_plain(struct str text)
{
    return text.n <= LIMIT_STRING && !(text.n && (memchr(text.p, '$', text.n) || memchr(text.p, 0, text.n)));
}

int substitute_text(const struct variables *v, struct str text, enum substitute_place place, const char *field,
                    const char **ret, bool *ret_is_tenant, struct error *e)
{
    struct scan s = {.vars = v, .place = place, .field = field, .text = text, .e = e};
    int rc;

    buf_init(&s.out, LIMIT_STRING);
    rc = run(&s, 0);
    if (rc == 0)
        rc = check_result(&s);
    if (rc == 0) {
        *ret = arena_str(v->arena, buf_str(&s.out));
        if (ret_is_tenant)
            *ret_is_tenant = s.is_tenant;
    }
    buf_done(&s.out);
    return rc;
}

/* ---- a tree ---- */

/* "[]": any item of a list; "[+]": any but the first; a last "*": all below. What is in no row is the platform's. */
struct place_row {
    enum substitute_tree what;
    const char *path;
    enum substitute_place place;
};

static const struct place_row places[] = {
    {TREE_FUNCTION, "args[]", PLACE_ITEM},
    {TREE_FUNCTION, "command[+]", PLACE_ITEM},
    {TREE_FUNCTION, "runtimeSettings.env[].value", PLACE_FREE},
    {TREE_FUNCTION, "volumeMounts[].mountPath", PLACE_MOUNT},
    {TREE_FUNCTION, "volumeMounts[].subPath", PLACE_SUBPATH},
    {TREE_VOLUMES, "[].persistentVolumeClaim.claimName", PLACE_FREE},
    {TREE_TEMPLATE, "*", PLACE_FREE},
};

static bool path_fits(const char *pattern, const char *path)
{
    for (; *pattern; pattern++) {
        if (*pattern == '*')
            return true;
        if (*pattern == '[') {
            bool not_first = pattern[1] == '+';

            if (path[0] != '[' || (not_first && path[1] == '0'))
                return false;
            path += strcspn(path, "]") + 1;
            pattern += strcspn(pattern, "]");
        } else if (*pattern != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static enum substitute_place place_of(enum substitute_tree what, const char *path)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (places[i].what == what && path_fits(places[i].path, path))
            return places[i].place;
    return PLACE_PLATFORM;
}

struct walk {
    const struct variables *vars;
    enum substitute_tree what;
    struct buf path; /* of the value at hand */
    struct error *e;
};

static json_t *walk(struct walk *w, const json_t *value);

static json_t *walk_string(struct walk *w, const json_t *value)
{
    const char *out, *path = w->path.data;
    json_t *ret;
    int rc;

    if (is_plain(json_str(value)))
        return json_incref((json_t *)(uintptr_t)value);
    rc = substitute_text(w->vars, json_str(value), place_of(w->what, path), path, &out, NULL, w->e);
    if (rc < 0) {
        (void)error_wrap(w->e, rc, "%s", path);
        return NULL;
    }
    ret = json_string(out);
    if (!ret)
        (void)error_set(w->e, ERR_INVALID, "%s: not UTF-8 after substitution", path);
    return ret;
}

/* Back to the value around. */
static void leave(struct walk *w, size_t len)
{
    if (w->path.len > len)
        w->path.data[w->path.len = len] = '\0';
}

static json_t *walk_object(struct walk *w, const json_t *value)
{
    json_t *out = json_object(), *item, *next;
    size_t len = w->path.len;
    const char *key;

    json_object_foreach ((json_t *)(uintptr_t)value, key, item) {
        buf_puts(&w->path, len ? "." : "");
        buf_puts(&w->path, key);
        next = walk(w, item);
        leave(w, len);
        if (!next) {
            json_decref(out);
            return NULL;
        }
        json_object_set_new(out, key, next);
    }
    return out;
}

static json_t *walk_array(struct walk *w, const json_t *value)
{
    json_t *out = json_array(), *item, *next;
    size_t len = w->path.len, i;

    json_array_foreach (value, i, item) {
        buf_printf(&w->path, "[%zu]", i);
        next = walk(w, item);
        leave(w, len);
        if (!next) {
            json_decref(out);
            return NULL;
        }
        json_array_append_new(out, next);
    }
    return out;
}

static json_t *walk(struct walk *w, const json_t *value)
{
    if (json_is_string(value))
        return walk_string(w, value);
    if (json_is_object(value))
        return walk_object(w, value);
    if (json_is_array(value))
        return walk_array(w, value);
    return json_incref((json_t *)(uintptr_t)value); /* numbers, booleans and null don't change */
}

json_t *substitute_tree(const struct variables *v, const json_t *tree, enum substitute_tree what, struct error *e)
{
    struct walk w = {.vars = v, .what = what, .e = e};
    json_t *out;

    buf_init(&w.path, SIZE_MAX / 4);
    out = walk(&w, tree);
    buf_done(&w.path);
    return out;
}
