/*
 * fuzz_words: a text is refused with a message or gives words; each of them, quoted, is read back as the same one word.
 * Reads: controllers/job/words.c
 */
#include <assert.h>
#include <stdint.h>

#include "controllers/job/words.h"
#include "core/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 'a'\''b' */
static void put_quoted(struct buf *out, const char *word)
{
    buf_puts(out, "'");
    for (; *word; word++)
        buf_printf(out, *word == '\'' ? "'\\''" : "%c", *word);
    buf_puts(out, "' ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct words first = {0}, second = {0}, copy = {0};
    struct error e = {0};
    struct buf quoted;

    buf_init(&quoted, 8 * size + 64);
    if (words_split(&first, (struct str){(const char *)data, size}, &e) < 0) {
        assert(e.msg[0]);
    } else {
        for (size_t i = 0; i < first.n; i++)
            put_quoted(&quoted, first.items[i]);
        assert(words_split(&second, buf_str(&quoted), &e) == 0);
        assert(second.n == first.n);
        for (size_t i = 0; i < first.n; i++) {
            words_addf(&copy, "%s", first.items[i]);
            assert(str_same(first.items[i], second.items[i]) && str_same(first.items[i], copy.items[i]));
        }
    }
    words_done(&first);
    words_done(&second);
    words_done(&copy);
    buf_done(&quoted);
    return 0;
}
