/* stashd_settings: every setting of the operator: one value of the chart, one flag, one row (chart.md 9). */
#ifndef STASHD_STASHD_SETTINGS_H
#define STASHD_STASHD_SETTINGS_H

#include "controllers/controller.h"
#include "core/base/config.h"
#include "core/base/log.h"

struct stashd_settings {
    bool help, version;
    const char *kubeconfig, *context;
    const char *log_level, *log_format;
    const char *own_namespace, *fullname, *identity, *cluster_id;
    const char *image, *pull_policy;
    bool leader_elect;
    uint64_t concurrency;
    int64_t qps, burst;
    struct config_list namespaces;
    const char *metrics_address;
    uint64_t metrics_port;
    bool metrics_enabled;
    const char *pushgateway_mode, *pushgateway_url, *push_auth;
    bool webhook;
    const char *webhook_address, *webhook_tls, *webhook_cert_dir, *webhook_secret, *webhook_service;
    uint64_t webhook_port;
    int64_t webhook_lifetime_ns;
    struct config_list webhook_configurations;
    const char *secrets_access;
    struct config_list lending;
    bool allow_hostpath;
    int64_t job_ttl_ns, job_timeout_ns, pod_start_ns, prune_delay_ns, check_every_ns;
    const char *trigger;
};

extern const struct config_spec stashd_config;

/* What the table can't say; ERR_INVALID names the flag. Fills in what follows from the environment. */
int stashd_settings_check(struct stashd_settings *s, struct error *e) NODISCARD;
/* The part that decisions depend on. */
void stashd_settings_operator(const struct stashd_settings *s, struct operator_settings *out);
enum log_level stashd_settings_level(const struct stashd_settings *s);

#endif
