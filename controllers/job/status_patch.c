/* status_patch: see status_patch.h. Hosts are upserted by hostname,
 * conditions by type, targets by their full reference. */
#include "controllers/job/status_patch.h"

#include "controllers/condition.h"
#include "core/base/json.h"
#include "core/base/str.h"

/* ---- who is who ---- */

static bool refers(const json_t *ref, const struct status_target *t, const char *default_ns)
{
    const char *ns = json_text(ref, "namespace"), *want = t->ns && *t->ns ? t->ns : default_ns;

    return str_same(json_text(ref, "kind"), t->kind) && str_same(json_text(ref, "name"), t->name) &&
           str_same(*ns ? ns : default_ns, want);
}

const json_t *status_patch_find_ref(const json_t *invoker, const struct status_target *t)
{
    static const char *const paths[] = {"spec.members", "spec.targets"};
    const char *ns = json_text(invoker, "metadata.namespace");
    const json_t *target = json_at(invoker, "spec.target"), *member;
    size_t i;

    if (json_is_object(target)) {
        const json_t *ref = json_object_get(target, "ref");

        return !*json_text(ref, "name") || refers(ref, t, ns) ? target : NULL;
    }
    for (size_t p = 0; p < 2; p++)
        json_array_foreach (json_at(invoker, paths[p]), i, member)
            if (refers(json_at(member, "target.ref"), t, ns))
                return json_object_get(member, "target");
    return NULL;
}

json_t *status_patch_find_entry(const json_t *entries, const struct status_target *t, const char *default_ns)
{
    json_t *entry;
    size_t i;

    json_array_foreach (entries, i, entry)
        if (refers(json_object_get(entry, "ref"), t, default_ns))
            return entry;
    return NULL;
}

size_t status_patch_n_targets(const json_t *invoker)
{
    size_t n = json_array_size(json_at(invoker, "spec.members"));

    return n ? n : 1;
}

/* ---- merging ---- */

static json_t *find_by(const json_t *list, const char *key, const char *value, size_t *at)
{
    json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        if (!str_same(json_text(item, key), value))
            continue;
        *at = i;
        return item;
    }
    return NULL;
}

/* Puts each item of more into list, in place of the one with the same value of key. */
static void upsert(json_t *list, const json_t *more, const char *key)
{
    json_t *item;
    size_t i, at;

    json_array_foreach (more, i, item) {
        if (find_by(list, key, json_text(item, key), &at))
            json_array_set_new(list, at, json_deep_copy(item));
        else
            json_array_append_new(list, json_deep_copy(item));
    }
}

static json_t *copy_list(const json_t *list)
{
    return json_is_array(list) ? json_deep_copy(list) : json_array();
}

static void merge_list(json_t *o, const char *member, const json_t *more, const char *key)
{
    json_t *list;

    if (!json_array_size(more))
        return;
    list = copy_list(json_object_get(o, member));
    upsert(list, more, key);
    json_object_set_new(o, member, list);
}

/* The full reference: with apiVersion as the report or the invoker has it, the namespace always filled in. */
static json_t *make_ref(const struct status_target *t, const json_t *ref, const json_t *reported, const char *ns)
{
    const char *version = json_text(ref, "apiVersion");
    json_t *o = json_object();

    if (!*version)
        version = json_text(reported, "ref.apiVersion");
    if (*version)
        json_object_set_new(o, "apiVersion", json_string(version));
    json_object_set_new(o, "kind", json_string(t->kind));
    json_object_set_new(o, "name", json_string(t->name));
    json_object_set_new(o, "namespace", json_string(t->ns && *t->ns ? t->ns : ns));
    return o;
}

static json_t *merge_entry(const json_t *session, const char *list_path, const struct status_target *t,
                           const json_t *ref, const json_t *reported)
{
    const char *ns = json_text(session, "metadata.namespace");
    json_t *entries = copy_list(json_at(session, list_path));
    json_t *entry = status_patch_find_entry(entries, t, ns);

    if (!entry) {
        entry = json_object();
        json_object_set_new(entry, "ref", make_ref(t, json_object_get(ref, "ref"), reported, ns));
        json_array_append_new(entries, entry);
    }
    merge_list(entry, "stats", json_object_get(reported, "stats"), "hostname");
    merge_list(entry, "conditions", json_object_get(reported, "conditions"), "type");
    json_object_del(entry, "progress"); /* of a backup that runs: this one has ended */
    return entries;
}

json_t *status_patch_backup(const json_t *session, const struct status_target *t, const json_t *ref,
                            const json_t *reported, const json_t *conditions)
{
    json_t *status = json_object(), *list;

    json_object_set_new(status, "targets", merge_entry(session, "status.targets", t, ref, reported));
    if (json_array_size(conditions)) {
        list = copy_list(json_at(session, "status.conditions"));
        upsert(list, conditions, "type");
        json_object_set_new(status, "conditions", list);
    }
    return json_pack("{s:o}", "status", status);
}

