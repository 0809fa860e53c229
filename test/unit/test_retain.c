/* retain: which sessions stay. */
#include "test.h"

#include <string.h>

#include "controllers/retain.h"

/* sessions: oldest first, one letter each: s succeeded, f failed, k skipped, o open, a failed and awaiting its retry.
 * Answer in the same order, '-' for dropped. */
static void keeps(const char *sessions, int64_t limit, const char *want)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct retain_item items[8];
    char got[9] = "";
    size_t n = strlen(sessions);

    for (size_t i = 0; i < n; i++) {
        char c = sessions[i];

        items[i] = (struct retain_item){
            .name = names[i],
            .created_s = 1000 + (int64_t)(i / 2), /* pairs of one second: the name decides */
            .result = c == 's'   ? RETAIN_SUCCEEDED
                      : c == 'k' ? RETAIN_SKIPPED
                      : c == 'o' ? RETAIN_OPEN
                                 : RETAIN_FAILED,
            .is_awaited = c == 'a',
        };
    }
    retain_mark(items, n, limit);
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)(items[i].name[0] - 'a');

        got[at] = items[i].drop ? '-' : sessions[at];
    }
    assert_string_equal(got, want);
}

static void the_newest_stay(void **state)
{
    (void)state;
    keeps("sssss", 2, "---ss");
    keeps("sssss", 9, "sssss");
    keeps("", 1, "");
}

static void the_last_success_and_the_last_failure_stay(void **state)
{
    (void)state;
    keeps("sfkkk", 1, "sf--k");
    keeps("fsfss", 1, "--f-s");
    keeps("sf", 0, "sf");
    keeps("kkk", 0, "---");
}

static void what_is_open_or_awaits_its_retry_stays(void **state)
{
    (void)state;
    keeps("oafsk", 1, "oafsk");
    keeps("osss", 1, "o--s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_stay),
        cmocka_unit_test(the_last_success_and_the_last_failure_stay),
        cmocka_unit_test(what_is_open_or_awaits_its_retry_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
