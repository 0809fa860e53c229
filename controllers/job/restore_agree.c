/*
 * restore_agree: the volumes of one restore are filled by a Job each and become nodes of one cluster, so "latest" has
 * to be the same snapshot for all. Whoever chooses first writes its id into the RestoreSession's status, by a write
 * that only one can win; the others, and who repeats, take that one.
 */
#include "controllers/job/restore_parts.h"

#include "core/base/json.h"
#include "core/base/mem.h"

/* One of several, of a restore in a cluster: a single one, or one by hand, has nobody to agree with. */
static bool has_others(const struct restore *r)
{
    static const char *const names[] = {"POD_ORDINAL", "STASH_RESTORE_NAME", "STASH_RESTORE_UID"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = repo_flags_env(r->envp, names[i]);

        if (!value || !*value)
            return false;
    }
    return true;
}

static const char *session_name(const struct restore *r)
{
    return repo_flags_env(r->envp, "STASH_RESTORE_NAME");
}

static int check_uid(const struct restore *r, const json_t *session, struct error *e)
{
    if (str_same(json_text(session, "metadata.uid"), repo_flags_env(r->envp, "STASH_RESTORE_UID")))
        return 0;
    return error_set(e, ERR_INVALID, "it was deleted and made anew: this is a Job of the old one");
}

/* "": nobody has chosen yet. */
static const char *id_of(const json_t *session, const char *host)
{
    const json_t *it;
    size_t i;

    json_array_foreach (json_at(session, "status.snapshots"), i, it)
        if (str_same(json_text(it, "hostname"), host))
            return json_text(it, "id");
    return "";
}

int restore_agreed(struct restore *r, const char *host, char **ret, struct error *e)
{
    json_t *session = NULL;
    int rc;

    *ret = NULL;
    if (!has_others(r))
        return 0;
    if ((rc = restore_api(r, e)) < 0 || (rc = apiserver_get(r->api, kind_get(KIND_RESTORESESSION), r->flags->ns,
                                                            session_name(r), &session, e)) < 0)
        return rc;
    rc = check_uid(r, session, e);
    if (rc == 0 && *id_of(session, host))
        *ret = mem_strdup(id_of(session, host));
    json_decref(session);
    return rc;
}

struct proposal {
    const struct restore *r;
    const char *host, *id;
};

static json_t *put_id(void *ctx, const json_t *session, struct error *e)
{
    const struct proposal *p = ctx;
    const json_t *old = json_at(session, "status.snapshots");
    json_t *list;

    if (check_uid(p->r, session, e) < 0)
        return NULL;
    if (*id_of(session, p->host)) {
        if (!str_same(id_of(session, p->host), p->id))
            (void)error_set(e, ERR_EXISTS, "another host was faster: it takes snapshot %.8s", id_of(session, p->host));
        return NULL;
    }
    list = json_is_array(old) ? json_copy((json_t *)(uintptr_t)old) : json_array();
    json_array_append_new(list, json_pack("{s:s, s:s}", "hostname", p->host, "id", p->id));
    return json_pack("{s:{s:o}}", "status", "snapshots", list);
}

int restore_agree(struct restore *r, const char *host, const char *id, struct error *e)
{
    struct proposal p = {r, host, id};
    json_t *after = NULL;
    int rc;

    if (!has_others(r))
        return 0;
    if ((rc = restore_api(r, e)) < 0)
        return rc;
    rc = apiserver_patch(r->api, kind_get(KIND_RESTORESESSION), r->flags->ns, session_name(r), "status", put_id, &p,
                         &after, e);
    if (rc == 0 && !str_same(id_of(after, host), id)) /* the API server drops what the CRD does not have */
        rc = error_set(e, ERR_INVALID,
                       "the CRD of RestoreSession has no status.snapshots, so the hosts cannot agree on the latest "
                       "snapshot: update the CRDs, or name a snapshot in the RestoreSession's rules");
    json_decref(after);
    return rc;
}
