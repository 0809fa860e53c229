/* test_docs: whole documents kept by version, within a bound. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "controllers/docs.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

static uint64_t now_ns;

static const struct kind *session(void)
{
    return kind_get(KIND_BACKUPSESSION);
}

static void keep(struct docs *d, const char *name, const char *rv, const char *text)
{
    json_t *o = json_pack("{s:{s:s}, s:s}", "metadata", "resourceVersion", rv, "text", text);

    char *text_of_it = json_dumps(o, JSON_COMPACT);

    docs_put(d, session(), "demo", name, rv, str_of(text_of_it), now_ns);
    mem_free(text_of_it);
    json_decref(o);
}

static bool has(struct docs *d, const char *name, const char *rv)
{
    json_t *o = docs_get(d, session(), "demo", name, rv, now_ns, NULL);
    bool found = o && strcmp(json_text(o, "metadata.resourceVersion"), rv) == 0;

    json_decref(o);
    return found;
}

static void a_document_is_given_out_for_its_version_only(void **state)
{
    struct docs *d = docs_new(1);

    (void)state;
    assert_false(has(d, "a", "1"));
    keep(d, "a", "1", "x");
    assert_true(has(d, "a", "1"));
    assert_true(has(d, "a", "1"));
    assert_false(has(d, "a", "2"));
    assert_null(docs_get(d, kind_get(KIND_JOB), "demo", "a", "1", now_ns, NULL));
    assert_null(docs_get(d, session(), "prod", "a", "1", now_ns, NULL));
    docs_drop(d, session(), "demo", "a");
    assert_false(has(d, "a", "1"));
    docs_drop(d, session(), "demo", "a");
    docs_free(d);
}

static void a_newer_one_takes_the_place_of_an_older_one(void **state)
{
    struct docs *d = docs_new(1);

    (void)state;
    keep(d, "a", "9", "x");
    keep(d, "a", "10", "y");
    assert_true(has(d, "a", "10"));
    keep(d, "a", "9", "late"); /* an answer that was overtaken */
    assert_true(has(d, "a", "10"));
    keep(d, "a", "", "z"); /* without a version it can't be told from another */
    assert_false(has(d, "a", ""));
    docs_free(d);
}

/* What a pass gets whose cache has that version; "": nothing. */
static const char *get(struct docs *d, const char *rv, bool *ret_ahead)
{
    static char text[64];
    json_t *o = docs_get(d, session(), "demo", "a", rv, now_ns, ret_ahead);

    (void)snprintf(text, sizeof(text), "%s", json_text(o, "text"));
    json_decref(o);
    return text;
}

static void one_ahead_of_the_cache_is_believed_for_a_while(void **state)
{
    struct docs *d = docs_new(1);
    bool ahead;

    (void)state;
    keep(d, "a", "10", "x");
    assert_string_equal(get(d, "9", &ahead), "x");
    assert_true(ahead);
    assert_string_equal(get(d, "", &ahead), "x"); /* the cache has not even heard of it */
    assert_true(ahead);
    assert_string_equal(get(d, "10", &ahead), "x");
    assert_false(ahead);
    assert_string_equal(get(d, "11", NULL), "");
    assert_string_equal(get(d, "9a", NULL), ""); /* no number: neither newer nor older */
    now_ns += DOCS_AHEAD_MS * 1000000ull;
    assert_string_equal(get(d, "9", NULL), "");
    assert_string_equal(get(d, "", NULL), "");
    assert_string_equal(get(d, "10", NULL), "x");
    keep(d, "a", "7", "restored"); /* after a while a smaller version is no late answer: the server was restored */
    assert_string_equal(get(d, "7", NULL), "restored");
    docs_free(d);
}

static void what_a_watch_brings_late_takes_no_newer_ones_place(void **state)
{
    struct docs *d = docs_new(1);

    (void)state;
    keep(d, "a", "10", "written");
    now_ns += DOCS_AHEAD_MS * 1000000ull;
    docs_offer(d, session(), "demo", "a", "9", STR("{\"text\":\"late\"}"), now_ns);
    assert_string_equal(get(d, "9", NULL), ""); /* so the server is asked */
    assert_string_equal(get(d, "10", NULL), "written");
    docs_offer(d, session(), "demo", "a", "11", STR("{\"text\":\"next\"}"), now_ns);
    assert_string_equal(get(d, "11", NULL), "next");
    docs_clear(d);
    assert_string_equal(get(d, "11", NULL), "");
    docs_free(d);
}

static void trees_are_shared_and_few(void **state)
{
    struct docs *d = docs_new(1);
    json_t *first, *again;
    char *text = mem_alloc(LIMIT_KEPT_TREES + 1);

    (void)state;
    memset(text, 'x', LIMIT_KEPT_TREES);
    text[LIMIT_KEPT_TREES] = '\0';
    keep(d, "a", "1", "x");
    first = docs_get(d, session(), "demo", "a", "1", now_ns, NULL);
    again = docs_get(d, session(), "demo", "a", "1", now_ns, NULL);
    assert_ptr_equal(first, again);
    json_decref(again);
    keep(d, "b", "1", text); /* over the bound by itself: given out, its tree not kept, nor is any older one */
    assert_true(has(d, "b", "1"));
    again = docs_get(d, session(), "demo", "a", "1", now_ns, NULL);
    assert_ptr_not_equal(first, again); /* made again; who has the first may use it on */
    assert_string_equal(json_text(first, "text"), "x");
    json_decref(first);
    json_decref(again);
    mem_free(text);
    docs_free(d);
}

static void the_longest_unused_ones_go_first(void **state)
{
    struct docs *d = docs_new(1);
    size_t third = LIMIT_KEPT_DOCUMENTS / 3;
    char *text = mem_alloc(third + 1);

    (void)state;
    memset(text, 'x', third);
    text[third] = '\0'; /* with what is around it, three are too much */
    keep(d, "a", "1", text);
    keep(d, "b", "1", text);
    assert_true(has(d, "a", "1")); /* used again */
    keep(d, "c", "1", text);
    assert_true(has(d, "a", "1"));
    assert_false(has(d, "b", "1"));
    assert_true(has(d, "c", "1"));
    assert_true(docs_bytes(d) >= 2 * third && docs_bytes(d) < 3 * third);
    docs_clear(d);
    assert_int_equal(docs_bytes(d), 0);
    mem_free(text);
    docs_free(d);
}

static void one_over_the_bound_is_not_kept(void **state)
{
    struct docs *d = docs_new(1);
    char *text = mem_alloc(LIMIT_KEPT_DOCUMENTS + 1);

    (void)state;
    memset(text, 'x', LIMIT_KEPT_DOCUMENTS);
    text[LIMIT_KEPT_DOCUMENTS] = '\0';
    keep(d, "a", "1", text);
    assert_false(has(d, "a", "1"));
    mem_free(text);
    docs_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_given_out_for_its_version_only),
        cmocka_unit_test(what_a_watch_brings_late_takes_no_newer_ones_place),
        cmocka_unit_test(a_newer_one_takes_the_place_of_an_older_one),
        cmocka_unit_test(one_ahead_of_the_cache_is_believed_for_a_while),
        cmocka_unit_test(trees_are_shared_and_few),
        cmocka_unit_test(the_longest_unused_ones_go_first),
        cmocka_unit_test(one_over_the_bound_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
