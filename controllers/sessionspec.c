/* sessionspec: see sessionspec.h. */
#include "controllers/sessionspec.h"

#include <stdio.h>

#include "controllers/jobspec.h"
#include "core/base/json.h"
#include "core/base/mem.h"

static const char *name_with(struct arena *a, const char *invoker, int64_t unix_s, const char *suffix)
{
    char end[48], out[256];
    int n = snprintf(end, sizeof(end), "-%lld%s", (long long)unix_s, suffix);

    return arena_printf(a, "%s%s", str_shorten_name(str_of(invoker), 63 - (size_t)n, false, out), end);
}

const char *sessionspec_name(struct arena *a, const char *invoker, int64_t unix_s)
{
    return name_with(a, invoker, unix_s, "");
}

const char *sessionspec_retry_name(struct arena *a, const char *invoker, int64_t unix_s)
{
    return name_with(a, invoker, unix_s, "-retry");
}

static void set_label(json_t *labels, const char *key, const char *value)
{
    char out[256];

    json_object_set_new(labels, key, json_string(str_shorten_name(str_of(value), 63, false, out)));
}

json_t *sessionspec_owners(const json_t *invoker)
{
    return json_pack("[{s:s, s:s, s:s, s:s, s:b, s:b}]", "apiVersion", json_text(invoker, "apiVersion"), "kind",
                     json_text(invoker, "kind"), "name", json_text(invoker, "metadata.name"), "uid",
                     json_text(invoker, "metadata.uid"), "controller", 1, "blockOwnerDeletion", 1);
}

json_t *sessionspec_make(struct arena *a, const json_t *invoker, const char *name, int64_t retry_left)
{
    const json_t *target = json_at(invoker, "spec.target");
    const char *kind = json_text(invoker, "kind"), *invoker_name = json_text(invoker, "metadata.name");
    json_t *labels = jobspec_labels(invoker, DIRECTION_BACKUP);
    struct target_ref ref;

    if (!target)
        target = json_at(invoker, "spec.members.0.target");
    target_ref_of(target, json_text(invoker, "metadata.namespace"), &ref);
    set_label(labels, STASH_GROUP "/invoker-type", kind);
    set_label(labels, STASH_GROUP "/invoker-name", invoker_name);
    set_label(labels, STASH_GROUP "/target-kind", ref.kind);
    set_label(labels, STASH_GROUP "/target-name", ref.name);
    set_label(labels, STASH_GROUP "/target-namespace", ref.ns);
    if (retry_left < 0)
        retry_left = json_is_object(json_at(invoker, "spec.retryConfig"))
                         ? json_int(invoker, "spec.retryConfig.maxRetry", 1)
                         : 0;
    return json_pack("{s:{s:s, s:o, s:{s:s}, s:o}, s:{s:{s:s, s:s, s:s}, s:I}}", "metadata", "name",
                     arena_strdup(a, name), "labels", labels, "annotations", SESSIONSPEC_HASH,
                     sessionspec_invoker_hash(a, invoker), "ownerReferences", sessionspec_owners(invoker), "spec",
                     "invoker", "apiGroup", STASH_GROUP, "kind", kind, "name", invoker_name, "retryLeft",
                     (json_int_t)retry_left);
}

const char *sessionspec_invoker_hash(struct arena *a, const json_t *invoker)
{
    const json_t *spec = json_at(invoker, "spec");
    char *text = json_dumps(spec ? spec : json_null(), JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    char hex[65];

    str_sha256_hex(str_of(text), hex);
    mem_free(text);
    return arena_strdup(a, hex);
}
