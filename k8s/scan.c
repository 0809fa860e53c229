/*
 * scan: see scan.h. A state per place in the grammar, each with a function that eats bytes; a frame per open container
 * that is wanted (scan_shape), and one counter for all that is not. Kept texts of the object being read lie one after
 * the other in `texts`; slots say where.
 */
#include "k8s/scan.h"

#include <assert.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "k8s/scan_raw.h"
#include "k8s/scan_shape.h"
#include "k8s/scan_skip.h"
#include "k8s/scan_text.h"

enum state {
    AT_TOP,          /* before the first, between or after documents */
    AT_KEY_OR_END,   /* after '{' */
    AT_KEY,          /* after a comma in an object */
    AT_COLON,        /* after a key */
    AT_VALUE,        /* after a colon, or after a comma in a list */
    AT_VALUE_OR_END, /* after '[' */
    AT_NEXT,         /* after a value in a container */
    IN_KEY,          /* inside a key's string */
    IN_TEXT,         /* inside a kept string */
    IN_TOKEN,        /* inside a number or a word */
    IN_SKIPPED,      /* inside a value that nobody wants: outside of strings */
    IN_SKIPPED_TEXT, /* idem, inside a string */
    N_STATES
};

enum { ONE_KEPT_MAX = 16 * 1024 }; /* a scan that met a bigger object is not kept: its memory would be */

struct frame {
    int node;
    bool is_list;
    size_t n;    /* items that have ended */
    size_t mark; /* length of texts when it began */
};

struct slot {
    size_t at, n; /* in texts */
    bool present;
};

struct scan {
    struct scan_shape shape;
    const struct kind *kind;
    enum scan_mode mode;
    struct shared_pool *pool; /* NULL: none */
    scan_fn *on_object;
    void *ctx;

    enum state state;
    int failed;
    struct frame frames[SCAN_SHAPE_DEPTH];
    int depth;
    int node;          /* of the value that comes or is being read; -1: not wanted */
    size_t skip_depth; /* open brackets of what is skipped */
    bool skip_escape;
    bool list_done, object_seen;

    struct scan_raw raw;
    bool leaves_out;       /* the value that comes is not for raw */
    struct scan_text text; /* the string being read */
    struct buf key, texts, conditions;
    char token[512];
    size_t token_n;

    struct slot *slots; /* SLOT_FIELDS + kind->n_fields */
    struct str *values;
    int64_t generation, code;
    bool ref_controls, owner_controls, initial_end;
    char list_rv[64], message[LIMIT_MESSAGE];
    char *continue_token;
};

struct scan *scan_new(const struct kind *k, enum scan_mode mode, scan_fn *on_object, void *ctx)
{
    struct scan *s = mem_zalloc(sizeof(*s));

    scan_shape_init(&s->shape, k, mode);
    s->kind = k;
    s->mode = mode;
    s->on_object = on_object;
    s->ctx = ctx;
    s->slots = mem_zalloc((SLOT_FIELDS + k->n_fields) * sizeof(*s->slots));
    s->values = mem_zalloc((k->n_fields + 1) * sizeof(*s->values));
    buf_init(&s->key, LIMIT_PARAM);
    buf_init(&s->texts, LIMIT_WATCH_LINE);
    buf_init(&s->conditions, LIMIT_STRING);
    scan_raw_init(&s->raw);
    return s;
}

void scan_free(struct scan *s)
{
    if (!s)
        return;
    scan_shape_done(&s->shape);
    buf_done(&s->key);
    buf_done(&s->texts);
    buf_done(&s->conditions);
    scan_raw_done(&s->raw);
    mem_free(s->slots);
    mem_free(s->values);
    mem_free(s->continue_token);
    mem_free(s);
}

void scan_keep_raw(struct scan *s)
{
    assert(s->mode == SCAN_WATCH);
    s->raw.wanted = true;
}

void scan_share(struct scan *s, struct shared_pool *pool)
{
    s->pool = pool;
}

struct str scan_raw(const struct scan *s)
{
    return scan_raw_text(&s->raw);
}

