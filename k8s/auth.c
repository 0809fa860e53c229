/*
 * auth: see auth.h. What is known is a ready header, "Bearer …". A token file is read again a minute after it was read
 * last (the kubelet rotates it long before it ends); an exec plugin runs when there is no header or when its expiry is
 * near, once for all who wait.
 */
#include "k8s/auth.h"

#include <assert.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/base/secret.h"

#define READ_AGAIN_NS (60 * 1000000000ull)

enum { KILL_SIGNAL = 9 }; /* SIGKILL; this layer has no header of the system */

enum { PLUGIN_TIMEOUT_MS = 60 * 1000, EXPIRY_MARGIN_MS = 10 * 1000 };

struct waiter {
    struct list link;
    kube_auth_fn *on_ready;
    void *ctx;
};

struct kube_auth {
    struct env *env;
    struct secret header; /* empty: not known */
    /* a token file */
    char *path;
    kube_read_file *read;
    uint64_t read_ns;
    /* an exec plugin */
    char **argv, **envp;
    struct proc proc;
    struct timer timeout;
    struct list waiting, ready; /* for the plugin's end; those being told now */
    struct buf out;
    char said[200];     /* the plugin's last line on stderr */
    int64_t expires_ms; /* Unix time; 0: never */
    bool running, dying;
};

static struct kube_auth *auth_new(struct env *env)
{
    struct kube_auth *a = mem_zalloc(sizeof(*a));

    a->env = env;
    secret_init(&a->header);
    list_init(&a->waiting);
    list_init(&a->ready);
    buf_init(&a->out, LIMIT_HEADERS);
    return a;
}

static void set_header(struct kube_auth *a, struct str token)
{
    struct buf text;

    buf_init(&text, LIMIT_HEADERS + 16);
    buf_puts(&text, "Bearer ");
    buf_add_str(&text, token);
    secret_set(&a->header, buf_str(&text));
    mem_wipe(text.data, text.len);
    buf_done(&text);
}

/* A header of HTTP holds no control character; a file with a line end inside is no token. */
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && s.n <= LIMIT_HEADERS;
}

struct kube_auth *kube_auth_token(struct env *env, struct str token)
{
    struct kube_auth *a = auth_new(env);

    set_header(a, str_trim(token));
    return a;
}

/* ---- a token file ---- */

struct kube_auth *kube_auth_token_file(struct env *env, const char *path, kube_read_file *read)
{
    struct kube_auth *a = auth_new(env);

    a->path = mem_strdup(path);
    a->read = read;
    return a;
}

static int read_token(struct kube_auth *a, struct error *e)
{
    struct str token;
    struct buf text;
    int rc;

    buf_init(&text, LIMIT_HEADERS);
    rc = a->read(a->path, &text, e);
    token = str_trim(buf_str(&text));
    if (rc < 0)
        rc = error_wrap(e, rc, "token file");
    else if (!is_token(token))
        rc = error_set(e, ERR_INVALID, "token file %s holds no token", a->path);
    if (rc == 0) {
        set_header(a, token);
        a->read_ns = env_now_ns(a->env);
    }
    mem_wipe(text.data, text.len);
    buf_done(&text);
    return rc;
}

static void get_from_file(struct kube_auth *a, kube_auth_fn *on_ready, void *ctx)
{
    struct error e = {0};
    int rc = 0;

    if (!a->header.n || env_now_ns(a->env) - a->read_ns >= READ_AGAIN_NS)
        rc = read_token(a, &e);
    /* A file that cannot be read just now may still have given a token that is good for a while. */
    if (rc < 0 && !a->header.n)
        on_ready(ctx, rc, STR_NONE, &e);
    else
        on_ready(ctx, 0, secret_str(&a->header), NULL);
}

/* ---- an exec plugin ---- */

static char **copy_list(const char *const *list)
{
    size_t n = 0;
    char **copy;

    while (list && list[n])
        n++;
    copy = mem_zalloc((n + 1) * sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_strdup(list[i]);
    return copy;
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++) {
        mem_wipe(list[i], strlen(list[i])); /* environments hold credentials */
        mem_free(list[i]);
    }
    mem_free(list);
}

struct kube_auth *kube_auth_exec(struct env *env, const char *const *argv, const char *const *envp)
{
    struct kube_auth *a = auth_new(env);

    assert(argv && argv[0]);
    a->argv = copy_list(argv);
    a->envp = copy_list(envp);
    return a;
}

static void plugin_output(struct proc *p, struct str bytes)
{
    struct kube_auth *a = p->data;

    buf_add_str(&a->out, bytes);
}

static void plugin_complaint(struct proc *p, struct str line)
{
    struct kube_auth *a = p->data;
    size_t n = line.n < sizeof(a->said) - 1 ? line.n : sizeof(a->said) - 1;

    if (!n)
        return;
    memcpy(a->said, line.p, n);
    a->said[n] = 0;
}

static void plugin_timeout(struct timer *t)
{
    struct kube_auth *a = t->data;

    a->env->ops->proc_kill(a->env, &a->proc, KILL_SIGNAL);
}

