/*
 * authn: see authn.h. Tokens of ServiceAccounts are token.c's.
 */
#include "k8s/model/authn.h"

#include <stdio.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/rbac.h"
#include "k8s/model/token.h"

/* ---- users ---- */

static void add_group(struct user *u, struct str name)
{
    json_t *text = json_stringn(name.n ? name.p : "", name.n);

    if (text && name.n && !json_has_text(u->groups, json_string_value(text)))
        json_array_append(u->groups, text);
    json_decref(text);
}

/* What a user's name implies: a ServiceAccount's groups, and that it is somebody. */
static void add_implied(struct user *u)
{
    struct str rest = str_of(u->name), ns;
    struct str prefix = STR("system:serviceaccount:");
    char group[300];

    if (str_starts(rest, prefix)) {
        rest = (struct str){rest.p + prefix.n, rest.n - prefix.n};
        if (str_cut(&rest, ':', &ns)) {
            (void)snprintf(group, sizeof(group), "system:serviceaccounts:%.*s", (int)ns.n, ns.p);
            add_group(u, STR("system:serviceaccounts"));
            add_group(u, str_of(group));
        }
    }
    add_group(u, strcmp(u->name, "system:anonymous") == 0 ? STR("system:unauthenticated")
                                                          : STR("system:authenticated"));
}

struct user *authn_user_new(const char *name, const char *uid, const char *groups)
{
    struct user *u = mem_zalloc(sizeof(*u));
    struct str rest = str_of(groups), group;

    u->name = mem_strdup(name);
    u->uid = mem_strdup(uid ? uid : "");
    u->groups = json_array();
    while (str_cut(&rest, ',', &group))
        add_group(u, group);
    add_implied(u);
    return u;
}

static struct user *user_copy(const struct user *from)
{
    struct user *u = mem_zalloc(sizeof(*u));

    u->name = mem_strdup(from->name);
    u->uid = mem_strdup(from->uid);
    u->groups = json_clone(from->groups);
    return u;
}

void authn_user_free(struct user *u)
{
    if (!u)
        return;
    mem_free(u->name);
    mem_free(u->uid);
    json_decref(u->groups);
    mem_free(u);
}

/* ---- credentials ---- */

/* One "CN=admin" off a subject in RFC 2253's form into out, with its backslashes undone. False at the end. */
static bool cut_attribute(struct str *rest, char *out, size_t size)
{
    size_t i = 0, n = 0;

    if (!rest->n)
        return false;
    for (; i < rest->n && rest->p[i] != ',' && rest->p[i] != '+'; i++) {
        if (rest->p[i] == '\\' && i + 1 < rest->n)
            i++;
        if (n + 1 < size)
            out[n++] = rest->p[i];
    }
    out[n] = 0;
    *rest = i < rest->n ? (struct str){rest->p + i + 1, rest->n - i - 1} : STR_NONE;
    return true;
}

/* "CN=admin,O=system:masters,O=ops" */
static struct user *user_of_subject(struct str subject)
{
    struct user *u = authn_user_new("", "", "");
    char part[512];

    json_array_clear(u->groups);
    while (cut_attribute(&subject, part, sizeof(part))) {
        struct str text = str_trim(str_of(part));

        if (str_starts(text, STR("CN="))) {
            mem_free(u->name);
            u->name = mem_strndup(text.p + 3, text.n - 3);
        } else if (str_starts(text, STR("O="))) {
            add_group(u, (struct str){text.p + 2, text.n - 2});
        }
    }
    add_implied(u);
    return u;
}

struct user *authn_token(struct model *m, struct str token)
{
    const struct user *known = map_get(&m->tokens, token);

    if (known)
        return user_copy(known);
    return token_user(m, token);
}

struct user *authn_user(struct request *q)
{
    struct str authorization = http_header_find(q->serve->headers, q->serve->n_headers, "authorization");

    if (str_starts(authorization, STR("Bearer ")))
        return authn_token(q->m, str_trim((struct str){authorization.p + 7, authorization.n - 7}));
    if (authorization.n)
        return NULL;
    if (q->serve->client_subject.n)
        return user_of_subject(q->serve->client_subject);
    return authn_user_new("system:anonymous", "", "");
}

void model_add_token(struct model *m, const char *token, const char *user, const char *groups)
{
    authn_user_free(map_put(&m->tokens, str_of(token), authn_user_new(user, "", groups)));
}

const struct user *authn_trusted(struct model *m, const char *name)
{
    struct user *u = map_get(&m->trusted, str_of(name));

    if (!u) {
        u = authn_user_new(name, "", "system:masters");
        (void)map_put(&m->trusted, str_of(name), u);
    }
    return u;
}

static void free_users(struct map *users)
{
    void *value;

    for (size_t it = 0; map_next(users, &it, NULL, &value);)
        authn_user_free(value);
    map_done(users);
}

void authn_done(struct model *m)
{
    free_users(&m->tokens);
    free_users(&m->trusted);
    token_done(m);
}

/* ---- impersonation ---- */

static int may_impersonate(struct request *q, const char *resource, const char *ns, const char *name)
{
    struct access a = {.verb = "impersonate", .is_resource = true, .group = "", .resource = resource, .sub = "",
                       .ns = ns, .name = name, .path = ""};

    if (rbac_allows(q->m, q->real_user, &a, NULL, 0))
        return 0;
    return request_fail(q, 403, "Forbidden",
                        "%s \"%s\" is forbidden: User \"%s\" cannot impersonate resource \"%s\" in "
                        "API group \"\" at the cluster scope",
                        resource, name, q->real_user->name, resource);
}

static int may_be(struct request *q, const char *name)
{
    struct str rest = str_of(name), prefix = STR("system:serviceaccount:"), ns;
    int status;

    if (str_starts(rest, prefix)) {
        rest = (struct str){rest.p + prefix.n, rest.n - prefix.n};
        if (str_cut(&rest, ':', &ns) && rest.n) {
            char *home = mem_strndup(ns.p, ns.n);

            status = may_impersonate(q, "serviceaccounts", home, rest.p);
            mem_free(home);
            return status;
        }
    }
    return may_impersonate(q, "users", "", name);
}

int authn_impersonate(struct request *q)
{
    const struct http_header *h = q->serve ? q->serve->headers : NULL;
    size_t n = q->serve ? q->serve->n_headers : 0;
    struct str name = http_header_find(h, n, "impersonate-user");
    struct user *other;
    char *text;
    int status;

    if (!name.n)
        return 0;
    text = mem_strndup(name.p, name.n);
    status = may_be(q, text);
    other = authn_user_new(text, "", "");
    mem_free(text);
    for (size_t i = 0; i < n && !status; i++) {
        if (!str_is(h[i].name, "impersonate-group"))
            continue;
        text = mem_strndup(h[i].value.n ? h[i].value.p : "", h[i].value.n);
        status = may_impersonate(q, "groups", "", text);
        add_group(other, h[i].value);
        mem_free(text);
    }
    if (status) {
        authn_user_free(other);
        return status;
    }
    q->user = other;
    return 0;
}
