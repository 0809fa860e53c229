/*
 * devkube_container: a container's process. bubblewrap makes the sandbox: an empty root with this machine's /usr and a few
 * files of /etc, the pod's volumes where the container mounts them, everything else read-only or absent, own PID, IPC and
 * host name. setpriv then takes the user, the groups and all capabilities away. Environment goes through the child's own
 * environment, never through its command line: that is where credentials are.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cmd/devkube_pod.h"

enum { ARGS_MAX = 1024, MESSAGE_MAX = 4096 };

static const char ACCOUNT_DIR[] = "/var/run/secrets/kubernetes.io/serviceaccount";

struct words {
    struct arena *a;
    const char *list[ARGS_MAX];
    size_t n;
};

static void add(struct words *w, const char *word)
{
    if (w->n < ARGS_MAX - 1)
        w->list[w->n++] = arena_strdup(w->a, word);
}

static void add2(struct words *w, const char *a, const char *b)
{
    add(w, a);
    add(w, b);
}

static void add3(struct words *w, const char *a, const char *b, const char *c)
{
    add2(w, a, b);
    add(w, c);
}

/* ---- which program ---- */

/* "PATTERN=PROGRAM": the program that an image name stands for, or NULL. */
static const char *image_program(const struct kubelet *k, const char *image, struct arena *a)
{
    for (size_t i = 0; i < k->o.images->n; i++) {
        struct str program = str_of(k->o.images->items[i]), pattern;

        if (!str_cut(&program, '=', &pattern) || !program.p)
            continue;
        if (pattern.n && pattern.p[pattern.n - 1] == '*') {
            pattern.n--;
            if (str_starts(str_of(image), pattern))
                return arena_str(a, program);
        } else if (str_is(pattern, image)) {
            return arena_str(a, program);
        }
    }
    return NULL;
}

/* ---- environment ---- */

static void put_env(struct words *env, const char *name, const char *value)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->list[i], name, n) == 0 && env->list[i][n] == '=') {
            env->list[i] = arena_printf(env->a, "%s=%s", name, value);
            return;
        }
    add(env, arena_printf(env->a, "%s=%s", name, value));
}

static const char *get_env(const struct words *env, struct str name)
{
    for (size_t i = 0; i < env->n; i++)
        if (str_starts(str_of(env->list[i]), name) && env->list[i][name.n] == '=')
            return env->list[i] + name.n + 1;
    return NULL;
}

/* $(NAME) of what is known so far; $$(NAME) stays $(NAME); unknown names stay as they are. */
static const char *expand(const struct words *env, const char *text, struct arena *a)
{
    struct buf out;
    const char *result;

    buf_init(&out, 1 << 20);
    for (const char *p = text; *p; p++) {
        const char *end, *value;

        if (p[0] == '$' && p[1] == '$') {
            buf_putc(&out, *++p);
        } else if (p[0] == '$' && p[1] == '(' && (end = strchr(p, ')')) &&
                   (value = get_env(env, (struct str){p + 2, (size_t)(end - p - 2)}))) {
            buf_puts(&out, value);
            p = end;
        } else {
            buf_putc(&out, *p);
        }
    }
    result = arena_str(a, buf_str(&out));
    buf_done(&out);
    return result;
}

/* "metadata.labels['x']" */
static const char *field_value(const struct pod *p, const char *path, struct arena *a)
{
    const char *open = strchr(path, '\''), *close = open ? strrchr(path, '\'') : NULL;

    if (open && close > open) {
        const char *key = arena_str(a, (struct str){open + 1, (size_t)(close - open - 1)});
        const char *map = strncmp(path, "metadata.labels", 15) == 0 ? "labels" : "annotations";
        const char *text = json_string_value(json_object_get(json_object_get(p->meta, map), key));

        return text ? text : "";
    }
    if (strcmp(path, "status.podIP") == 0 || strcmp(path, "status.podIPs") == 0)
        return p->ip;
    if (strcmp(path, "status.hostIP") == 0)
        return "127.0.0.1";
    if (strncmp(path, "metadata.", 9) == 0)
        return json_text(p->meta, path + 9);
    if (strncmp(path, "spec.", 5) == 0)
        return json_text(p->spec, path + 5);
    return "";
}

