/* stashd_settings: see stashd_settings.h. */
#include "core/cmd/stashd_settings.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct stashd_settings, field)

/* clang-format off */
static const struct config_item items[] = {
    {"help", CFG_BOOL, AT(help), NULL, 0, 0, "show this text"},
    {"version", CFG_BOOL, AT(version), NULL, 0, 0, "show the version"},
    {"kubeconfig", CFG_STRING, AT(kubeconfig), "", 0, 0,
     "how to reach the API server; default: $KUBECONFIG, in the cluster its account, else ~/.kube/config"},
    {"context", CFG_STRING, AT(context), "", 0, 0, "context of the kubeconfig"},
    {"namespace", CFG_STRING, AT(own_namespace), "", 0, 0,
     "own namespace, for the Lease; default: $POD_NAMESPACE, else that of the context"},
    {"fullname", CFG_STRING, AT(fullname), "stashd", 0, 0,
     "name of the release's objects: Lease, ClusterRoles of Jobs"},
    {"identity", CFG_STRING, AT(identity), "", 0, 0,
     "who we are in the Lease; default: pod name and UID, else host name and process id"},
    {"cluster-id", CFG_STRING, AT(cluster_id), "", 0, 0,
     "whose snapshots are ours in a shared repository; default: the UID of Namespace kube-system"},
    {"image", CFG_STRING, AT(image), "stashd:" STASHD_VERSION, 0, 0,
     "image of update-status, probes and other Jobs of the operator"},
    {"image-pull-policy", CFG_STRING, AT(pull_policy), "IfNotPresent", 0, 0, "of that image"},
    {"leader-elect", CFG_BOOL, AT(leader_elect), "true", 0, 0, "only the holder of the Lease works"},
    {"watch-namespaces", CFG_LIST, AT(namespaces), NULL, 0, 0, "look only at this namespace; may be given once"},
    {"concurrency", CFG_UINT, AT(concurrency), "64", 1, 4096, "objects worked on at once"},
    {"kube-api-qps", CFG_INT, AT(qps), "50", 0, 10000, "requests a second on behalf of objects; 0: no limit"},
    {"kube-api-burst", CFG_INT, AT(burst), "100", 1, 10000, "and at once"},
    {"trigger", CFG_STRING, AT(trigger), "operator", 0, 0,
     "who makes sessions on schedule: operator or cronjob; annotation stash.appscode.com/trigger overrides it"},
    {"secrets-access", CFG_STRING, AT(secrets_access), "none", 0, 0,
     "none, listed or cluster: where a foreign namespace may get a Repository's Secret"},
    {"secrets-lending-namespaces", CFG_LIST, AT(lending), NULL, 0, 0,
     "a namespace for secrets-access=listed; once for each"},
    {"allow-hostpath-backend", CFG_BOOL, AT(allow_hostpath), "false", 0, 0, "allow local backends on a hostPath"},
    {"jobs-ttl-after-finished", CFG_DURATION, AT(job_ttl_ns), "1h", 600, 31536000, /* what ran is known by its Job */
     "how long finished Jobs stay; at least 10m"},
    {"jobs-default-timeout", CFG_DURATION, AT(job_timeout_ns), "24h", 0, 0,
     "deadline of sessions without timeOut; 0s: none"},
    {"jobs-prune-delay", CFG_DURATION, AT(prune_delay_ns), "10m", 0, 31536000, "from retention to the prune Job"},
    {"jobs-check-interval", CFG_DURATION, AT(check_every_ns), "0s", 0, 31536000,
     "from check to check of a repository in a Job of its own; 0s: each backup ends with one"},
    {"jobs-pod-start-timeout", CFG_DURATION, AT(pod_start_ns), "15m", 1, 31536000, "how long a pod may fail to start"},
    {"metrics", CFG_BOOL, AT(metrics_enabled), "true", 0, 0, "serve /metrics, /livez and /readyz"},
    {"metrics-address", CFG_STRING, AT(metrics_address), "0.0.0.0", 0, 0, "where"},
    {"metrics-port", CFG_UINT, AT(metrics_port), "8080", 0, 65535, "on which port; 0: any free one"},
    {"pushgateway-mode", CFG_STRING, AT(pushgateway_mode), "embedded", 0, 0, "embedded, external or none"},
    {"pushgateway-url", CFG_STRING, AT(pushgateway_url), "", 0, 0, "where Jobs push their metrics"},
    {"push-auth", CFG_STRING, AT(push_auth), "token", 0, 0,
     "token: pushes need a ServiceAccount token; open: they need nothing"},
    {"webhook", CFG_BOOL, AT(webhook), "false", 0, 0, "serve the admission webhook, over TLS"},
    {"webhook-address", CFG_STRING, AT(webhook_address), "0.0.0.0", 0, 0, "where"},
    {"webhook-port", CFG_UINT, AT(webhook_port), "8443", 0, 65535, "on which port; 0: any free one"},
    {"webhook-tls", CFG_STRING, AT(webhook_tls), "self", 0, 0,
     "self: the operator makes and renews the certificate; provided: it is in --webhook-cert-dir"},
    {"webhook-cert-dir", CFG_STRING, AT(webhook_cert_dir), "", 0, 0, "folder with tls.crt and tls.key"},
    {"webhook-secret", CFG_STRING, AT(webhook_secret), "", 0, 0,
     "self: own namespace's Secret for the certificate; default: <fullname>-tls"},
    {"webhook-service", CFG_STRING, AT(webhook_service), "", 0, 0,
     "self: Service that the API server calls; default: <fullname>"},
    {"webhook-configurations", CFG_LIST, AT(webhook_configurations), NULL, 0, 0,
     "self: ValidatingWebhookConfigurations that get the CAs"},
    {"webhook-cert-lifetime", CFG_DURATION, AT(webhook_lifetime_ns), "2160h", 30, 315360000,
     "self: how long a certificate is good; it is renewed after two thirds"},
    {"log-level", CFG_STRING, AT(log_level), "info", 0, 0, "debug, info, warn or error"},
    {"log-format", CFG_STRING, AT(log_format), "auto", 0, 0, "json, plain or auto: plain on a terminal"},
};
/* clang-format on */