static const struct scan_node *node_of(const struct scan *s, int node)
{
    static const struct scan_node nobody = {.child = -1, .next = -1, .item = -1};

    return node < 0 ? &nobody : &s->shape.nodes[node];
}

static int fail(struct scan *s, struct error *e, const char *what)
{
    s->failed = ERR_INVALID;
    return error_set(e, ERR_INVALID, "broken JSON from the API server: %s", what);
}

/* ---- the record ---- */

static void cut_back(struct buf *b, size_t len)
{
    if (b->len > len) {
        b->len = len;
        b->data[len] = 0;
    }
}

static struct str slot_text(const struct scan *s, size_t slot)
{
    const struct slot *at = &s->slots[slot];

    return at->present ? (struct str){s->texts.data + at->at, at->n} : STR_NONE;
}

static void record_clear(struct scan *s)
{
    buf_clear(&s->texts);
    memset(s->slots, 0, (SLOT_FIELDS + s->kind->n_fields) * sizeof(*s->slots));
    s->generation = s->code = 0;
    s->owner_controls = s->initial_end = s->object_seen = false;
}

static void slot_set(struct scan *s, size_t slot, struct str text)
{
    struct slot now = {s->texts.len, text.n, true};

    if (text.n > LIMIT_STRING)
        return;
    buf_add_str(&s->texts, text);
    if (buf_error(&s->texts) == 0)
        s->slots[slot] = now;
}

static void record_tell(struct scan *s, enum scan_event type)
{
    struct kobj_parts parts = {
        .rv = slot_text(s, SLOT_RV),
        .values = s->values,
    };
    struct kobj *o;

    for (size_t i = 0; i < s->kind->n_fields; i++)
        s->values[i] = type == SCAN_BOOKMARK ? STR_NONE : slot_text(s, SLOT_FIELDS + i);
    if (type != SCAN_BOOKMARK) {
        parts.ns = slot_text(s, SLOT_NS);
        parts.name = slot_text(s, SLOT_NAME);
        parts.uid = slot_text(s, SLOT_UID);
        parts.owner_kind = slot_text(s, SLOT_OWNER_KIND);
        parts.owner_name = slot_text(s, SLOT_OWNER_NAME);
        parts.owner_uid = slot_text(s, SLOT_OWNER_UID);
        parts.deleting = s->slots[SLOT_DELETED].present;
        parts.generation = s->generation;
        if (str_parse_time(slot_text(s, SLOT_CREATED), &parts.created_s) < 0)
            parts.created_s = 0;
    }
    s->initial_end = str_is(slot_text(s, SLOT_INITIAL_END), "true");
    o = kobj_make(s->pool, s->kind, &parts);
    s->on_object(s->ctx, type, o);
    kobj_unref(o);
}

static int line_end(struct scan *s, struct error *e)
{
    static const char *const names[] = {[SCAN_ADDED] = "ADDED",
                                        [SCAN_MODIFIED] = "MODIFIED",
                                        [SCAN_DELETED] = "DELETED",
                                        [SCAN_BOOKMARK] = "BOOKMARK",
                                        [SCAN_ERROR] = "ERROR"};
    struct str type = slot_text(s, SLOT_EVENT), message = slot_text(s, SLOT_MESSAGE);

    if (!s->object_seen)
        return fail(s, e, "a watch event without an object");
    for (enum scan_event i = SCAN_ADDED; i < SCAN_ERROR; i++)
        if (str_is(type, names[i])) {
            record_tell(s, i);
            return 0;
        }
    if (!str_is(type, names[SCAN_ERROR]))
        return fail(s, e, "a watch event of unknown type");
    if (message.n > sizeof(s->message) - 1)
        message.n = sizeof(s->message) - 1;
    memcpy(s->message, message.n ? message.p : "", message.n);
    s->message[message.n] = 0;
    s->on_object(s->ctx, SCAN_ERROR, NULL);
    return 0;
}