/* Takes token and expiry out of an ExecCredential. */
static int read_credential(struct kube_auth *a, struct error *e)
{
    json_t *root = buf_error(&a->out) < 0 ? NULL : json_loadb(a->out.data, a->out.len, 0, NULL);
    struct str token = json_str(json_at(root, "status.token"));
    const char *expires = json_text(root, "status.expirationTimestamp");
    int64_t at_s = 0;
    int rc = 0;

    if (!str_same(json_text(root, "kind"), "ExecCredential"))
        rc = error_set(e, ERR_INVALID, "credential plugin %s: its output is no ExecCredential", a->argv[0]);
    else if (!is_token(token))
        rc = error_set(e, ERR_INVALID, "credential plugin %s gave no token", a->argv[0]);
    else if (*expires && str_parse_time(str_of(expires), &at_s) < 0)
        rc = error_set(e, ERR_INVALID, "credential plugin %s: expiry %s is no time", a->argv[0], expires);
    if (rc == 0) {
        set_header(a, token);
        a->expires_ms = at_s * 1000;
    }
    json_decref(root);
    return rc;
}

static void tell_all(struct kube_auth *a, int rc, const struct error *e)
{
    list_move_all(&a->ready, &a->waiting);
    for (struct list *l; (l = list_pop(&a->ready));) {
        struct waiter w = *LIST_ENTRY(l, struct waiter, link);

        mem_free(LIST_ENTRY(l, struct waiter, link));
        w.on_ready(w.ctx, rc, rc < 0 ? STR_NONE : secret_str(&a->header), e);
    }
}

static void auth_free_now(struct kube_auth *a);

static void plugin_exit(struct proc *p, int status, int sig)
{
    struct kube_auth *a = p->data;
    struct error e = {0};
    int rc;

    a->running = false;
    timer_clear(a->env, &a->timeout);
    if (a->dying) {
        auth_free_now(a);
        return;
    }
    if (status != 0 || sig != 0)
        rc = error_set(&e, ERR_DENIED, "credential plugin %s ended with %s %d%s%s", a->argv[0],
                       sig ? "signal" : "status", sig ? sig : status, *a->said ? ": " : "", a->said);
    else
        rc = read_credential(a, &e);
    mem_wipe(a->out.data, a->out.len);
    buf_clear(&a->out);
    tell_all(a, rc, &e);
}

static int plugin_start(struct kube_auth *a, struct error *e)
{
    const struct proc_spec spec = {
        .argv = (const char *const *)a->argv,
        .envp = (const char *const *)a->envp,
        .raw_stdout = true,
    };
    int rc;

    a->proc = (struct proc){
        .on_stdout = plugin_output, .on_stderr = plugin_complaint, .on_exit = plugin_exit, .data = a};
    a->said[0] = 0;
    rc = a->env->ops->proc_start(a->env, &a->proc, &spec, e);
    if (rc < 0)
        return error_wrap(e, rc, "credential plugin");
    a->running = true;
    timer_init(&a->timeout, plugin_timeout, a);
    timer_set_in(a->env, &a->timeout, PLUGIN_TIMEOUT_MS);
    return 0;
}

static void get_from_plugin(struct kube_auth *a, kube_auth_fn *on_ready, void *ctx)
{
    bool fresh = !a->expires_ms || env_wall_ms(a->env) < a->expires_ms - EXPIRY_MARGIN_MS;
    struct error e = {0};
    struct waiter *w;
    int rc = 0;

    if (a->header.n && fresh) {
        on_ready(ctx, 0, secret_str(&a->header), NULL);
        return;
    }
    if (!a->running)
        rc = plugin_start(a, &e);
    if (rc < 0) {
        on_ready(ctx, rc, STR_NONE, &e);
        return;
    }
    w = mem_alloc(sizeof(*w));
    *w = (struct waiter){.on_ready = on_ready, .ctx = ctx};
    list_add_tail(&a->waiting, &w->link);
}

/* ---- for all ---- */

void kube_auth_get(struct kube_auth *a, kube_auth_fn *on_ready, void *ctx)
{
    if (a->argv)
        get_from_plugin(a, on_ready, ctx);
    else if (a->path)
        get_from_file(a, on_ready, ctx);
    else
        on_ready(ctx, 0, secret_str(&a->header), NULL);
}

static void forget_in(struct list *head, kube_auth_fn *on_ready, void *ctx)
{
    LIST_EACH_SAFE (it, head) {
        struct waiter *w = LIST_ENTRY(it, struct waiter, link);

        if (w->on_ready == on_ready && w->ctx == ctx) {
            list_del(it);
            mem_free(w);
        }
    }
}

void kube_auth_forget(struct kube_auth *a, kube_auth_fn *on_ready, void *ctx)
{
    forget_in(&a->waiting, on_ready, ctx);
    forget_in(&a->ready, on_ready, ctx);
}

void kube_auth_refused(struct kube_auth *a)
{
    if (a->argv || a->path)
        secret_done(&a->header);
}

static void auth_free_now(struct kube_auth *a)
{
    assert(list_empty(&a->waiting) && list_empty(&a->ready));
    secret_done(&a->header);
    mem_wipe(a->out.data, a->out.len);
    buf_done(&a->out);
    free_list(a->argv);
    free_list(a->envp);
    mem_free(a->path);
    mem_free(a);
}

void kube_auth_free(struct kube_auth *a)
{
    if (!a)
        return;
    a->dying = true;
    if (a->running)
        a->env->ops->proc_kill(a->env, &a->proc, KILL_SIGNAL); /* a child is a handle: freed at its end */
    else
        auth_free_now(a);
}
