/* check_install: see check_install.h. Nothing is created: the server takes each request as a dry run. */
#include "controllers/job/check_install.h"

#include <stdio.h>

#include "controllers/job/job.h"
#include "core/base/config.h"
#include "core/base/json.h"

/* A leader renews every few seconds; after this long another one should have taken over. */
enum { LEADER_SILENT_S = 60 };
/* Each part of the server's discovery learns of a new kind by itself. */
enum { KINDS_TRIES = 240, KINDS_PAUSE_MS = 500, KINDS_SETTLE_MS = 3000 };

/* What the server says of our group: a path without a plural. */
static const struct kind group_kind = {
    .id = N_KINDS, .group = "stash.appscode.com", .version = "v1beta1", .name = "APIResourceList"};

struct check_flags {
    const char *fullname, *ns, *master, *kubeconfig;
    bool wait_for_kinds, help;
};

#define F(member) offsetof(struct check_flags, member)

static const struct config_item items[] = {
    {"fullname", CFG_STRING, F(fullname), "stashd", 0, 0, "full name of the release: its Lease"},
    APISERVER_NAMESPACE_FLAG(struct check_flags, ns, "its namespace"),
    {"wait-for-kinds", CFG_BOOL, F(wait_for_kinds), "false", 0, 0,
     "only wait, two minutes at most, until the server serves Functions and Tasks"},
    {"master", CFG_STRING, F(master), NULL, 0, 0, "address of the API server"},
    {"kubeconfig", CFG_STRING, F(kubeconfig), NULL, 0, 0, "file that says how to reach it"},
    {"help", CFG_BOOL, F(help), NULL, 0, 0, "this text"},
};