static void ref_end(struct scan *s, size_t place, size_t mark)
{
    static const struct slot none;

    if (s->ref_controls ? !s->owner_controls : place == 0) {
        for (size_t i = 0; i < 3; i++)
            s->slots[SLOT_OWNER_KIND + i] = s->slots[SLOT_REF_KIND + i];
        s->owner_controls = s->owner_controls || s->ref_controls;
    } else {
        cut_back(&s->texts, mark);
    }
    for (size_t i = 0; i < 3; i++)
        s->slots[SLOT_REF_KIND + i] = none;
}

static void condition_end(struct scan *s, size_t mark)
{
    static const struct slot none;
    size_t before = s->conditions.len;

    kobj_condense(&s->conditions, slot_text(s, SLOT_TYPE), slot_text(s, SLOT_STATUS), slot_text(s, SLOT_REASON));
    if (buf_error(&s->conditions) < 0)
        cut_back(&s->conditions, before); /* whole conditions only */
    for (size_t i = 0; i < 3; i++)
        s->slots[SLOT_TYPE + i] = none;
    cut_back(&s->texts, mark);
}

static void keep_of_list(struct scan *s, size_t slot)
{
    struct str text = slot_text(s, slot);

    if (slot == SLOT_CONTINUE) {
        mem_free(s->continue_token);
        s->continue_token = mem_strndup(text.n ? text.p : "", text.n);
    } else if (text.n < sizeof(s->list_rv)) {
        memcpy(s->list_rv, text.n ? text.p : "", text.n);
        s->list_rv[text.n] = 0;
    }
}

/* ---- values ---- */

static void value_end(struct scan *s)
{
    if (s->depth == 0) {
        s->state = AT_TOP;
        s->list_done = true;
        return;
    }
    s->frames[s->depth - 1].n++;
    s->state = AT_NEXT;
}

static void container_begin(struct scan *s, int node, bool is_list)
{
    const struct scan_node *n = node_of(s, node);

    assert(s->depth < SCAN_SHAPE_DEPTH);
    if (n->action == ACT_OBJECT && s->mode == SCAN_LIST)
        record_clear(s);
    else if (n->action == ACT_ENVELOPE)
        record_clear(s);
    if (n->action == ACT_OBJECT)
        s->object_seen = true;
    else if (n->action == ACT_REF)
        s->ref_controls = false;
    else if (n->action == ACT_CONDITIONS)
        buf_clear(&s->conditions);
    s->frames[s->depth++] = (struct frame){.node = node, .is_list = is_list, .mark = s->texts.len};
    s->state = is_list ? AT_VALUE_OR_END : AT_KEY_OR_END;
}

static int container_end(struct scan *s, struct error *e)
{
    struct frame f = s->frames[--s->depth];
    const struct scan_node *n = node_of(s, f.node);
    int rc = 0;

    if (n->action == ACT_ENVELOPE && s->mode == SCAN_WATCH)
        rc = line_end(s, e);
    else if (n->action == ACT_OBJECT && s->mode == SCAN_LIST)
        record_tell(s, SCAN_ADDED);
    else if (n->action == ACT_REF)
        ref_end(s, s->frames[s->depth - 1].n, f.mark);
    else if (n->action == ACT_CONDITION)
        condition_end(s, f.mark);
    else if (n->action == ACT_CONDITIONS)
        slot_set(s, n->arg, buf_str(&s->conditions));
    value_end(s);
    return rc;
}

static int token_end(struct scan *s, struct error *e)
{
    struct str t = {s->token, s->token_n};
    const struct scan_node *n = node_of(s, s->node);
    bool is_word = str_is(t, "true") || str_is(t, "false"), is_null = str_is(t, "null"), has_digit = false;
    char number[64];
    int64_t whole;

    for (size_t i = 0; i < t.n && !is_word && !is_null; i++) {
        if (!strchr("0123456789+-.eE", t.p[i]))
            return fail(s, e, "neither a number nor true, false, null");
        has_digit = has_digit || (t.p[i] >= '0' && t.p[i] <= '9');
    }
    if (!is_word && !is_null && !has_digit)
        return fail(s, e, "a value is missing");
    if (n->action == ACT_CONTROLS)
        s->ref_controls = str_is(t, "true");
    else if (n->action == ACT_GENERATION || n->action == ACT_CODE)
        *(n->action == ACT_CODE ? &s->code : &s->generation) = str_to_i64(t, &whole) == 0 ? whole : 0;
    else if (n->action == ACT_VALUE && is_word)
        slot_set(s, n->arg, t);
    else if (n->action == ACT_VALUE && !is_null && s->token_n < sizeof(s->token))
        slot_set(s, n->arg, str_of(kobj_number(t, number)));
    value_end(s);
    return 0;
}