static const char *resource_value(const struct container *c, const json_t *ref, struct arena *a)
{
    const char *resource = json_text(ref, "resource"), *dot = strchr(resource, '.');
    const json_t *map = json_at(c->spec, "resources");
    const char *text = "";
    int64_t milli, divisor = 1000;

    if (dot)
        text = json_text(json_object_get(map, strncmp(resource, "limits", 6) == 0 ? "limits" : "requests"), dot + 1);
    if (!text[0])
        text = strstr(resource, "memory") ? "4Gi" : "2"; /* without a limit: the node's own */
    if (str_parse_quantity_milli(str_of(text), &milli) < 0)
        return "";
    if (json_text(ref, "divisor")[0] && str_parse_quantity_milli(str_of(json_text(ref, "divisor")), &divisor) < 0)
        return "";
    return arena_printf(a, "%lld", (long long)((milli + divisor - 1) / (divisor > 0 ? divisor : 1000)));
}

/* A key of a Secret or ConfigMap, decoded; NULL when absent. */
static const char *key_value(const struct pod *p, const char *plural, const char *name, const char *key, struct arena *a)
{
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/%s/%s", p->ns, plural, name);
    json_t *object = NULL;
    const json_t *value;
    const char *text = NULL;

    if (model_do(p->k->o.model, "system:node", "GET", path, NULL, &object) == 200) {
        value = json_object_get(json_object_get(object, "data"), key);
        if (json_is_string(value) && strcmp(plural, "secrets") == 0) {
            struct buf raw;

            buf_init(&raw, 1 << 20);
            if (base64_decode(&raw, json_str(value)))
                text = arena_str(a, buf_str(&raw));
            buf_done(&raw);
        } else if (json_is_string(value)) {
            text = arena_strdup(a, json_string_value(value));
        }
    }
    json_decref(object);
    return text;
}

static int env_from_ref(struct words *env, const struct container *c, const char *name, const json_t *from, struct error *e)
{
    const struct pod *p = c->pod;
    const json_t *ref;
    const char *value = NULL, *kind = "Secret";

    if ((ref = json_object_get(from, "fieldRef")))
        value = field_value(p, json_text(ref, "fieldPath"), env->a);
    else if ((ref = json_object_get(from, "resourceFieldRef")))
        value = resource_value(c, ref, env->a);
    else if ((ref = json_object_get(from, "secretKeyRef")))
        value = key_value(p, "secrets", json_text(ref, "name"), json_text(ref, "key"), env->a);
    else if ((ref = json_object_get(from, "configMapKeyRef"))) {
        kind = "ConfigMap";
        value = key_value(p, "configmaps", json_text(ref, "name"), json_text(ref, "key"), env->a);
    }
    if (value)
        put_env(env, name, value);
    else if (!json_flag(ref, "optional", false))
        return error_set(e, ERR_NOTFOUND, "couldn't find key %s in %s %s/%s", json_text(ref, "key"), kind, p->ns,
                         json_text(ref, "name"));
    return 0;
}

static int env_from_all(struct words *env, const struct container *c, const json_t *from, struct error *e)
{
    const json_t *secret = json_object_get(from, "secretRef"), *ref = secret ? secret : json_object_get(from, "configMapRef");
    const char *plural = secret ? "secrets" : "configmaps", *prefix = json_text(from, "prefix"), *key;
    AUTO_FREE char *path = mem_printf("/api/v1/namespaces/%s/%s/%s", c->pod->ns, plural, json_text(ref, "name"));
    json_t *object = NULL, *value;
    int rc = 0;

    if (model_do(c->pod->k->o.model, "system:node", "GET", path, NULL, &object) == 200) {
        json_object_foreach (json_object_get(object, "data"), key, value)
            put_env(env, arena_printf(env->a, "%s%s", prefix, key), key_value(c->pod, plural, json_text(ref, "name"), key, env->a));
    } else if (!json_flag(ref, "optional", false)) {
        rc = error_set(e, ERR_NOTFOUND, "%s \"%s\" not found", secret ? "secret" : "configmap", json_text(ref, "name"));
    }
    json_decref(object);
    return rc;
}

