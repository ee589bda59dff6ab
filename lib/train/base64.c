/*
 * base64 - three bytes as four characters.
 */
#include "train/base64.h"

#include <stdint.h>
#include <string.h>

/* The 64 characters by value. */
static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Byte k of n floats, as little-endian float32 have it. */
static unsigned byte_at(const float *values, size_t k)
{
    uint32_t bits;

    memcpy(&bits, &values[k / 4], sizeof bits);
    return (bits >> (8 * (k % 4))) & 0xffu;
}

void base64_put_floats(struct buf *b, const float *values, size_t n)
{
    size_t size = 4 * n, k, left;
    unsigned group;
    char text[4];

    for (k = 0; k < size; k += 3) {
        left = size - k;
        group = byte_at(values, k) << 16;
        if (left > 1)
            group |= byte_at(values, k + 1) << 8;
        if (left > 2)
            group |= byte_at(values, k + 2);
        text[0] = alphabet[group >> 18];
        text[1] = alphabet[(group >> 12) & 63];
        text[2] = left > 1 ? alphabet[(group >> 6) & 63] : '=';
        text[3] = left > 2 ? alphabet[group & 63] : '=';
        buf_put(b, text, sizeof text);
    }
}

/* Value of one character, or -1. */
static int value_of(char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;

    return at ? (int)(at - alphabet) : -1;
}

int base64_parse_floats(const char *text, float *values, size_t n)
{
    size_t size = 4 * n, k, i;
    uint32_t bits = 0, group;
    int value;

    if (strlen(text) != (size + 2) / 3 * 4)
        return -1;
    for (k = 0; k < size; k++) {
        group = 0;
        for (i = 0; i < 4; i++) {
            value = value_of(text[k / 3 * 4 + i]);
            if (value < 0 && (i <= size - k / 3 * 3 || i < 2))
                return -1;
            group = group << 6 | (uint32_t)(value < 0 ? 0 : value);
        }
        bits |= ((group >> (16 - 8 * (k % 3))) & 0xffu) << (8 * (k % 4));
        if (k % 4 == 3) {
            memcpy(&values[k / 4], &bits, sizeof bits);
            bits = 0;
        }
    }
    return 0;
}