const struct config_spec stashd_config = {
    .program = "stashd",
    .usage = "[flags]",
    .about = "The operator: watches backup configurations and runs their sessions as Jobs.",
    .env_prefix = "STASHD_",
    .items = items,
    .n_items = sizeof(items) / sizeof(items[0]),
};

static bool is_one_of(const char *s, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(s, *words) == 0)
            return true;
    }
    return false;
}

static int check_address(const char *flag, const char *address, struct error *e)
{
    struct in6_addr ip;

    if (inet_pton(AF_INET, address, &ip) == 1 || inet_pton(AF_INET6, address, &ip) == 1)
        return 0;
    return error_set(e, ERR_INVALID, "--%s=%s: an IP address of this machine is wanted, or 0.0.0.0 or :: for all", flag,
                     address);
}

static int check_namespaces(const char *flag, const struct config_list *names, struct error *e)
{
    for (size_t i = 0; i < names->n; i++)
        if (!str_is_dns_label(str_of(names->items[i])))
            return error_set(e, ERR_INVALID, "--%s=%s: the name of one namespace is wanted", flag, names->items[i]);
    return 0;
}

/* Who we are and where we listen. */
static int check_names(const struct stashd_settings *s, struct error *e)
{
    static const char *const policies[] = {"Always", "IfNotPresent", "Never", NULL};
    int rc;

    if (!str_is_dns_label(str_of(s->fullname)))
        return error_set(e, ERR_INVALID, "--fullname=%s: a-z, 0-9 and \"-\" are wanted", s->fullname);
    if (!s->image[0])
        return error_set(e, ERR_INVALID, "--image= is empty: the image of the operator is wanted, REGISTRY/NAME:TAG");
    if (!is_one_of(s->pull_policy, policies))
        return error_set(e, ERR_INVALID, "--image-pull-policy=%s: Always, IfNotPresent or Never", s->pull_policy);
    if (s->cluster_id[0] && (strlen(s->cluster_id) > 63 || !str_is_dns_name(str_of(s->cluster_id))))
        return error_set(e, ERR_INVALID, "--cluster-id=%s: at most 63 of a-z, 0-9, \"-\" and \".\"", s->cluster_id);
    if (s->namespaces.n > 1)
        return error_set(e, ERR_INVALID, "--watch-namespaces: one namespace or none (all)");
    rc = check_namespaces("watch-namespaces", &s->namespaces, e);
    if (rc == 0)
        rc = check_namespaces("secrets-lending-namespaces", &s->lending, e);
    if (rc == 0)
        rc = check_address("metrics-address", s->metrics_address, e);
    return rc == 0 ? check_address("webhook-address", s->webhook_address, e) : rc;
}