static void text_end(struct scan *s)
{
    const struct scan_node *n = node_of(s, s->node);
    size_t at = s->text.start, len = s->texts.len - at;

    if (buf_error(&s->texts) < 0 || len > LIMIT_STRING) {
        cut_back(&s->texts, at);
    } else {
        s->slots[n->arg] = (struct slot){at, len, true};
        if (n->arg == SLOT_LIST_RV || n->arg == SLOT_CONTINUE)
            keep_of_list(s, n->arg);
    }
    value_end(s);
}

/* ---- the grammar: each function eats from *p up to end ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* First byte that is no blank; false when there is none in this chunk. */
static bool find_sign(const char **p, const char *end)
{
    while (*p < end && is_blank(**p))
        ++*p;
    return *p < end;
}

typedef int step_fn(struct scan *s, const char **p, const char *end, struct error *e);
static step_fn in_text, in_token, in_skipped, in_skipped_text;

/* The value for s->node begins with **p. What is no container is read on at once: a step a member. */
static int value_begin(struct scan *s, const char **p, const char *end, struct error *e)
{
    const struct scan_node *n = node_of(s, s->node);
    char c = **p;

    if ((n->action == ACT_ENVELOPE || n->action == ACT_OBJECT) && c != '{')
        return fail(s, e, "an object was to come");
    if (n->action == ACT_OBJECT && s->raw.wanted)
        scan_raw_begin(&s->raw, *p, s->depth + 1);
    else if (s->leaves_out)
        scan_raw_leave_out(&s->raw, *p);
    s->leaves_out = false;
    s->skip_depth = 0;
    s->skip_escape = false;
    if (c != '{' && c != '[' && c != '"') {
        s->token_n = 0;
        s->state = IN_TOKEN;
        return in_token(s, p, end, e);
    }
    ++*p;
    if (c == '{' && n->child >= 0) {
        container_begin(s, s->node, false);
        return 0;
    }
    if (c == '[' && n->item >= 0) {
        container_begin(s, s->node, true);
        return 0;
    }
    if (c != '"') {
        s->skip_depth = 1;
        s->state = IN_SKIPPED;
        return in_skipped(s, p, end, e);
    }
    if (n->action == ACT_TEXT || n->action == ACT_VALUE) {
        scan_text_begin(&s->text, &s->texts);
        s->state = IN_TEXT;
        return in_text(s, p, end, e);
    }
    s->state = IN_SKIPPED_TEXT;
    return in_skipped_text(s, p, end, e);
}

static int at_top(struct scan *s, const char **p, const char *end, struct error *e)
{
    if (!find_sign(p, end))
        return 0;
    if (s->mode == SCAN_LIST && s->list_done)
        return fail(s, e, "more after the end of the list");
    s->node = 0;
    return value_begin(s, p, end, e);
}

static void key_end(struct scan *s, struct str key)
{
    s->node = scan_shape_find(&s->shape, s->frames[s->depth - 1].node, key);
    s->leaves_out = s->raw.state == SCAN_RAW_ON && s->depth == s->raw.depth + 1 && str_is(key, "managedFields") &&
                    str_is(node_of(s, s->frames[s->depth - 1].node)->key, "metadata");
    s->state = AT_COLON;
}

static int at_key(struct scan *s, const char **p, const char *end, struct error *e)
{
    const char *quote;

    if (!find_sign(p, end))
        return 0;
    if (**p == '}' && s->state == AT_KEY_OR_END) {
        ++*p;
        return container_end(s, e);
    }
    if (**p != '"')
        return fail(s, e, "a key was to come");
    ++*p;
    quote = scan_text_run(*p, end);
    if (quote < end && *quote == '"') { /* nearly always: it is whole and plain */
        key_end(s, (struct str){*p, (size_t)(quote - *p)});
        *p = quote + 1;
        if (end - *p < 2 || **p != ':' || is_blank((*p)[1]))
            return 0;
        ++*p;
        return value_begin(s, p, end, e);
    }
    buf_clear(&s->key);
    scan_text_begin(&s->text, &s->key);
    s->state = IN_KEY;
    return 0;
}