static int build_env(struct words *env, const struct container *c, struct error *e)
{
    const struct kubelet *k = c->pod->k;
    const json_t *item;
    size_t i;
    int rc = 0;

    put_env(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/image");
    put_env(env, "HOME", "/");
    put_env(env, "HOSTNAME", c->pod->name);
    put_env(env, "KUBERNETES_SERVICE_HOST", k->o.api_host);
    put_env(env, "KUBERNETES_SERVICE_PORT", arena_printf(env->a, "%u", k->o.api_port));
    json_array_foreach (json_object_get(c->spec, "envFrom"), i, item)
        if ((rc = env_from_all(env, c, item, e)) < 0)
            return rc;
    json_array_foreach (json_object_get(c->spec, "env"), i, item) {
        const json_t *from = json_object_get(item, "valueFrom");

        if (from)
            rc = env_from_ref(env, c, json_text(item, "name"), from, e);
        else
            put_env(env, json_text(item, "name"), expand(env, json_text(item, "value"), env->a));
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- the sandbox ---- */

static void add_root(struct words *w)
{
    static const char *const etc[] = {"passwd", "group", "nsswitch.conf", "ssl", "ld.so.cache", "alternatives", "mysql",
                                      "localtime", "resolv.conf"};
    static const char *const links[] = {"bin", "sbin", "lib", "lib64"};

    add3(w, "--ro-bind", "/usr", "/usr");
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        add3(w, "--symlink", arena_printf(w->a, "usr/%s", links[i]), arena_printf(w->a, "/%s", links[i]));
    for (size_t i = 0; i < sizeof(etc) / sizeof(etc[0]); i++)
        add3(w, "--ro-bind-try", arena_printf(w->a, "/etc/%s", etc[i]), arena_printf(w->a, "/etc/%s", etc[i]));
    add2(w, "--proc", "/proc");
    add2(w, "--dev", "/dev");
}

/* bubblewrap makes missing parents of a mount for root alone; a container's user has to pass them. */
static void add_parents(struct words *w, const char *path)
{
    static const char *const given[] = {"/usr/", "/dev/", "/proc/", "/etc/"};

    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
        if (str_starts(str_of(path), str_of(given[i])))
            return;
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/'))
        add2(w, "--dir", arena_str(w->a, (struct str){path, (size_t)(slash - path)}));
}

static int add_mounts(struct words *w, const struct container *c, struct error *e)
{
    const json_t *mount;
    size_t i;

    json_array_foreach (json_object_get(c->spec, "volumeMounts"), i, mount) {
        const char *from = volume_path(c->pod, json_text(mount, "name"), w->a), *sub = json_text(mount, "subPath");

        if (!from)
            return error_set(e, ERR_INVALID, "volume \"%s\" not found", json_text(mount, "name"));
        if (sub[0] && strstr(sub, ".."))
            return error_set(e, ERR_INVALID, "subPath \"%s\" must not contain '..'", sub);
        if (sub[0]) {
            from = arena_printf(w->a, "%s/%s", from, sub);
            if (!make_folder(from, 0755) && access(from, F_OK) < 0)
                return error_set(e, ERR_DENIED, "subPath %s: %s", sub, strerror(errno));
        }
        add_parents(w, json_text(mount, "mountPath"));
        add3(w, json_flag(mount, "readOnly", false) ? "--ro-bind" : "--bind", from, json_text(mount, "mountPath"));
    }
    return 0;
}

/* Without a mount of its own at the usual path, an account's token is there unless it was switched off. */
static void add_account(struct words *w, const struct container *c)
{
    const json_t *mount;
    const char *from = volume_path(c->pod, "", w->a);
    size_t i;

    json_array_foreach (json_object_get(c->spec, "volumeMounts"), i, mount)
        if (strcmp(json_text(mount, "mountPath"), ACCOUNT_DIR) == 0)
            return;
    if (!from || !json_flag(c->pod->spec, "automountServiceAccountToken", true))
        return;
    add_parents(w, ACCOUNT_DIR);
    add3(w, "--ro-bind", from, ACCOUNT_DIR);
}

static const json_t *security(const struct container *c, const char *key)
{
    const json_t *own = json_object_get(json_object_get(c->spec, "securityContext"), key);

    return own ? own : json_object_get(json_object_get(c->pod->spec, "securityContext"), key);
}

/* The groups of the process: fsGroup and the supplemental ones. */
static void add_groups(struct words *w, const struct container *c, const char *gid)
{
    const json_t *fs = json_at(c->pod->spec, "securityContext.fsGroup"), *more = json_at(c->pod->spec, "securityContext.supplementalGroups");
    const char *list = gid;
    const json_t *g;
    size_t i;

    if (fs)
        list = arena_printf(w->a, "%s,%lld", list, (long long)json_integer_value(fs));
    json_array_foreach (more, i, g)
        list = arena_printf(w->a, "%s,%lld", list, (long long)json_integer_value(g));
    add2(w, "--groups", list);
}

static void add_user(struct words *w, const struct container *c)
{
    const json_t *uid = security(c, "runAsUser"), *gid = security(c, "runAsGroup");
    const char *g = arena_printf(w->a, "%lld", (long long)(gid ? json_integer_value(gid) : 0));

    add(w, "/usr/bin/setpriv");
    add(w, arena_printf(w->a, "--reuid=%lld", (long long)(uid ? json_integer_value(uid) : 0)));
    add(w, arena_printf(w->a, "--regid=%s", g));
    add_groups(w, c, g);
    add(w, "--no-new-privs");
    add2(w, "--inh-caps=-all", "--bounding-set=-all");
    add(w, "--");
}

static const char *message_file(const struct container *c, struct arena *a)
{
    return arena_printf(a, "%s/termination-%s", c->pod->dir, c->name);
}

static int build_argv(struct words *w, const struct container *c, const struct words *env, struct error *e)
{
    const json_t *command = json_object_get(c->spec, "command"), *args = json_object_get(c->spec, "args"), *word;
    const char *image = json_text(c->spec, "image"), *program = image_program(c->pod->k, image, w->a), *workdir = json_text(c->spec, "workingDir");
    size_t i;
    int rc;

    if (program && program[0] != '/')
        return error_set(e, ERR_INVALID, "image \"%s\": program %s must be an absolute path", image, program);
    if (!program && !json_array_size(command))
        return error_set(e, ERR_NOTFOUND, "image \"%s\" stands for no program of this machine; see devkube --help (--image)", image);
    add(w, "bwrap");
    add2(w, "--unshare-pid", "--unshare-ipc");
    add(w, "--unshare-uts");
    add2(w, "--hostname", arena_printf(w->a, "%.63s", c->pod->name));
    add2(w, "--die-with-parent", "--new-session");
    add_root(w);
    if (program) /* the whole folder: a command may name another program of the image */
        add3(w, "--ro-bind", arena_str(w->a, (struct str){program, (size_t)(strrchr(program, '/') - program)}), "/image");
    add3(w, "--ro-bind", arena_printf(w->a, "%s/hosts", c->pod->dir), "/etc/hosts");
    if (!json_flag(c->spec, "securityContext.readOnlyRootFilesystem", false))
        add2(w, "--tmpfs", "/tmp");
    rc = add_mounts(w, c, e);
    if (rc < 0)
        return rc;
    add_account(w, c);
    add3(w, "--bind", message_file(c, w->a), json_text(c->spec, "terminationMessagePath")[0] ? json_text(c->spec, "terminationMessagePath") : "/dev/termination-log");
    add2(w, "--remount-ro", "/");
    add2(w, "--chdir", workdir[0] ? workdir : "/");
    add2(w, "--cap-add", "ALL");
    add(w, "--");
    add_user(w, c);
    if (!json_array_size(command))
        add(w, arena_printf(w->a, "/image%s", strrchr(program, '/')));
    json_array_foreach (command, i, word)
        add(w, expand(env, json_string_value(word) ? json_string_value(word) : "", w->a));
    json_array_foreach (args, i, word)
        add(w, expand(env, json_string_value(word) ? json_string_value(word) : "", w->a));
    if (w->n >= ARGS_MAX - 1)
        return error_set(e, ERR_TOOBIG, "more than %d words in the command line", ARGS_MAX);
    return 0;
}

/* ---- life ---- */

static char *termination_message(const struct container *c)
{
    struct arena a;
    char text[MESSAGE_MAX + 1];
    char *message = NULL;
    FILE *f;

    arena_init(&a);
    f = fopen(message_file(c, &a), "r");
    if (f) {
        size_t n = fread(text, 1, MESSAGE_MAX, f);

        (void)fclose(f);
        if (n)
            message = mem_strndup(text, n);
    }
    arena_done(&a);
    if (!message && c->exit_code != 0 && strcmp(json_text(c->spec, "terminationMessagePolicy"), "FallbackToLogsOnError") == 0)
        message = kubelog_tail(c);
    return message;
}

static void on_again(struct timer *t)
{
    struct container *c = t->data;

    container_start(c);
    pod_publish(c->pod);
}

static bool starts_again(const struct container *c)
{
    const char *policy = json_text(c->pod->spec, "restartPolicy");

    if (c->pod->state == POD_STOPPING || strcmp(policy, "Never") == 0)
        return false;
    return c->exit_code != 0 || (strcmp(policy, "OnFailure") != 0 && !c->init);
}

static void on_exit_of(struct proc *proc, int status, int sig)
{
    struct container *c = proc->data;
    struct kubelet *k = c->pod->k;
    uint64_t wait_ms = 10000;

    c->proc_live = false;
    c->exit_code = sig ? 128 + sig : status;
    c->finished_s = env_wall_ms(k->o.env) / 1000;
    (void)snprintf(c->reason, sizeof(c->reason), "%s", c->exit_code ? "Error" : "Completed");
    mem_free(c->message);
    c->message = termination_message(c);
    if (c->log) {
        (void)fclose(c->log);
        c->log = NULL;
    }
    kubelog_ended(c);
    c->state = CONTAINER_TERMINATED;
    if (starts_again(c)) {
        for (int i = 1; i < c->restarts && wait_ms < 300000; i++)
            wait_ms *= 2;
        if (c->restarts++ == 0) /* the first time at once, as a kubelet does */
            wait_ms = 0;
        c->state = CONTAINER_WAITING;
        (void)snprintf(c->reason, sizeof(c->reason), "CrashLoopBackOff");
        timer_set_in(k->o.env, &c->again, wait_ms);
    }
    pod_continue(c->pod);
}

static void on_line(struct proc *proc, struct str line)
{
    kubelog_line(proc->data, line);
}

/* It can't be started as it is: waiting with a reason, as for an image that can't be pulled; tried again. */
static void refuse(struct container *c, const struct error *e)
{
    bool image = e->code == ERR_NOTFOUND && strncmp(e->msg, "image ", 6) == 0;

    c->state = CONTAINER_WAITING;
    (void)snprintf(c->reason, sizeof(c->reason), "%s", image ? "ImagePullBackOff" : "CreateContainerConfigError");
    mem_free(c->message);
    c->message = mem_strdup(e->msg);
    pod_event(c->pod, "Warning", image ? "Failed" : "CreateContainerConfigError", e->msg);
    timer_set_in(c->pod->k->o.env, &c->again, 10000);
}

static int open_files(struct container *c, struct arena *a, struct error *e)
{
    const char *message = message_file(c, a), *log = arena_printf(a, "%s/%s.log", c->pod->dir, c->name);
    int fd = open(message, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0 || fchmod(fd, 0666) < 0) /* the container's user writes it */
        return error_set(e, ERR_DENIED, "%s: %s", message, strerror(errno));
    (void)close(fd);
    c->log = fopen(log, "we");
    return c->log ? 0 : error_set(e, ERR_DENIED, "%s: %s", log, strerror(errno));
}

void container_start(struct container *c)
{
    struct kubelet *k = c->pod->k;
    struct arena a;
    struct words argv = {.a = &a}, env = {.a = &a};
    struct error e = {0};
    int rc;

    arena_init(&a);
    timer_clear(k->o.env, &c->again);
    timer_init(&c->again, on_again, c);
    rc = build_env(&env, c, &e);
    if (rc == 0)
        rc = build_argv(&argv, c, &env, &e);
    if (rc == 0)
        rc = open_files(c, &a, &e);
    if (rc == 0) {
        struct proc_spec spec = {.argv = argv.list, .envp = env.list, .cwd = "/"};

        c->proc = (struct proc){.on_stdout = on_line, .on_stderr = on_line, .on_exit = on_exit_of, .data = c};
        rc = k->o.env->ops->proc_start(k->o.env, &c->proc, &spec, &e);
    }
    if (rc == 0) {
        c->proc_live = true;
        c->state = CONTAINER_RUNNING;
        c->started_s = env_wall_ms(k->o.env) / 1000;
        c->reason[0] = 0;
    } else {
        if (c->log)
            (void)fclose(c->log);
        c->log = NULL;
        refuse(c, &e);
    }
    arena_done(&a);
}

/* First child of a process, or 0. bubblewrap's own process and the reaper in the sandbox stand before the program. */
static pid_t child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%d", &child) != 1)
        child = 0;
    (void)fclose(f);
    return child;
}

void container_signal(struct container *c, int sig)
{
    struct env *env = c->pod->k->o.env;
    pid_t reaper, program;

    if (!c->proc_live)
        return;
    reaper = child_of(env->ops->proc_pid(env, &c->proc));
    program = reaper ? child_of(reaper) : 0;
    if (sig != SIGKILL && program)
        (void)kill(program, sig); /* it may have just gone */
    else if (reaper)
        (void)kill(reaper, SIGKILL); /* the sandbox's first process: all others go with it */
    else
        env->ops->proc_kill(env, &c->proc, SIGKILL);
}

void container_done(struct container *c)
{
    timer_clear(c->pod->k->o.env, &c->again);
    kubelog_ended(c);
    mem_free(c->message);
    c->message = NULL;
}
