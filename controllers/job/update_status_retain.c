/*
 * update_status_retain: which snapshots of our hosts are forgotten after a backup. A repository may be shared, by
 * several databases and by several clusters: each judges what it made itself, and nothing else (docs/repositories.md).
 */
#include "controllers/job/update_status_parts.h"

#include <stdio.h>

#include "core/base/json.h"
#include "core/base/mem.h"

enum { OUT_MAX = 16 * 1024 * 1024 };

/* own: besides the user's. */
static void read_tags(const json_t *policy, const char *own, const char *tags[34])
{
    json_t *tag;
    size_t i, n = 0;

    tags[n++] = own;
    json_array_foreach (json_object_get(policy, "keepTags"), i, tag)
        if (n < 33 && json_is_string(tag))
            tags[n++] = json_string_value(tag);
    tags[n] = NULL;
}

/* Of the snapshots with a tag: "--tag=…". */
static int forget_of(struct post *p, const struct restic_policy *policy, const json_t *hosts, const char *tag,
                     struct error *e)
{
    int64_t removed = 0;
    const json_t *host;
    struct restic_command c;
    struct buf out;
    int64_t kept = 0;
    size_t i;
    int rc;

    buf_init(&out, OUT_MAX);
    restic_begin(&c, &p->repo.backend, "forget");
    restic_add(&c, "--json");
    restic_add_retry_lock(&c, p->repo.version, p->repo.retry_lock_s);
    /* A repository may be shared: only snapshots of this session's hosts are judged by its policy. */
    json_array_foreach (hosts, i, host)
        restic_add_option(&c, "host", json_string_value(host));
    restic_add(&c, tag);
    restic_add_policy(&c, policy);
    rc = repo_run_waiting(&p->repo, &c, true, REPO_LOCK_WAIT_S, &out, e);
    if (rc == 0)
        rc = restic_parse_forget(buf_str(&out), &kept, &removed, e);
    if (rc == 0 && !policy->dry_run)
        p->u->repository.removed += removed;
    restic_done(&c);
    buf_done(&out);
    return rc;
}

/* Whose the snapshots under our hosts are. */
struct sharing {
    size_t n_unclaimed;  /* of no known cluster, or ours and of no known target, while our cluster is known */
    char cluster[64];    /* another one's; "": none */
};

static bool knows_cluster(const struct post *p)
{
    return p->repo.cluster && *p->repo.cluster;
}

static void look_at_owner(struct post *p, const struct restic_snapshot *s, struct sharing *out)
{
    const char *cluster = restic_tag(s, REPO_CLUSTER_TAG);

    if (cluster && !repo_is_own(&p->repo, s))
        (void)snprintf(out->cluster, sizeof(out->cluster), "%s", cluster);
    else if (knows_cluster(p) && (!cluster || !restic_tag(s, "stash.target")))
        out->n_unclaimed++;
}

/* Databases have the host "host-0" unless they are given an alias, in each cluster. */
static int find_others(struct post *p, const json_t *hosts, struct sharing *ret, struct error *e)
{
    struct restic_snapshots list;
    int rc = repo_snapshots(&p->repo, NULL, NULL, false, &list, e);

    *ret = (struct sharing){0};
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < list.n; i++)
        if (json_has_text(hosts, list.items[i].host))
            look_at_owner(p, &list.items[i], ret);
    restic_snapshots_done(&list);
    return 0;
}

/*
 * What is ours carries the tags of our cluster and target, and only that is judged: a busy database does not push out
 * the only backups of a quiet one, and of another cluster, or of nobody known, nothing is ever removed here. That is
 * said to restic each time, also while we see no others: forget may wait for hours, and what it runs over then is not
 * what we have seen.
 *
 * Without an identity of our own (not under an operator of this version) it is what carries no cluster's tag: restic
 * cannot ask for that, so where others have one nothing is done.
 */
static int forget_shared(struct post *p, const struct restic_policy *policy, const json_t *hosts, const char *target,
                         const struct sharing *others, struct error *e)
{
    AUTO_FREE char *by_target = mem_printf("--tag=stash.target=%s", target), *ours = NULL;
    struct restic_policy counts = *policy;
    int rc;

    if (knows_cluster(p)) {
        ours = mem_printf("%s," REPO_CLUSTER_TAG "=%s", by_target, p->repo.cluster);
        return forget_of(p, policy, hosts, ours, e);
    }
    if (*others->cluster)
        return error_set(e, ERR_INVALID,
                         "cluster %s has snapshots of the same hosts here, and which cluster this is is not known: "
                         "STASH_CLUSTER is not set", others->cluster);
    rc = forget_of(p, policy, hosts, by_target, e);
    counts.keep_tags = NULL; /* which what no program of ours tagged has none of: it is judged by itself */
    if (rc == 0 && !restic_policy_is_empty(&counts))
        rc = forget_of(p, &counts, hosts, "--tag=", e);
    return rc;
}

static int forget(struct post *p, const struct restic_policy *policy, struct error *e)
{
    const struct status_target *t = &p->u->target;
    AUTO_FREE char *target = mem_printf("%s/%s/%s", t->kind, t->ns, t->name);
    json_t *hosts = status_patch_hosts(p->u->session, p->u->reported);
    struct sharing others;
    int rc = 0;

    if (!knows_cluster(p)) /* then it is as we see it that counts: as near as can be to forget's own look */
        rc = repo_wait_unlocked(&p->repo, true, REPO_LOCK_WAIT_S, e);
    if (rc == 0)
        rc = find_others(p, hosts, &others, e);
    if (rc == 0) {
        p->n_unclaimed = others.n_unclaimed;
        rc = forget_shared(p, policy, hosts, target, &others, e);
    }
    json_decref(hosts);
    return rc;
}

static int count_snapshots(struct post *p, struct error *e)
{
    struct restic_snapshots list;
    int rc = repo_snapshots(&p->repo, NULL, NULL, false, &list, e);

    if (rc == 0) {
        p->u->repository.snapshots = (int64_t)list.n;
        restic_snapshots_done(&list);
    }
    return rc;
}

int update_status_retain(struct post *p, struct error *e)
{
    const json_t *o = json_at(p->u->invoker, "spec.retentionPolicy");
    AUTO_FREE char *own = mem_printf("stash.session=%s", json_text(p->u->session, "metadata.name"));
    const char *tags[34];
    struct restic_policy policy = {.keep_last = json_int(o, "keepLast", 0),
                                   .keep_hourly = json_int(o, "keepHourly", 0),
                                   .keep_daily = json_int(o, "keepDaily", 0),
                                   .keep_weekly = json_int(o, "keepWeekly", 0),
                                   .keep_monthly = json_int(o, "keepMonthly", 0),
                                   .keep_yearly = json_int(o, "keepYearly", 0),
                                   .keep_tags = tags + 1,
                                   .dry_run = json_flag(o, "dryRun", false)};
    int rc = 0;

    read_tags(o, own, tags);
    p->u->repository.removed = 0;
    p->u->repository.may_prune = json_flag(o, "prune", false) && !policy.dry_run;
    if (!restic_policy_is_empty(&policy)) { /* with nothing to keep, forget would have no rule */
        policy.keep_tags = tags; /* what has just been made stays, whatever the policy says of it */
        rc = forget(p, &policy, e);
    }
    return rc < 0 ? rc : count_snapshots(p, e);
}