json_t *status_patch_restore(const json_t *session, const struct status_target *t, const json_t *ref,
                             const json_t *reported)
{
    json_t *status = json_object();

    if (json_is_array(json_at(session, "spec.members"))) {
        json_object_set_new(status, "members", merge_entry(session, "status.members", t, ref, reported));
        return json_pack("{s:o}", "status", status);
    }
    json_object_set(status, "stats", json_at(session, "status.stats"));
    json_object_set(status, "conditions", json_at(session, "status.conditions"));
    merge_list(status, "stats", json_object_get(reported, "stats"), "hostname");
    if (json_array_size(json_object_get(reported, "conditions")))
        merge_list(status, "conditions", json_object_get(reported, "conditions"), "type");
    else
        json_object_del(status, "conditions");
    return json_pack("{s:o}", "status", status);
}

/* ---- the others ---- */

static bool host_done(const json_t *host)
{
    return str_same(json_text(host, "phase"), "Succeeded") || str_same(json_text(host, "phase"), "Failed");
}

/* Hosts that have ended, those of mine counted too (NULL: none) even if the entry does not hold them yet. */
static int64_t count_done(const json_t *entry, const json_t *mine)
{
    const json_t *stats = json_object_get(entry, "stats"), *host;
    int64_t n = (int64_t)json_array_size(mine);
    size_t i, at;

    json_array_foreach (stats, i, host)
        if (host_done(host) && !find_by(mine, "hostname", json_text(host, "hostname"), &at))
            n++;
    return n;
}

bool status_patch_others_done(const json_t *session, const struct status_target *t, const json_t *reported,
                              size_t n_targets)
{
    const char *ns = json_text(session, "metadata.namespace");
    const json_t *entries = json_at(session, "status.targets"), *entry;
    size_t i, n = 1; /* ours */

    json_array_foreach (entries, i, entry) {
        bool own = refers(json_object_get(entry, "ref"), t, ns);
        const json_t *mine = own ? json_object_get(reported, "stats") : NULL;

        if (own && count_done(entry, mine) < json_int(entry, "totalHosts", 1))
            return false;
        if (own)
            continue;
        if (!host_done(entry) &&
            (!json_at(entry, "totalHosts") || count_done(entry, NULL) < json_int(entry, "totalHosts", 1)))
            return false;
        n++;
    }
    return n >= n_targets;
}

static void add_hosts(json_t *names, const json_t *stats)
{
    json_t *host, *name;
    size_t i, k;

    json_array_foreach (stats, i, host) {
        bool known = !*json_text(host, "hostname");

        json_array_foreach (names, k, name)
            known |= str_same(json_string_value(name), json_text(host, "hostname"));
        if (!known)
            json_array_append(names, json_object_get(host, "hostname"));
    }
}

json_t *status_patch_hosts(const json_t *session, const json_t *reported)
{
    json_t *names = json_array(), *entry;
    size_t i;

    add_hosts(names, json_object_get(reported, "stats"));
    json_array_foreach (json_at(session, "status.targets"), i, entry)
        add_hosts(names, json_object_get(entry, "stats"));
    return names;
}

/* ---- the repository ---- */

/* Also again after a prune that failed. Told once: how long it waits counts from there. */
static json_t *conditions_with_need(const json_t *repository, const struct status_repository *r, int64_t now_s)
{
    json_t *list = condition_copy(repository);

    if (r->may_prune && (r->removed > 0 || condition_is(list, "Pruned", "False")))
        condition_set(list, now_s, "Pruned", "False", "PruneNeeded", "the data of removed snapshots can be freed");
    return list;
}

json_t *status_patch_repository(const json_t *repository, const json_t *session, const struct status_repository *r,
                                int64_t now_s)
{
    json_t *status = json_object(), *when = json_at(session, "metadata.creationTimestamp");
    int64_t last = 0, this = 0;
    char text[32];

    if (r->integrity >= 0)
        json_object_set_new(status, "integrity", json_boolean(r->integrity));
    if (r->snapshots >= 0)
        json_object_set_new(status, "snapshotCount", json_integer(r->snapshots));
    if (r->removed >= 0)
        json_object_set_new(status, "snapshotsRemovedOnLastCleanup", json_integer(r->removed));
    if (r->size_bytes >= 0)
        json_object_set_new(status, "totalSize", json_string(str_format_size((uint64_t)r->size_bytes, text)));
    if (!*json_text(repository, "status.firstBackupTime"))
        json_object_set(status, "firstBackupTime", when);
    /* Sessions of several invokers may end in another order than they began: never backwards. */
    if (str_parse_time(str_of(json_text(repository, "status.lastBackupTime")), &last) < 0)
        last = 0; /* the first one */
    if (str_parse_time(json_str(when), &this) == 0 && this >= last)
        json_object_set(status, "lastBackupTime", when);
    if (r->may_prune)
        json_object_set_new(status, "conditions", conditions_with_need(repository, r, now_s));
    return json_pack("{s:o}", "status", status);
}
