/*
 * route: method and path to what is asked for: a verb, a resource, a namespace, a name, a subresource; or a path that
 * is no resource (discovery, health, version).
 *
 *     /api/v1/<plural>[/<name>[/<sub>]]                          /apis/<group>/<version>/…
 *     /api/v1/namespaces/<ns>/<plural>[/<name>[/<sub>]]
 */
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/model/request.h"

/* Cuts the words of a path in place; at most `max` (a longer path counts max + 1). */
static size_t cut_words(char *path, const char **words, size_t max)
{
    size_t n = 0;

    for (char *at = path; at;) {
        char *slash = strchr(at, '/');

        if (slash)
            *slash = 0;
        if (*at) {
            if (n < max)
                words[n] = at;
            n++;
        }
        at = slash ? slash + 1 : NULL;
    }
    return n;
}

static const char *verb_of(const struct request *q)
{
    bool one = *q->name;

    if (strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0) {
        if (one)
            return "get";
        return request_query_flag(q, "watch") ? "watch" : "list";
    }
    if (strcmp(q->method, "POST") == 0)
        return "create";
    if (strcmp(q->method, "PUT") == 0)
        return one ? "update" : NULL;
    if (strcmp(q->method, "PATCH") == 0)
        return one ? "patch" : NULL;
    if (strcmp(q->method, "DELETE") == 0)
        return one ? "delete" : "deletecollection";
    return NULL;
}

static const char *lower_method(const struct request *q)
{
    static const char *const pairs[][2] = {{"GET", "get"}, {"POST", "post"}, {"PUT", "put"}, {"PATCH", "patch"},
                                           {"DELETE", "delete"}, {"HEAD", "head"}, {"OPTIONS", "options"}};

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (strcmp(q->method, pairs[i][0]) == 0)
            return pairs[i][1];
    return "get";
}

/* words: what follows /api/v1 or /apis/<g>/<v>. */
static bool route_resource(struct request *q, const char **words, size_t n)
{
    size_t i = 0;

    /* /namespaces/<ns>/<plural>…, but /namespaces/<ns>/status and /finalize are the Namespace's own. */
    if (n >= 3 && strcmp(words[0], "namespaces") == 0 && strcmp(words[2], "status") != 0 &&
        strcmp(words[2], "finalize") != 0) {
        q->ns = words[1];
        i = 2;
    }
    q->plural = words[i++];
    if (i < n)
        q->name = words[i++];
    if (i < n)
        q->sub = words[i++];
    if (i < n)
        return false;
    /* A Namespace is in itself, as far as rights go. */
    if (!*q->group && strcmp(q->plural, "namespaces") == 0)
        q->ns = q->name;
    q->is_resource = true;
    q->r = resource_find(q->m->resources, str_of(q->group), str_of(q->version), str_of(q->plural));
    q->verb = verb_of(q);
    return true;
}

bool request_route(struct request *q)
{
    const char *words[8] = {NULL};
    size_t n, skip = 0;

    q->words = mem_strdup(q->path);
    n = cut_words(q->words, words, 8);
    q->group = q->version = q->plural = q->ns = q->name = q->sub = "";
    if (n > 8)
        n = 8; /* no path of ours is so long: it ends in 404 */
    if (n >= 3 && strcmp(words[0], "api") == 0) {
        q->version = words[1];
        skip = 2;
    } else if (n >= 4 && strcmp(words[0], "apis") == 0) {
        q->group = words[1];
        q->version = words[2];
        skip = 3;
    }
    if (!skip || !route_resource(q, words + skip, n - skip)) {
        q->is_resource = false;
        q->verb = lower_method(q);
    }
    if (q->is_resource && !q->verb)
        return false;
    return true;
}
