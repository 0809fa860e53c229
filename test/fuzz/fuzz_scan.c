/*
 * fuzz_scan: whatever jansson accepts gives the records that kobj_from_json makes of its tree; and any cut of the input
 * gives what the whole gives. First byte: list or watch, and the kind; second: seed of the cuts.
 * Reads: k8s/scan.c k8s/scan_text.c
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct trace {
    struct scan *scan;
    struct buf text;
};

static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};

static void print_object(struct buf *out, const struct kobj *o)
{
    buf_printf(out, " [%s|%s|%s|%s] owner [%s|%s|%s] deleting %d generation %lld created %lld", o->ns, o->name, o->uid,
               o->rv, o->owner_kind, o->owner_name, o->owner_uid, o->deleting, (long long)o->generation,
               (long long)o->created_s);
    for (size_t i = 0; i < o->kind->n_fields; i++)
        buf_printf(out, " %s=%s%s", o->kind->fields[i], kobj_value(o, i) ? "=" : "", kobj_text(o, o->kind->fields[i]));
    buf_puts(out, "\n");
}

/* In one form, whatever blanks and order it came with. */
static void print_tree(struct buf *out, json_t *tree_take)
{
    char *text = json_dumps(tree_take, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    buf_printf(out, "text %s\n", text ? text : "none");
    free(text);
    json_decref(tree_take);
}

static void print_raw(struct buf *out, struct str raw)
{
    json_t *tree = json_loadb(raw.p, raw.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

    if (tree)
        print_tree(out, tree);
    else
        buf_printf(out, "text that is no JSON %.*s\n", (int)raw.n, raw.p);
}

static void on_object(void *ctx, enum scan_event type, const struct kobj *o)
{
    struct trace *t = ctx;

    buf_puts(&t->text, names[type]);
    if (type == SCAN_ERROR)
        buf_printf(&t->text, " %d %s\n", scan_status_code(t->scan), scan_status_message(t->scan));
    else
        print_object(&t->text, o);
    if (type != SCAN_ERROR && type != SCAN_BOOKMARK && scan_raw(t->scan).p)
        print_raw(&t->text, scan_raw(t->scan));
    if (type == SCAN_BOOKMARK && scan_initial_end(t->scan))
        buf_puts(&t->text, "initial end\n");
}

/* seed 0: in one piece. Returns scan_end's code, or scan_feed's. */
static int scan_all(const struct kind *k, enum scan_mode mode, struct str text, uint32_t seed, struct buf *trace)
{
    struct trace t;
    int rc = 0;

    buf_init(&t.text, 16 << 20);
    t.scan = scan_new(k, mode, on_object, &t);
    if (mode == SCAN_WATCH)
        scan_keep_raw(t.scan);
    while (text.n && rc == 0) {
        size_t n = text.n;

        if (seed) {
            seed = seed * 1103515245 + 12345;
            n = 1 + (seed >> 16) % (seed & 0x1000 ? 3 : 40);
            n = n < text.n ? n : text.n;
        }
        rc = scan_feed(t.scan, (struct str){text.p, n}, NULL);
        text.p += n;
        text.n -= n;
    }
    if (rc == 0)
        rc = scan_end(t.scan, NULL);
    if (rc == 0)
        buf_printf(&t.text, "list %s continue %s\n", scan_list_rv(t.scan), scan_continue(t.scan));
    scan_free(t.scan);
    *trace = t.text;
    return rc;
}

/* ---- the oracle ---- */

static int expect_line(const struct kind *k, const json_t *line, struct buf *out)
{
    struct str type = json_str(json_object_get(line, "type"));
    const json_t *object = json_object_get(line, "object");
    struct kobj *o;
    size_t i = 0;

    if (!json_is_object(object))
        return ERR_INVALID;
    while (i < 5 && !str_is(type, names[i]))
        i++;
    if (i == 5)
        return ERR_INVALID;
    buf_puts(out, names[i]);
    if (i == SCAN_ERROR) {
        int64_t code = json_int(object, "code", 0);
        struct str message = json_str(json_object_get(object, "message"));

        if (message.n > LIMIT_MESSAGE - 1)
            message.n = LIMIT_MESSAGE - 1;
        buf_printf(out, " %d %.*s\n", code > 0 && code < 1000 ? (int)code : 0, (int)message.n,
                   message.n ? message.p : "");
        return 0;
    }
    if (i == SCAN_BOOKMARK) {
        json_t *only = json_pack("{s:{s:O*}}", "metadata", "resourceVersion",
                                 json_object_get(json_object_get(object, "metadata"), "resourceVersion"));

        o = kobj_from_json(k, only);
        json_decref(only);
    } else {
        o = kobj_from_json(k, object);
    }
    print_object(out, o);
    kobj_unref(o);
    if (i != SCAN_BOOKMARK) {
        json_t *meta = json_object_get(object, "metadata");

        if (json_object_get(meta, "managedFields"))
            json_object_set_new(meta, "managedFields", json_null());
        print_tree(out, json_incref((json_t *)(uintptr_t)object));
    }
    if (i == SCAN_BOOKMARK && str_is(str_of(json_meta(object, "annotations", "k8s.io/initial-events-end")), "true"))
        buf_puts(out, "initial end\n");
    return 0;
}

/* 1: jansson has no opinion. */
static int expect_watch(const struct kind *k, struct str text, struct buf *out)
{
    json_error_t e;
    int rc = 0;

    while (str_trim(text).n && rc == 0) {
        json_t *line = json_loadb(text.p, text.n, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);

        if (!line)
            return 1;
        rc = json_is_object(line) ? expect_line(k, line, out) : ERR_INVALID;
        json_decref(line);
        text.p += e.position;
        text.n -= (size_t)e.position;
    }
    return rc;
}

static int expect_list(const struct kind *k, struct str text, struct buf *out)
{
    json_t *root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    const json_t *items = json_object_get(root, "items"), *item;
    int rc = root ? json_is_object(root) ? 0 : ERR_INVALID : 1;
    size_t i;

    json_array_foreach ((json_t *)(uintptr_t)items, i, item) {
        struct kobj *o;

        if (rc == 0 && !json_is_object(item))
            rc = ERR_INVALID;
        if (rc)
            break;
        o = kobj_from_json(k, item);
        buf_puts(out, "ADDED");
        print_object(out, o);
        kobj_unref(o);
    }
    if (rc == 0) {
        const char *rv = json_text(root, "metadata.resourceVersion");
        struct str token = json_str(json_at(root, "metadata.continue"));

        /* Texts with a NUL are cut for C here and there in the same place. */
        buf_printf(out, "list %s continue %s\n", strlen(rv) < 64 ? rv : "", token.p ? token.p : "");
        if (json_string_length(json_at(root, "metadata.resourceVersion")) > 63)
            rc = 1;
    }
    json_decref(root);
    return rc;
}

static bool has_huge_number(struct str s)
{
    size_t run = 0;

    for (size_t i = 0; i < s.n; i++) {
        run = strchr("0123456789.eE+-", s.p[i]) && s.p[i] ? run + 1 : 0;
        if (run > 500)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text;
    struct buf whole, cut, expected;
    const struct kind *k;
    enum scan_mode mode;
    int rc, rc_cut, want;

    if (size < 2 || size > 60000)
        return 0;
    mode = data[0] & 1 ? SCAN_LIST : SCAN_WATCH;
    k = kind_get((enum kind_id)(data[0] / 2 % N_KINDS));
    text = (struct str){(const char *)data + 2, size - 2};

    rc = scan_all(k, mode, text, 0, &whole);
    rc_cut = scan_all(k, mode, text, data[1] * 2654435761u | 1, &cut);
    assert(rc == rc_cut);
    assert(str_eq(buf_str(&whole), buf_str(&cut)));

    buf_init(&expected, 16 << 20);
    want = mode == SCAN_LIST ? expect_list(k, text, &expected) : expect_watch(k, text, &expected);
    if (want != 1 && !has_huge_number(text)) {
        assert(rc == want);
        if (rc == 0 && mode == SCAN_WATCH)
            buf_puts(&expected, "list  continue \n");
        if (rc == 0 && !str_eq(buf_str(&whole), buf_str(&expected))) {
            (void)fprintf(stderr, "scan:\n%sjansson:\n%s", whole.data, expected.data);
            abort();
        }
    }
    buf_done(&whole);
    buf_done(&cut);
    buf_done(&expected);
    return 0;
}
