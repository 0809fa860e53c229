/* test_tables: what must hold for the table of each controller. */
#include "test.h"

#include <string.h>

#include "controllers/controller.h"

static size_t n_phases(const struct controller *c)
{
    size_t n = 0;

    while (c->phases[n])
        n++;
    return n;
}

static void names_are_unique_and_phases_start_with_new(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_controllers; i++) {
        assert_string_equal(controllers[i]->phases[0], "");
        assert_true(controllers[i]->n_rules > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(controllers[i]->name, controllers[j]->name);
    }
}

static void each_phase_with_rows_ends_in_one_that_always_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_controllers; i++) {
        const struct controller *c = controllers[i];

        for (size_t phase = 0; phase < n_phases(c); phase++) {
            const struct rule *last = NULL;

            for (size_t r = 0; r < c->n_rules; r++) {
                if (c->rules[r].in == (int)phase || c->rules[r].in == PHASE_ANY)
                    last = &c->rules[r];
                /* What stands behind a row that always fits is never reached. */
                if (last && last != &c->rules[r] && !last->when && c->rules[r].in == (int)phase)
                    fail_msg("%s: row %s is never reached", c->name, c->rules[r].reason);
            }
            if (last && last->when)
                fail_msg("%s: phase %s has no last row", c->name, c->phases[phase]);
        }
    }
}

static void rows_name_phases_that_exist_and_a_reason_of_their_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_controllers; i++) {
        const struct controller *c = controllers[i];

        for (size_t r = 0; r < c->n_rules; r++) {
            const struct rule *row = &c->rules[r];

            assert_true(row->in >= PHASE_ANY && row->in < (int)n_phases(c));
            assert_true(row->to >= PHASE_ANY && row->to < (int)n_phases(c));
            assert_non_null(row->reason);
            for (size_t q = 0; q < r; q++) {
                if (c->rules[q].in == row->in && strcmp(c->rules[q].reason, row->reason) == 0)
                    fail_msg("%s: two rows of one phase say %s", c->name, row->reason);
            }
        }
    }
}

static void phases_are_found_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_controllers; i++) {
        const struct controller *c = controllers[i];

        assert_int_equal(controller_phase(c, NULL), 0);
        assert_int_equal(controller_phase(c, "no such phase"), -1);
        for (size_t phase = 0; phase < n_phases(c); phase++)
            assert_int_equal(controller_phase(c, c->phases[phase]), phase);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_phases_start_with_new),
        cmocka_unit_test(each_phase_with_rows_ends_in_one_that_always_fits),
        cmocka_unit_test(rows_name_phases_that_exist_and_a_reason_of_their_own),
        cmocka_unit_test(phases_are_found_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
