/* test: cmocka and what it needs to be included first. */
#ifndef STASHD_TEST_H
#define STASHD_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