static int at_colon(struct scan *s, const char **p, const char *end, struct error *e)
{
    if (!find_sign(p, end))
        return 0;
    if (**p != ':')
        return fail(s, e, "':' was to come");
    ++*p;
    s->state = AT_VALUE;
    return 0;
}

static int at_value(struct scan *s, const char **p, const char *end, struct error *e)
{
    if (!find_sign(p, end))
        return 0;
    if (**p == ']' && s->state == AT_VALUE_OR_END) {
        ++*p;
        return container_end(s, e);
    }
    if (s->frames[s->depth - 1].is_list)
        s->node = node_of(s, s->frames[s->depth - 1].node)->item;
    return value_begin(s, p, end, e);
}

static int at_next(struct scan *s, const char **p, const char *end, struct error *e)
{
    bool is_list = s->frames[s->depth - 1].is_list;

    if (!find_sign(p, end))
        return 0;
    if (**p == ',') {
        ++*p;
        s->state = is_list ? AT_VALUE : AT_KEY;
        return is_list ? at_value(s, p, end, e) : at_key(s, p, end, e);
    }
    if (**p != (is_list ? ']' : '}'))
        return fail(s, e, "',' or a closing bracket was to come");
    ++*p;
    return container_end(s, e);
}

static int in_key(struct scan *s, const char **p, const char *end, struct error *e)
{
    int rc = scan_text_feed(&s->text, p, end);

    if (rc < 0)
        return fail(s, e, "a bad escape");
    if (rc > 0)
        key_end(s, buf_error(&s->key) < 0 ? STR_NONE : buf_str(&s->key));
    return 0;
}

static int in_text(struct scan *s, const char **p, const char *end, struct error *e)
{
    int rc = scan_text_feed(&s->text, p, end);

    if (rc < 0)
        return fail(s, e, "a bad escape");
    if (rc > 0)
        text_end(s);
    return 0;
}

static int in_token(struct scan *s, const char **p, const char *end, struct error *e)
{
    for (; *p < end; ++*p) {
        if (is_blank(**p) || **p == ',' || **p == '}' || **p == ']')
            return token_end(s, e);
        if (s->token_n < sizeof(s->token))
            s->token[s->token_n++] = **p;
    }
    return 0;
}

/* From the inside of a skipped string past its end; end when it goes on in the next chunk. */
static const char *skip_text(struct scan *s, const char *at, const char *end)
{
    while ((at = scan_text_run(at, end)) < end && *at == '\\') {
        s->skip_escape = end - at == 1; /* what it escapes comes with the next chunk */
        at += s->skip_escape ? 1 : 2;
    }
    s->state = at < end ? IN_SKIPPED : IN_SKIPPED_TEXT;
    return at < end ? at + 1 : end;
}

static int in_skipped(struct scan *s, const char **p, const char *end, struct error *e)
{
    const char *at = *p, *blocks_from = at;
    bool in_text;

    (void)e;
    while (at < end) {
        char c;

        if (at >= blocks_from && end - at >= SCAN_SKIP_BLOCK) {
            at = scan_skip(at, end, &s->skip_depth, &in_text);
            at = in_text ? skip_text(s, at, end) : at;
            blocks_from = at + SCAN_SKIP_BLOCK;
            continue;
        }
        c = *at++;
        if (c == '"') {
            at = skip_text(s, at, end);
        } else if (c == '{' || c == '[') {
            s->skip_depth++;
        } else if ((c == '}' || c == ']') && --s->skip_depth == 0) {
            value_end(s);
            break;
        }
    }
    *p = at;
    return 0;
}

static int in_skipped_text(struct scan *s, const char **p, const char *end, struct error *e)
{
    const char *at = *p;

    (void)e;
    if (s->skip_escape && at < end) {
        s->skip_escape = false;
        at++;
    }
    *p = skip_text(s, at, end);
    if (s->state == IN_SKIPPED && !s->skip_depth)
        value_end(s);
    return 0;
}

