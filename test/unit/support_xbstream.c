/* support_xbstream: see support_xbstream.h. */
#include "support_xbstream.h"

#include <string.h>
#include <zlib.h>

struct buf stream;

void put_number(uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_putc(&stream, (char)(n >> (8 * i)));
}

void put_head(char type, const char *path)
{
    buf_puts(&stream, "XBSTCK01");
    buf_putc(&stream, 0);
    buf_putc(&stream, type);
    put_number(strlen(path), 4);
    buf_puts(&stream, path);
}

void put_payload(const char *path, uint64_t offset, const char *text)
{
    put_head('P', path);
    put_number(strlen(text), 8);
    put_number(offset, 8);
    put_number(crc32(0, (const unsigned char *)text, (unsigned)strlen(text)), 4);
    buf_puts(&stream, text);
}

void put_file(const char *path, const char *text)
{
    put_payload(path, 0, text);
    put_head('E', path);
}
