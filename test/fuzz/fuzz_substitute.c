/*
 * Input: a text, a NUL, a tenant's value, a NUL, another tenant's value. Properties:
 *  - a text with each '$' doubled comes back as it was;
 *  - where a tenant's value may not enter, the result does not depend on it;
 *  - a tree keeps its shape whatever the value, and in an item a value makes no new option.
 * Reads: controllers/substitute.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "controllers/substitute.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str next(struct str *rest)
{
    struct str part;

    return str_cut(rest, '\0', &part) ? part : STR_NONE;
}

static int with(struct arena *a, struct str text, enum substitute_place place, const char *value, const char **ret,
                bool *is_tenant)
{
    struct variables v;

    variables_init(&v, a, NULL);
    (void)variables_set(&v, "P", "platform", false);
    (void)variables_set(&v, "x", value, true);
    return substitute_text(&v, text, place, "image", ret, is_tenant, NULL);
}

static void escaped_text_comes_back(struct arena *a, struct str text)
{
    struct buf b;
    const char *got;

    buf_init(&b, 4 * LIMIT_STRING);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '$')
            buf_putc(&b, '$');
        buf_putc(&b, text.p[i]);
    }
    if (text.n <= LIMIT_STRING && with(a, buf_str(&b), PLACE_PLATFORM, "v", &got, NULL) == 0)
        assert(strlen(got) == text.n && memcmp(got, text.n ? text.p : "", text.n) == 0);
    else
        assert(text.n > LIMIT_STRING);
    buf_done(&b);
}

static void the_platforms_places_are_closed(struct arena *a, struct str text, const char *one, const char *two)
{
    const char *got_one, *got_two;
    bool is_tenant = true;

    if (with(a, text, PLACE_PLATFORM, one, &got_one, &is_tenant) < 0)
        return;
    assert(!is_tenant);
    if (strlen(two) <= LIMIT_PARAM) { /* a long value is an error even where it is not needed */
        int rc = with(a, text, PLACE_PLATFORM, two, &got_two, NULL);

        assert(rc == 0 && strcmp(got_one, got_two) == 0);
    }
}

static bool same_shape(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *it;
    size_t i;

    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_object(a)) {
        json_object_foreach ((json_t *)(uintptr_t)a, key, it)
            if (!json_object_get(b, key) || !same_shape(it, json_object_get(b, key)))
                return false;
        return json_object_size(a) == json_object_size(b);
    }
    if (json_is_array(a)) {
        json_array_foreach (a, i, it)
            if (!json_array_get(b, i) || !same_shape(it, json_array_get(b, i)))
                return false;
        return json_array_size(a) == json_array_size(b);
    }
    return json_is_string(a) || json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b);
}

static void a_tree_keeps_its_shape(struct arena *a, const char *value)
{
    json_t *tree =
        json_loads("{\"image\":\"${P}\",\"command\":[\"c\",\"${x}\"],\"args\":[\"${x}\",\"--a=${x}\",\"a${x}\"],"
                   "\"volumeMounts\":[{\"mountPath\":\"/d/${x}\",\"subPath\":\"${x}\"}],\"n\":1}",
                   0, NULL);
    struct variables v;
    json_t *got;

    variables_init(&v, a, NULL);
    (void)variables_set(&v, "P", "platform", false);
    (void)variables_set(&v, "x", value, true);
    got = substitute_tree(&v, tree, TREE_FUNCTION, NULL);
    if (got) {
        assert(same_shape(tree, got));
        assert(strcmp(json_text(got, "image"), "platform") == 0);
        assert(json_text(got, "args.0")[0] != '-' && json_text(got, "command.1")[0] != '-');
        assert(!strstr(json_text(got, "volumeMounts.0.mountPath"), "/../"));
    }
    json_decref(got);
    json_decref(tree);
}

/* Without quotes each word stands for itself, so one more word can't hide. */
static void another_server_is_always_seen(struct arena *a, const char *words)
{
    int rc = substitute_check_client_args(words, NULL);

    if (!strpbrk(words, "'\"\\"))
        assert(substitute_check_client_args(arena_printf(a, "%s --host=x", words), NULL) < 0);
    else
        assert(rc == 0 || rc == ERR_INVALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, text, one, two;
    struct arena a;
    size_t live = mem_live();

    text = next(&rest);
    one = next(&rest);
    two = next(&rest);
    arena_init(&a);
    escaped_text_comes_back(&a, text);
    the_platforms_places_are_closed(&a, text, arena_str(&a, one), arena_str(&a, two));
    a_tree_keeps_its_shape(&a, arena_str(&a, one));
    another_server_is_always_seen(&a, arena_str(&a, text));
    arena_done(&a);
    assert(mem_live() == live);
    return 0;
}