static step_fn *const steps[N_STATES] = {
    [AT_TOP] = at_top,           [AT_KEY_OR_END] = at_key, [AT_KEY] = at_key,           [AT_COLON] = at_colon,
    [AT_VALUE] = at_value,       [AT_VALUE_OR_END] = at_value, [AT_NEXT] = at_next,     [IN_KEY] = in_key,
    [IN_TEXT] = in_text,         [IN_TOKEN] = in_token,    [IN_SKIPPED] = in_skipped,
    [IN_SKIPPED_TEXT] = in_skipped_text,
};

int scan_feed(struct scan *s, struct str chunk, struct error *e)
{
    const char *p = chunk.p, *end = chunk.n ? chunk.p + chunk.n : chunk.p;
    int rc = 0;

    if (s->failed)
        return error_set(e, s->failed, "the stream was broken before");
    scan_raw_chunk_begin(&s->raw, p);
    while (p < end && rc == 0) {
        rc = steps[s->state](s, &p, end, e);
        if (s->raw.state != SCAN_RAW_OFF)
            scan_raw_follow(&s->raw, p, s->depth, s->state == AT_NEXT);
    }
    scan_raw_chunk_end(&s->raw, p);
    return rc;
}

int scan_end(struct scan *s, struct error *e)
{
    if (s->failed)
        return error_set(e, s->failed, "the stream was broken before");
    if (s->state != AT_TOP || (s->mode == SCAN_LIST && !s->list_done))
        return fail(s, e, "it ended in the middle");
    return 0;
}

const char *scan_list_rv(const struct scan *s)
{
    return s->list_rv;
}

const char *scan_continue(const struct scan *s)
{
    return s->continue_token ? s->continue_token : "";
}

bool scan_initial_end(const struct scan *s)
{
    return s->initial_end;
}

int scan_status_code(const struct scan *s)
{
    return s->code > 0 && s->code < 1000 ? (int)s->code : 0;
}

const char *scan_status_message(const struct scan *s)
{
    return s->message;
}

/* ---- one object ---- */

struct scan_ones {
    struct scan *scans[N_KINDS]; /* NULL: none came yet, or the last one was no object */
};

struct scan_ones *scan_ones_new(void)
{
    return mem_zalloc(sizeof(struct scan_ones));
}

void scan_ones_free(struct scan_ones *ones)
{
    if (!ones)
        return;
    for (size_t i = 0; i < N_KINDS; i++)
        scan_free(ones->scans[i]);
    mem_free(ones);
}

struct one {
    struct scan *scan;
    scan_one_fn *fn;
    void *ctx;
    bool heard;
};

static void one_came(void *ctx, enum scan_event type, const struct kobj *o)
{
    struct one *one = ctx;

    (void)type; /* we wrote it */
    if (!scan_raw(one->scan).p)
        return;
    one->heard = true;
    one->fn(one->ctx, o, scan_raw(one->scan));
}

bool scan_one(struct scan_ones *ones, const struct kind *k, struct str object, scan_one_fn *fn, void *ctx)
{
    const struct str parts[] = {STR("{\"type\":\"ADDED\",\"object\":"), object, STR("}")};
    struct one one = {.scan = ones->scans[k->id], .fn = fn, .ctx = ctx};
    bool good = true;

    ones->scans[k->id] = NULL; /* fn may look at another one */
    if (!one.scan) {
        one.scan = scan_new(k, SCAN_WATCH, one_came, NULL);
        scan_keep_raw(one.scan);
    }
    one.scan->ctx = &one;
    for (size_t i = 0; i < 3 && good; i++)
        good = scan_feed(one.scan, parts[i], NULL) == 0;
    if (good && scan_end(one.scan, NULL) == 0 && one.heard && scan_raw(one.scan).n <= ONE_KEPT_MAX &&
        !ones->scans[k->id])
        ones->scans[k->id] = one.scan;
    else
        scan_free(one.scan);
    return good && one.heard;
}