static const struct config_spec spec = {
    .program = "stash-job check-installation",
    .usage = "[flags]",
    .about = "Looks whether the operator and its kinds are installed and work; changes nothing.",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

/* A bad one has no bucket. */
static json_t *repository(bool good)
{
    json_t *s3 = json_pack("{s:s}", "endpoint", "");

    if (good)
        json_object_set_new(s3, "bucket", json_string("any"));
    return json_pack("{s:{s:s}, s:{s:{s:o}}}", "metadata", "generateName", "check-installation-", "spec", "backend",
                     "s3", s3);
}

int check_install_repository(struct apiserver *api, const char *ns, bool good, char text[256], struct error *e)
{
    json_t *body = repository(good);
    struct kube_call c = {
        .verb = KUBE_CREATE, .kind = kind_get(KIND_REPOSITORY), .ns = ns, .query = "dryRun=All", .body = body};
    int rc = apiserver_call(api, &c, NULL, e);

    json_decref(body);
    if (rc < 0 && (good || (rc != ERR_INVALID && rc != ERR_DENIED)))
        return error_wrap(e, rc, "a %s Repository", good ? "good" : "bad");
    if (good)
        (void)snprintf(text, 256, "a good Repository is accepted");
    else
        (void)snprintf(text, 256, "a bad Repository is refused: %.220s", e->msg);
    if (good || rc < 0)
        return 0;
    return error_set(e, ERR_INVALID,
                     "a bad Repository was accepted: the kinds are of another version than the operator; upgrade the "
                     "release with crds.install=true");
}

int check_install_leader(struct apiserver *api, const char *ns, const char *lease, int64_t now_s, char text[256],
                         struct error *e)
{
    json_t *o = NULL;
    const char *holder;
    int64_t renewed_s = 0;
    int rc = apiserver_get(api, kind_get(KIND_LEASE), ns, lease, &o, e);

    if (rc == ERR_NOTFOUND)
        return error_wrap(e, rc, "no operator has ever had the lead here");
    if (rc < 0)
        return error_wrap(e, rc, "Lease %s/%s cannot be read", ns, lease);
    holder = json_text(o, "spec.holderIdentity");
    if (!*holder || str_parse_time(str_of(json_text(o, "spec.renewTime")), &renewed_s) < 0)
        rc = error_set(e, ERR_INVALID, "Lease %s/%s has no holder: does a pod of the operator run?", ns, lease);
    else if (now_s - renewed_s > LEADER_SILENT_S)
        rc = error_set(e, ERR_INVALID, "Lease %s/%s: %.127s has been silent for %lld s; does a pod of the "
                       "operator run?", ns, lease, holder, (long long)(now_s - renewed_s));
    else
        (void)snprintf(text, 256, "%.200s has the lead", holder);
    json_decref(o);
    return rc;
}

static bool has_resource(const json_t *list, const char *name)
{
    const json_t *r;
    size_t i;

    json_array_foreach (json_object_get(list, "resources"), i, r)
        if (str_same(json_text(r, "name"), name))
            return true;
    return false;
}

int check_install_kinds(struct job *j, struct apiserver *api, char text[256], struct error *e)
{
    struct kube_call c = {.verb = KUBE_GET, .kind = &group_kind};
    int rc = 0;

    (void)snprintf(text, 256, "Functions and Tasks are served");
    for (unsigned i = 0; i < KINDS_TRIES && rc == 0; i++) {
        json_t *list = NULL;
        bool there;

        rc = apiserver_call(api, &c, &list, e);
        there = rc == 0 && has_resource(list, "functions") && has_resource(list, "tasks");
        json_decref(list);
        if (there)
            return i == 0 ? 0 : job_sleep(j, KINDS_SETTLE_MS, e);
        if (rc == 0 || rc == ERR_NOTFOUND)
            rc = job_sleep(j, KINDS_PAUSE_MS, e);
    }
    return rc < 0 ? rc : error_set(e, ERR_TIMEOUT, "the server does not serve Functions and Tasks: are their kinds "
                                                   "installed (crds.install)?");
}

static bool tell(int rc, const char *text, const struct error *e)
{
    (void)printf("%s: %s\n", rc < 0 ? "FAILED" : "ok", rc < 0 ? e->msg : text);
    return rc == 0;
}

static int run(struct job *j, const struct check_flags *f, const char *const *envp)
{
    struct apiserver *api;
    struct error e;
    char text[256];
    const char *ns;
    bool good;

    if (apiserver_open(j, f->kubeconfig, f->master, envp, &api, &e) < 0) {
        (void)fprintf(stderr, "%s: %s\n", spec.program, e.msg);
        return 1;
    }
    ns = f->ns && *f->ns ? f->ns : apiserver_namespace(api);
    good = tell(check_install_kinds(j, api, text, &e), text, &e);
    if (!f->wait_for_kinds) {
        good = tell(check_install_repository(api, ns, true, text, &e), text, &e) && good;
        good = tell(check_install_repository(api, ns, false, text, &e), text, &e) && good;
        good = tell(check_install_leader(api, ns, f->fullname, env_wall_ms(j->env) / 1000, text, &e), text, &e) && good;
    }
    apiserver_free(api);
    return good ? 0 : 1;
}

static int check_flags(const struct check_flags *f, struct error *e)
{
    if (!*f->fullname)
        return error_set(e, ERR_INVALID, "--fullname is empty: give the name of the operator's Lease, such as stashd");
    return apiserver_check_namespace(f->ns, e);
}

int check_install_main(struct job *j, int argc, const char *const *argv, const char *const *envp)
{
    struct check_flags flags;
    struct error e;
    int status = 0, rc = config_parse(&spec, argc, argv, envp, &flags, NULL, NULL, &e);

    if (rc == 0 && !flags.help)
        rc = check_flags(&flags, &e);
    if (rc < 0) {
        (void)fprintf(stderr, "%s: %s\n", spec.program, e.msg);
        status = 2;
    } else if (flags.help) {
        config_help(&spec, stdout);
    } else {
        status = run(j, &flags, envp);
    }
    config_done(&spec, &flags);
    return status;
}
