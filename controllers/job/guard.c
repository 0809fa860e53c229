/*
 * guard: see guard.h: the clients. A node that does not answer, or whose client ends, is asked anew after a while; what
 * that means for the backup is guard_judge's business. Without any client (none can be started, no member has an
 * address) nothing is watched, and the log says so.
 */
#include "controllers/job/guard.h"

#include <signal.h>
#include <unistd.h>

#include "controllers/job/words.h"
#include "core/base/mem.h"

enum { TICK_MS = 1000, AGAIN_MS = 5000, GRACE_MS = 15000 };

#define QUESTION                                                                                                       \
    "SHOW GLOBAL STATUS WHERE Variable_name = 'wsrep_local_state_comment';"                                            \
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_flow_control_paused_ns','wsrep_local_recv_queue',"              \
    "'wsrep_cluster_status');"                                                                                         \
    "SELECT 'sample','ends';\n"

static struct env *env_of(const struct guard *g)
{
    return g->sql->job->env;
}

static void settle(struct guard *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->watches[i].runs)
            return;
    if (g->stopping && !timer_is_set(&g->closer))
        timer_set_in(env_of(g), &g->closer, 0);
}

static void drop_option_file(struct guard_watch *w)
{
    if (w->option_file)
        (void)unlink(w->option_file); /* it may be gone */
    mem_free(w->option_file);
    w->option_file = NULL;
}

/* ---- one client ---- */

static void on_line(struct proc *p, struct str line)
{
    struct guard_watch *w = p->data;

    if (!guard_parse(line, &w->sample))
        return;
    drop_option_file(w); /* it has been read */
    w->sample.at_ns = env_now_ns(env_of(w->guard));
    guard_note(&w->view, &w->sample);
    w->sample = (struct guard_sample){0};
    w->asked = false;
}

static void on_exit_cb(struct proc *p, int status, int sig)
{
    struct guard_watch *w = p->data;

    if (!w->guard->stopping)
        log_info(&w->guard->sql->job->log, "node is not watched for a while", F_STR("node", w->view.name),
                 F_INT("status", status), F_INT("signal", sig));
    drop_option_file(w);
    w->runs = w->asked = false;
    w->start_ns = env_now_ns(env_of(w->guard)) + AGAIN_MS * 1000000ull;
    settle(w->guard);
}

static int start_client(struct guard_watch *w, struct error *e)
{
    struct sql *sql = w->guard->sql;
    AUTO_FREE char *file = mem_printf("guard-%td.cnf", w - w->guard->watches);
    struct proc_spec spec = {
        .envp = job_environment(sql->job), .cwd = sql->job->scratch_dir, .has_stdin = true, .tethered = true};
    struct words words = {0};
    int rc = sql_option_file(sql, file, w->node->host, w->node->port, &w->option_file, e);

    if (rc < 0)
        return rc;
    words_add(&words, sql->program);
    words_addf(&words, "--defaults-extra-file=%s", w->option_file); /* must come first */
    words_add(&words, "--batch");
    words_add(&words, "--skip-column-names");
    words_add(&words, "--unbuffered");
    words_add(&words, "--skip-reconnect");
    words_add(&words, "--connect-timeout=10");
    spec.argv = words_argv(&words);
    w->proc = (struct proc){.on_stdout = on_line, .on_exit = on_exit_cb, .data = w};
    rc = env_of(w->guard)->ops->proc_start(env_of(w->guard), &w->proc, &spec, e);
    words_done(&words);
    w->runs = rc == 0;
    if (rc < 0)
        drop_option_file(w);
    return rc;
}

static void ask(struct guard_watch *w, uint64_t now)
{
    struct env *env = env_of(w->guard);
    struct error e;

    if (!w->runs && now >= w->start_ns && start_client(w, &e) < 0) {
        log_info(&w->guard->sql->job->log, "node can't be watched", F_STR("node", w->view.name), F_ERR(&e));
        w->start_ns = now + AGAIN_MS * 1000000ull;
    }
    if (!w->runs || w->asked)
        return;
    w->asked = true;
    (void)env->ops->proc_write(env, &w->proc, QUESTION, sizeof(QUESTION) - 1); /* few bytes: it never says hold */
}

/* ---- all of them ---- */

static void judge(struct guard *g, uint64_t now)
{
    struct guard_view views[GALERA_NODES_MAX];
    struct error e;

    /* The first answers take a while. */
    if (!g->armed || g->told || now < g->begin_ns + GRACE_MS * 1000000ull)
        return;
    for (size_t i = 0; i < g->n; i++)
        views[i] = g->watches[i].view;
    if (guard_judge(views, g->n, g->limits, now, &e) == 0)
        return;
    g->told = true;
    g->on_trouble(g, &e);
}

static void on_tick(struct timer *t)
{
    struct guard *g = t->data;
    uint64_t now = env_now_ns(env_of(g));

    timer_set_in(env_of(g), &g->tick, TICK_MS);
    for (size_t i = 0; i < g->n; i++)
        ask(&g->watches[i], now);
    judge(g, now);
}

static void on_closed_turn(struct timer *t)
{
    struct guard *g = t->data;

    g->on_stopped(g);
}

void guard_start(struct guard *g)
{
    timer_init(&g->tick, on_tick, g);
    timer_init(&g->closer, on_closed_turn, g);
    g->begin_ns = env_now_ns(env_of(g));
    for (size_t i = 1; i < g->galera->n; i++) { /* [0] is one of them under the Service's address */
        struct guard_watch *w = &g->watches[g->n++];

        *w = (struct guard_watch){.guard = g, .node = &g->galera->nodes[i]};
        memcpy(w->view.name, w->node->name, sizeof(w->view.name));
    }
    if (!g->n)
        log_warn(&g->sql->job->log, "no member of the cluster can be reached by its own address: it is not watched");
    timer_set_in(env_of(g), &g->tick, 0);
}

void guard_arm(struct guard *g, const char *donor)
{
    g->armed = true;
    for (size_t i = 0; i < g->n; i++)
        g->watches[i].view.is_donor = str_same(g->watches[i].view.name, donor);
}

void guard_stop(struct guard *g)
{
    if (g->stopping)
        return;
    g->stopping = true;
    timer_clear(env_of(g), &g->tick);
    for (size_t i = 0; i < g->n; i++)
        if (g->watches[i].runs)
            env_of(g)->ops->proc_kill(env_of(g), &g->watches[i].proc, SIGKILL);
    settle(g);
}

double guard_flow_control_percent(const struct guard *g)
{
    double most = 0;

    for (size_t i = 0; i < g->n; i++) {
        const struct guard_view *v = &g->watches[i].view;
        const struct guard_sample *last = v->n ? &v->window[(v->n - 1) % GUARD_WINDOW] : NULL;

        if (last && last->at_ns > v->first.at_ns) {
            double share = 100.0 * (double)v->paused_ns / (double)(last->at_ns - v->first.at_ns);

            most = share > most ? share : most;
        }
    }
    return most;
}

uint64_t guard_queue_max(const struct guard *g)
{
    uint64_t most = 0;

    for (size_t i = 0; i < g->n; i++)
        if (!g->watches[i].view.is_donor && g->watches[i].view.queue_max > most)
            most = g->watches[i].view.queue_max;
    return most;
}