int stashd_settings_check(struct stashd_settings *s, struct error *e)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
    static const char *const formats[] = {"json", "plain", "auto", NULL};
    static const char *const access[] = {"none", "listed", "cluster", NULL};
    static const char *const auths[] = {"token", "open", NULL};
    static const char *const tls_modes[] = {"self", "provided", NULL};
    static const char *const modes[] = {"embedded", "external", "none", NULL};
    static const char *const triggers[] = {"operator", "cronjob", NULL};
    const char *ns = getenv("POD_NAMESPACE");

    if (!is_one_of(s->log_level, levels))
        return error_set(e, ERR_INVALID, "--log-level=%s: debug, info, warn or error", s->log_level);
    if (!is_one_of(s->log_format, formats))
        return error_set(e, ERR_INVALID, "--log-format=%s: json, plain or auto", s->log_format);
    if (!is_one_of(s->secrets_access, access))
        return error_set(e, ERR_INVALID, "--secrets-access=%s: none, listed or cluster", s->secrets_access);
    if (!is_one_of(s->pushgateway_mode, modes))
        return error_set(e, ERR_INVALID, "--pushgateway-mode=%s: embedded, external or none", s->pushgateway_mode);
    if (!is_one_of(s->push_auth, auths))
        return error_set(e, ERR_INVALID, "--push-auth=%s: token or open", s->push_auth);
    if (s->pushgateway_url[0] && strncmp(s->pushgateway_url, "http://", 7) != 0 &&
        strncmp(s->pushgateway_url, "https://", 8) != 0)
        return error_set(e, ERR_INVALID, "--pushgateway-url=%s: http:// or https:// is wanted", s->pushgateway_url);
    if (strcmp(s->pushgateway_mode, "external") == 0 && !s->pushgateway_url[0])
        return error_set(e, ERR_INVALID, "--pushgateway-mode=external needs --pushgateway-url");
    if (!is_one_of(s->trigger, triggers))
        return error_set(e, ERR_INVALID, "--trigger=%s: operator or cronjob", s->trigger);
    if (!is_one_of(s->webhook_tls, tls_modes))
        return error_set(e, ERR_INVALID, "--webhook-tls=%s: self or provided", s->webhook_tls);
    if (s->webhook && (strcmp(s->webhook_tls, "provided") == 0) != (s->webhook_cert_dir[0] != '\0'))
        return error_set(e, ERR_INVALID, "--webhook-tls=provided and --webhook-cert-dir belong together");
    if (strcmp(s->secrets_access, "listed") != 0 && s->lending.n)
        return error_set(e, ERR_INVALID, "--secrets-lending-namespaces needs --secrets-access=listed");
    if (strcmp(s->pushgateway_mode, "none") == 0)
        s->pushgateway_url = "";
    if (!s->own_namespace[0] && ns)
        s->own_namespace = ns;
    return check_names(s, e);
}

void stashd_settings_operator(const struct stashd_settings *s, struct operator_settings *out)
{
    *out = (struct operator_settings){
        .own_namespace = s->own_namespace,
        .image = s->image,
        .pull_policy = s->pull_policy,
        .fullname = s->fullname,
        .cluster_id = s->cluster_id,
        .pushgateway_url = s->pushgateway_url,
        .push_by_token = strcmp(s->pushgateway_mode, "embedded") == 0 && strcmp(s->push_auth, "token") == 0,
        .allow_hostpath_backend = s->allow_hostpath,
        .lend_everywhere = strcmp(s->secrets_access, "cluster") == 0,
        .lend_to = s->lending,
        .job_ttl_s = s->job_ttl_ns / 1000000000,
        .job_default_timeout_s = s->job_timeout_ns / 1000000000,
        .pod_start_timeout_s = s->pod_start_ns / 1000000000,
        .prune_delay_s = s->prune_delay_ns / 1000000000,
        .check_every_s = s->check_every_ns / 1000000000,
        .catch_up_s = 600,
        .by_cronjobs = strcmp(s->trigger, "cronjob") == 0,
    };
}

enum log_level stashd_settings_level(const struct stashd_settings *s)
{
    if (strcmp(s->log_level, "debug") == 0)
        return LOG_DEBUG;
    if (strcmp(s->log_level, "warn") == 0)
        return LOG_WARN;
    return strcmp(s->log_level, "error") == 0 ? LOG_ERROR : LOG_INFO;
}
