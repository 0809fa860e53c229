/*
 * podspec_floor: what no tenant gets through us whatever his namespace is labelled (multitenancy.md 5.5): the fields
 * that Pod Security's level "baseline" refuses. Containers of a Function and the backend's own volume are the
 * platform's.
 */
#include "controllers/podspec.h"

#include "core/base/json.h"

static void say(struct buf *out, const char *prefix, const char *field)
{
    buf_printf(out, "%s%s.%s", out->len ? ", " : "", prefix, field);
}

static const char *const capabilities[] = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
};

static const char *const sysctls[] = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
};

static const char *const selinux_types[] = {"", "container_t", "container_init_t", "container_kvm_t",
                                            "container_engine_t"};

static bool in_list(const char *const *list, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], s) == 0)
            return true;
    return false;
}

#define IN(list, s) in_list(list, sizeof(list) / sizeof((list)[0]), s)

/* Fields that pod and container contexts share. */
static void check_common(const json_t *context, const char *prefix, struct buf *out)
{
    if (json_flag(context, "windowsOptions.hostProcess", false))
        say(out, prefix, "windowsOptions.hostProcess");
    if (!IN(selinux_types, json_text(context, "seLinuxOptions.type")))
        say(out, prefix, "seLinuxOptions.type");
    if (*json_text(context, "seLinuxOptions.user"))
        say(out, prefix, "seLinuxOptions.user");
    if (*json_text(context, "seLinuxOptions.role"))
        say(out, prefix, "seLinuxOptions.role");
    if (strcmp(json_text(context, "seccompProfile.type"), "Unconfined") == 0)
        say(out, prefix, "seccompProfile.type");
    if (strcmp(json_text(context, "appArmorProfile.type"), "Unconfined") == 0)
        say(out, prefix, "appArmorProfile.type");
}

static void check_pod(const json_t *context, const char *prefix, struct buf *out)
{
    const json_t *it;
    size_t i;

    check_common(context, prefix, out);
    json_array_foreach (json_at(context, "sysctls"), i, it)
        if (!IN(sysctls, json_text(it, "name")))
            say(out, prefix, "sysctls");
}

static void check_container(const json_t *context, const char *prefix, struct buf *out)
{
    const char *proc = json_text(context, "procMount");
    const json_t *it;
    size_t i;

    check_common(context, prefix, out);
    if (json_flag(context, "privileged", false))
        say(out, prefix, "privileged");
    if (*proc && strcmp(proc, "Default") != 0)
        say(out, prefix, "procMount");
    json_array_foreach (json_at(context, "capabilities.add"), i, it)
        if (!json_is_string(it) || !IN(capabilities, json_string_value(it)))
            say(out, prefix, "capabilities.add");
}

/* A probe or a lifecycle hook may name a host; baseline lets only its own pod be asked. */
static void check_handler(const json_t *handler, const char *prefix, const char *field, struct buf *out)
{
    if (*json_text(handler, "httpGet.host") || *json_text(handler, "tcpSocket.host"))
        say(out, prefix, field);
}

void podspec_floor_settings(const json_t *settings, const char *prefix, struct buf *out)
{
    const json_t *container = json_at(settings, "container");
    struct buf place;

    buf_init(&place, 256);
    buf_printf(&place, "%s.pod.securityContext", prefix);
    check_pod(json_at(settings, "pod.securityContext"), place.data, out);
    buf_clear(&place);
    buf_printf(&place, "%s.container.securityContext", prefix);
    check_container(json_at(container, "securityContext"), place.data, out);
    buf_clear(&place);
    buf_printf(&place, "%s.container", prefix);
    check_handler(json_at(container, "livenessProbe"), place.data, "livenessProbe", out);
    check_handler(json_at(container, "readinessProbe"), place.data, "readinessProbe", out);
    check_handler(json_at(container, "lifecycle.postStart"), place.data, "lifecycle.postStart", out);
    check_handler(json_at(container, "lifecycle.preStop"), place.data, "lifecycle.preStop", out);
    buf_done(&place);
}

void podspec_floor_volumes(const json_t *volumes, const char *prefix, struct buf *out)
{
    const json_t *it;
    size_t i;

    json_array_foreach (volumes, i, it)
        if (json_at(it, "hostPath"))
            say(out, prefix, "hostPath");
}
