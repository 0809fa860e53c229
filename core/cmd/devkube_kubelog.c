/* devkube_kubelog: what containers print: a file each in the pod's folder, with the time of each line, and the people
 * who follow it (kubectl logs -f). Standard output and error are one stream, as in a container's log. */
#include <string.h>

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cmd/devkube_pod.h"

enum { TAIL_BYTES = 2048, TAIL_LINES = 80, BACKLOG_MAX = 8 << 20 };

struct follower {
    struct list link; /* in the container's followers */
    struct http_serve *serve;
};

void kubelog_line(struct container *c, struct str line)
{
    if (c->log) {
        (void)fwrite(line.p, 1, line.n, c->log);
        (void)fputc('\n', c->log);
        (void)fflush(c->log);
    }
    LIST_EACH_SAFE (l, &c->followers) {
        struct follower *f = LIST_ENTRY(l, struct follower, link);

        f->serve->ops->write(f->serve, line);
        f->serve->ops->write(f->serve, STR("\n"));
    }
}

static void on_follower_closed(struct http_serve *s)
{
    struct follower *f = s->data;

    list_del(&f->link);
    mem_free(f);
}

void kubelog_ended(struct container *c)
{
    LIST_EACH_SAFE (l, &c->followers) {
        struct follower *f = LIST_ENTRY(l, struct follower, link);

        list_del(&f->link);
        f->serve->ops->end(f->serve); /* on_close frees f */
    }
}

static struct container *find_container(struct kubelet *k, const char *ns, const char *name, const char *container)
{
    void *value;

    for (size_t it = 0; map_next(&k->pods, &it, NULL, &value);) {
        struct pod *p = value;

        if (strcmp(p->ns, ns) != 0 || strcmp(p->name, name) != 0)
            continue;
        for (size_t i = 0; i < p->n_containers; i++)
            if (container[0] ? strcmp(p->containers[i].name, container) == 0 : i == p->n_init)
                return &p->containers[i];
    }
    return NULL;
}

/* The whole file, or its last n lines. */
static void read_log(const char *path, int64_t tail_lines, struct buf *out)
{
    FILE *f = fopen(path, "re");
    size_t from = 0;
    char chunk[8192];
    size_t n;

    if (!f)
        return;
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
        if (out->len + n > out->max) /* a log of many megabytes: its end is what counts */
            buf_consume(out, out->len / 2);
        buf_add(out, chunk, n);
    }
    (void)fclose(f);
    if (tail_lines < 0)
        return;
    for (from = out->len; from > 0 && tail_lines >= 0; from--)
        if (out->data[from - 1] == '\n' && from != out->len && --tail_lines == 0)
            break;
    buf_consume(out, from);
}

static void reply_absent(struct http_serve *s, const char *ns, const char *pod, const char *container)
{
    AUTO_FREE char *body =
        mem_printf("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":"
                   "\"container %s of pod %s/%s has no log here\",\"reason\":\"BadRequest\",\"code\":400}",
                   container[0] ? container : "(first)", ns, pod);

    http_reply(s, 400, "application/json", str_of(body));
}

void kubelog_serve(void *kubelet, struct http_serve *s, const char *ns, const char *pod, const char *container,
                   bool follow, bool previous, int64_t tail_lines)
{
    struct kubelet *k = kubelet;
    struct container *c = find_container(k, ns, pod, container);
    const struct http_header header = {STR("content-type"), STR("text/plain")};
    AUTO_FREE char *path = NULL;
    json_t *object = NULL;
    struct buf text;

    if (c) {
        path = mem_printf("%s/%s.log", c->pod->dir, c->name);
    } else {
        AUTO_FREE char *url = mem_printf("/api/v1/namespaces/%s/pods/%s", ns, pod);

        /* A pod that ended before the last restart of devkube: its files are still there. */
        if (model_do(k->o.model, "system:node", "GET", url, NULL, &object) == 200)
            path = mem_printf("%s/pods/%s/%s.log", k->o.state, json_text(object, "metadata.uid"),
                              container[0] ? container : json_text(object, "spec.containers.0.name"));
        json_decref(object);
    }
    if (!path || previous || (container[0] && strchr(container, '/'))) {
        reply_absent(s, ns, pod, container);
        return;
    }
    buf_init(&text, BACKLOG_MAX);
    read_log(path, tail_lines, &text);
    s->ops->head(s, 200, &header, 1);
    s->ops->write(s, buf_str(&text));
    buf_done(&text);
    if (follow && c && c->proc_live) {
        struct follower *f = mem_zalloc(sizeof(*f));

        f->serve = s;
        s->data = f;
        s->on_close = on_follower_closed;
        list_add_tail(&c->followers, &f->link);
    } else {
        s->ops->end(s);
    }
}

char *kubelog_tail(const struct container *c)
{
    AUTO_FREE char *path = mem_printf("%s/%s.log", c->pod->dir, c->name);
    struct buf text;

    buf_init(&text, BACKLOG_MAX);
    read_log(path, TAIL_LINES, &text);
    if (text.len > TAIL_BYTES)
        buf_consume(&text, text.len - TAIL_BYTES);
    return buf_take(&text);
}
