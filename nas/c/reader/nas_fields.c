#include "nas_fields.h"

#include <string.h>

void nas_fail(struct nas_cursor *cursor, enum nas_status status)
{
    if (cursor->status == NAS_OK) {
        cursor->status = status;
    }
}

void nas_require(struct nas_cursor *cursor, int kept, enum nas_status status)
{
    if (!kept) {
        nas_fail(cursor, status);
    }
}

uint32_t nas_take(struct nas_cursor *cursor, uint64_t count)
{
    const uint32_t at = cursor->at;

    if (cursor->status != NAS_OK || count > cursor->size - at) {
        nas_fail(cursor, NAS_TRUNCATED);
        return 0;
    }
    cursor->at += (uint32_t)count;
    return at;
}

uint8_t nas_byte(struct nas_cursor *cursor)
{
    const uint32_t at = nas_take(cursor, 1);

    return (uint8_t)(cursor->status == NAS_OK ? cursor->data[at] : 0);
}

uint32_t nas_varint(struct nas_cursor *cursor)
{
    uint64_t value = 0;
    unsigned shift;
    uint8_t byte;

    for (shift = 0; shift < 35; shift += 7) {
        byte = nas_byte(cursor);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            /* In as few bytes as possible. */
            nas_require(cursor, value <= UINT32_MAX && (byte > 0 || shift == 0), NAS_INVALID);
            return cursor->status == NAS_OK ? (uint32_t)value : 0;
        }
    }
    nas_fail(cursor, NAS_INVALID);
    return 0;
}

void nas_pair(struct nas_cursor *cursor, uint32_t pair[2])
{
    const uint32_t first = nas_varint(cursor);

    pair[0] = pair[1] = first >> 1;
    if (first & 1) {
        pair[1] = nas_varint(cursor);
        nas_require(cursor, pair[0] != pair[1], NAS_INVALID);
    }
}

float nas_float(const uint8_t *data)
{
    const uint32_t bits = (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

uint32_t nas_packed(struct nas_cursor *cursor, uint64_t count, unsigned width)
{
    /* count is at most 2^32. */
    const uint64_t bits = count * width, bytes = (bits + 7) / 8;
    const uint32_t at = nas_take(cursor, bytes);

    if (cursor->status == NAS_OK && bytes > 0) {
        const unsigned spare = (unsigned)(8 * bytes - bits);
        nas_require(cursor, (cursor->data[at + (uint32_t)bytes - 1] & ((1u << spare) - 1)) == 0, NAS_INVALID);
    }
    return at;
}

struct nas_bits nas_bits_at(const uint8_t *data)
{
    struct nas_bits bits;

    bits.next = data;
    bits.left = 8;
    return bits;
}

uint32_t nas_next(struct nas_bits *bits, unsigned width)
{
    uint32_t value = 0;
    unsigned part;

    while (width > 0) {
        part = width < bits->left ? width : bits->left;
        bits->left -= part;
        value = value << part | ((uint32_t)(*bits->next >> bits->left) & ((UINT32_C(1) << part) - 1));
        width -= part;
        if (bits->left == 0) {
            bits->next++;
            bits->left = 8;
        }
    }
    return value;
}

int32_t nas_next_signed(struct nas_bits *bits, unsigned width)
{
    const uint32_t value = nas_next(bits, width);

    if (width > 0 && value >> (width - 1)) {
        /* -2^width + value, in a way that no step overflows. */
        return -1 - (int32_t)((width < 32 ? (UINT32_C(1) << width) - 1 : UINT32_MAX) - value);
    }
    return (int32_t)value;
}

uint64_t nas_times(uint64_t a, uint64_t b)
{
    const uint64_t most = UINT64_C(1) << 62;

    return b != 0 && a > most / b ? most : a * b;
}
