/*
 * devkube_container: a container's process. bubblewrap makes the sandbox: an empty root with this machine's /usr and a
 * few files of /etc, the pod's volumes where the container mounts them, everything else read-only or absent, own PID,
 * IPC and host name. setpriv then takes the user, the groups and all capabilities away. Environment goes through the
 * child's own environment, never through its command line: that is where credentials are.
 */
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

enum { MESSAGE_MAX = 4096 };

static const char ACCOUNT_DIR[] = "/var/run/secrets/kubernetes.io/serviceaccount";

static void add2(struct words *w, const char *a, const char *b)
{
    words_add(w, a);
    words_add(w, b);
}

static void add3(struct words *w, const char *a, const char *b, const char *c)
{
    add2(w, a, b);
    words_add(w, c);
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
    const json_t *fs = json_at(c->pod->spec, "securityContext.fsGroup"),
                 *more = json_at(c->pod->spec, "securityContext.supplementalGroups");
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

    words_add(w, "/usr/bin/setpriv");
    words_add(w, arena_printf(w->a, "--reuid=%lld", (long long)(uid ? json_integer_value(uid) : 0)));
    words_add(w, arena_printf(w->a, "--regid=%s", g));
    add_groups(w, c, g);
    words_add(w, "--no-new-privs");
    add2(w, "--inh-caps=-all", "--bounding-set=-all");
    words_add(w, "--");
}

static const char *message_file(const struct container *c, struct arena *a)
{
    return arena_printf(a, "%s/termination-%s", c->pod->dir, c->name);
}

static int build_argv(struct words *w, const struct container *c, const struct words *env, struct error *e)
{
    const json_t *command = json_object_get(c->spec, "command"), *args = json_object_get(c->spec, "args"), *word;
    const char *image = json_text(c->spec, "image"), *program = image_program(c->pod->k, image, w->a),
               *workdir = json_text(c->spec, "workingDir");
    const char *hostname = json_text(c->pod->spec, "hostname");
    size_t i;
    int rc;

    if (program && program[0] != '/')
        return error_set(e, ERR_INVALID, "image \"%s\": program %s must be an absolute path", image, program);
    if (!program && !json_array_size(command))
        return error_set(e, ERR_NOTFOUND,
                         "image \"%s\" stands for no program of this machine; see devkube --help (--image)", image);
    words_add(w, "bwrap");
    add2(w, "--unshare-pid", "--unshare-ipc");
    words_add(w, "--unshare-uts");
    add2(w, "--hostname", arena_printf(w->a, "%.63s", *hostname ? hostname : c->pod->name));
    add2(w, "--die-with-parent", "--new-session");
    add_root(w);
    if (program) /* the whole folder: a command may name another program of the image */
        add3(w, "--ro-bind", arena_str(w->a, (struct str){program, (size_t)(strrchr(program, '/') - program)}),
             "/image");
    add3(w, "--ro-bind", arena_printf(w->a, "%s/hosts", c->pod->dir), "/etc/hosts");
    if (!json_flag(c->spec, "securityContext.readOnlyRootFilesystem", false))
        add2(w, "--tmpfs", "/tmp");
    rc = add_mounts(w, c, e);
    if (rc < 0)
        return rc;
    add_account(w, c);
    add3(w, "--bind", message_file(c, w->a),
         json_text(c->spec, "terminationMessagePath")[0] ? json_text(c->spec, "terminationMessagePath")
                                                         : "/dev/termination-log");
    add2(w, "--remount-ro", "/");
    add2(w, "--chdir", workdir[0] ? workdir : "/");
    add2(w, "--cap-add", "ALL");
    words_add(w, "--");
    add_user(w, c);
    if (!json_array_size(command))
        words_add(w, arena_printf(w->a, "/image%s", strrchr(program, '/')));
    json_array_foreach (command, i, word)
        words_add(w, podenv_expand(env, json_string_value(word) ? json_string_value(word) : ""));
    json_array_foreach (args, i, word)
        words_add(w, podenv_expand(env, json_string_value(word) ? json_string_value(word) : ""));
    if (w->n >= WORDS_MAX - 1)
        return error_set(e, ERR_TOOBIG, "more than %d words in the command line", WORDS_MAX);
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
    if (!message && c->exit_code != 0 &&
        strcmp(json_text(c->spec, "terminationMessagePolicy"), "FallbackToLogsOnError") == 0)
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
    rc = podenv_build(&env, c, &e);
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
