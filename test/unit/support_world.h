/*
 * support_world: controllers tested as data (style 11): objects as YAML or JSON text and a time go in, the plan of a
 * pass comes out as lines.
 *
 *     static void a_session_waits(void **state)
 *     {
 *         struct test_world *w = *state;
 *         test_world_at(w, "2026-03-01T02:00:00Z");
 *         test_world_add(w, "{apiVersion: stash.appscode.com/v1beta1, kind: BackupSession, metadata: {…}}");
 *         assert_string_equal(test_world_decide(w, &backupsession_controller, "demo", "s1"), "status phase=Pending\n");
 *     }
 *
 * Use test_world_setup and test_world_teardown as cmocka's; the teardown asserts that no memory is left.
 */
#ifndef STASHD_SUPPORT_WORLD_H
#define STASHD_SUPPORT_WORLD_H

#include "controllers/plan.h"
#include "controllers/world.h"
#include "core/base/map.h"

struct test_world {
    struct operator_settings settings; /* sensible ones; change at will */
    int64_t now_ms;                    /* 2026-03-01T02:00:00Z at the start */
    int64_t asked_ms;                  /* 0: as now_ms */
    struct cache *cache;
    bool accounts_may; /* the answer to world_may */
    struct list refusals;
    struct unseen_jobs unseen;
    uint32_t failures; /* of the passes before, as the engine would count them */
    int64_t catalog_s; /* for so long a Task or Function that is gone may be replaced */
    /* Of the last pass. */
    struct arena arena;
    struct world world;
    struct plan plan;
    const struct rule *rule; /* NULL: at rest */
    struct buf pushed;       /* of all passes: "push <namespace> <job>[/<target>]" and the text of each */
    /* private */
    struct map docs;
    uint64_t rv;
    struct buf out;
    size_t live;
    int runs;
};

int test_world_setup(void **state);
int test_world_teardown(void **state);

void test_world_at(struct test_world *w, const char *rfc3339);
/* Adds or replaces. One or several documents (separated by ---); uid ("uid-<name>"), resourceVersion, generation (1)
 * and creationTimestamp (now) are filled in when absent. */
void test_world_add(struct test_world *w, const char *yaml);
void test_world_addf(struct test_world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Documents of a file under test/unit/data. */
void test_world_add_file(struct test_world *w, const char *name);
/* The watch has not brought it yet: only who asks for the document knows of it. */
void test_world_unseen(struct test_world *w, enum kind_id kind, const char *ns, const char *name);
/* The watch has not told yet that it is gone. */
void test_world_unheard(struct test_world *w, enum kind_id kind, const char *ns, const char *name);
void test_world_del(struct test_world *w, enum kind_id kind, const char *ns, const char *name);
/* Merge patch (YAML) of an object that is there. */
void test_world_patch(struct test_world *w, enum kind_id kind, const char *ns, const char *name, const char *yaml);
/* The whole object as it is now; NULL: absent. */
const json_t *test_world_get(struct test_world *w, enum kind_id kind, const char *ns, const char *name);

/* For what is decided in a world without being a controller: a fresh one; then, after each decision, whether it asked
 * for documents: they have been given, decide again. */
void test_world_begin(struct test_world *w);
bool test_world_again(struct test_world *w);

/* One pass over the object, documents given as asked for. The settled plan as lines, until the next call. */
const char *test_world_decide(struct test_world *w, const struct controller *c, const char *ns, const char *name);
/* The same, then the plan is carried out on the world: objects appear, change, go. For stories of several steps. */
const char *test_world_step(struct test_world *w, const struct controller *c, const char *ns, const char *name);
/* The lines without that annotation of a patch, until the next call: where it is not what the test is about. */
const char *test_world_without(const char *lines, const char *annotation);
/* Carries out what is in the plan now: for tests that cut it first. */
void test_world_carry_out(struct test_world *w);
/* The body of an effect of the last pass on "<ns>/<name>"; NULL: no such effect. */
const json_t *test_world_effect(struct test_world *w, enum effect_type type, enum kind_id kind, const char *name);

/* As the engine notes it after a write failed. */
void test_world_refuse(struct test_world *w, enum kind_id kind, const char *ns, const char *name, enum refusal_kind why,
                       const char *message);

/* YAML (JSON too) text to a tree; one document; fails the test on a bad text. One reference. */
json_t *test_yaml(const char *text);
/* All documents, in a list. */
json_t *test_yaml_documents(const char *text);

#endif
