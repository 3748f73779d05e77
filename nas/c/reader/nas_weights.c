#include "nas_weights.h"

#include <string.h>

enum { RAW, MASK, GAPS, HUFFMAN, RANGE, SHARED = 8 };
enum { LONGEST = 15, WIDEST = 4, MOST_NODES = 128 };

/* Symbols of `width` bits are entries of a codebook at `book`, or numbers in two's complement; weights of
   `bits` bits must lie in least … most, and those of one bit not be 0. */
struct alphabet {
    struct nas_cursor *cursor;
    int8_t *found;
    uint32_t count, book, entries;
    unsigned width;
    int least, most;
    int no_zero;
};

static void put(const struct alphabet *alphabet, uint32_t place, uint32_t symbol)
{
    int weight;

    if (symbol >= alphabet->entries) {
        nas_fail(alphabet->cursor, NAS_INVALID);
        return;
    }
    if (alphabet->book > 0) {
        weight = alphabet->cursor->data[alphabet->book + symbol];
        weight = weight > 127 ? weight - 256 : weight;
    } else if (alphabet->width == 1) {
        weight = symbol == 0 ? 1 : -1;
    } else {
        weight = (int)symbol < (int)(alphabet->entries / 2) ? (int)symbol : (int)symbol - (int)alphabet->entries;
    }
    if (weight < alphabet->least || weight > alphabet->most || (weight == 0 && alphabet->no_zero)) {
        nas_fail(alphabet->cursor, NAS_INVALID);
    } else if (alphabet->found != NULL) {
        alphabet->found[place] = (int8_t)weight;
    }
}

/* Symbols 0, which may take no byte of the file, and so are many: one is checked for all. */
static void put_zeros(const struct alphabet *alphabet, uint32_t begin, uint32_t end)
{
    if (begin == end) {
        return;
    }
    put(alphabet, begin, 0);
    if (alphabet->found != NULL && alphabet->cursor->status == NAS_OK) {
        memset(alphabet->found + begin, alphabet->found[begin], (size_t)(end - begin));
    }
}

static void raw(const struct alphabet *alphabet)
{
    struct nas_cursor *const cursor = alphabet->cursor;
    struct nas_bits symbols = nas_bits_at(cursor->data + nas_packed(cursor, alphabet->count, alphabet->width));
    uint32_t i;

    if (alphabet->width == 0) {
        put_zeros(alphabet, 0, alphabet->count);
        return;
    }
    for (i = 0; i < alphabet->count && cursor->status == NAS_OK; i++) {
        put(alphabet, i, nas_next(&symbols, alphabet->width));
    }
}

static void mask(const struct alphabet *alphabet)
{
    struct nas_cursor *const cursor = alphabet->cursor;
    const uint32_t at = nas_packed(cursor, alphabet->count, 1);
    struct nas_bits marks = nas_bits_at(cursor->data + at), symbols;
    uint32_t i, kept = 0;

    if (cursor->status != NAS_OK) {
        return;
    }
    for (i = 0; i < alphabet->count; i++) {
        kept += nas_next(&marks, 1);
    }
    marks = nas_bits_at(cursor->data + at);
    symbols = nas_bits_at(cursor->data + nas_packed(cursor, kept, alphabet->width));
    for (i = 0; i < alphabet->count && cursor->status == NAS_OK; i++) {
        put(alphabet, i, nas_next(&marks, 1) ? nas_next(&symbols, alphabet->width) : 0);
    }
}

static void gaps(const struct alphabet *alphabet)
{
    struct nas_cursor *const cursor = alphabet->cursor;
    const uint32_t total = nas_varint(cursor);
    const unsigned width = nas_byte(cursor);
    struct nas_bits between, symbols;
    uint32_t i, place = 0, end;

    nas_require(cursor, total <= alphabet->count && width >= 1 && width <= 12, NAS_INVALID);
    if (cursor->status != NAS_OK) {
        return;
    }
    between = nas_bits_at(cursor->data + nas_packed(cursor, total, width));
    symbols = nas_bits_at(cursor->data + nas_packed(cursor, total, alphabet->width));
    for (i = 0; i < total && cursor->status == NAS_OK; i++) {
        end = place + nas_next(&between, width);
        if (end >= alphabet->count) {
            nas_fail(cursor, NAS_INVALID);
            return;
        }
        put_zeros(alphabet, place, end);
        put(alphabet, end, nas_next(&symbols, alphabet->width));
        place = end + 1;
    }
    if (cursor->status == NAS_OK) {
        put_zeros(alphabet, place, alphabet->count);
    }
}

static void huffman(const struct alphabet *alphabet)
{
    struct nas_cursor *const cursor = alphabet->cursor;
    const unsigned split = nas_byte(cursor);
    /* Upper parts in the order of their codes, and how many there are of each length. */
    uint8_t order[256];
    uint16_t counts[LONGEST + 1] = {0}, firsts[LONGEST + 1];
    struct nas_bits lengths, lower, codes;
    uint32_t i, parts, total = 0, used = 0, bits, code, first, base;
    uint32_t left;
    unsigned length;

    nas_require(cursor, split < alphabet->width, NAS_INVALID);
    if (cursor->status != NAS_OK) {
        return;
    }
    parts = UINT32_C(1) << (alphabet->width - split);
    i = nas_packed(cursor, parts, 4);
    if (cursor->status != NAS_OK) {
        return;
    }
    lengths = nas_bits_at(cursor->data + i);
    for (bits = 0; bits < parts; bits++) {
        counts[nas_next(&lengths, 4)]++;
    }
    for (length = 1; length <= LONGEST; length++) {
        firsts[length] = (uint16_t)used;
        used += counts[length];
        total += (uint32_t)counts[length] << (LONGEST - length);
    }
    nas_require(cursor, total == UINT32_C(1) << LONGEST, NAS_INVALID);
    lengths = nas_bits_at(cursor->data + i);
    for (bits = 0; bits < parts; bits++) {
        length = (unsigned)nas_next(&lengths, 4);
        if (length > 0) {
            order[firsts[length]++] = (uint8_t)bits;
        }
    }
    lower = nas_bits_at(cursor->data + nas_packed(cursor, alphabet->count, split));
    if (cursor->status != NAS_OK) {
        return;
    }
    codes = nas_bits_at(cursor->data + cursor->at);
    left = cursor->size - cursor->at;
    left = left > UINT32_MAX / 8 ? UINT32_MAX : 8 * left;
    bits = 0;
    for (i = 0; i < alphabet->count && cursor->status == NAS_OK; i++) {
        /* The codes of one length are numbers from `first` on, and entries of `order` from `base` on. */
        code = first = base = 0;
        for (length = 1;; length++) {
            if (bits == left) {
                nas_fail(cursor, NAS_TRUNCATED);
                return;
            }
            bits++;
            code = code << 1 | nas_next(&codes, 1);
            first <<= 1;
            if (code - first < counts[length]) {
                break;
            }
            first += counts[length];
            base += counts[length];
        }
        put(alphabet, i, (uint32_t)order[base + code - first] << split | nas_next(&lower, split));
    }
    (void)nas_packed(cursor, bits, 1);
}

/* The byte at a place; the two behind the last are 0. */
static uint32_t ahead(struct nas_cursor *cursor, uint32_t place)
{
    if (place < cursor->size) {
        return cursor->data[place];
    }
    nas_require(cursor, place - cursor->size < 2, NAS_TRUNCATED);
    return 0;
}

static void range(const struct alphabet *alphabet)
{
    struct nas_cursor *const cursor = alphabet->cursor;
    const unsigned split = alphabet->width > WIDEST ? alphabet->width - WIDEST : 0;
    const unsigned width = alphabet->width - split, context = width < 3 ? width : 3;
    uint16_t chances[MOST_NODES];
    uint8_t counts[MOST_NODES] = {0};
    struct nas_bits lower;
    uint32_t span = UINT32_MAX, code = 0, bound, place, node, symbol = 0, i;
    unsigned level, slow;

    nas_require(cursor, alphabet->count <= UINT32_C(1) << 20, NAS_INVALID);
    lower = nas_bits_at(cursor->data + nas_packed(cursor, alphabet->count, split));
    if (cursor->status != NAS_OK) {
        return;
    }
    for (i = 0; i < MOST_NODES; i++) {
        chances[i] = UINT16_C(1) << 15;
    }
    for (place = cursor->at, i = 0; i < 4; i++) {
        code = code << 8 | ahead(cursor, place++);
    }
    for (i = 0; i < alphabet->count && cursor->status == NAS_OK; i++) {
        node = UINT32_C(1) << context | symbol >> (width - context);
        for (level = 0; level < width; level++) {
            for (slow = 1; slow < 6 && (counts[node] + 1) >> slow; slow++) {
            }
            counts[node] = (uint8_t)(counts[node] < 31 ? counts[node] + 1 : 31);
            bound = (span >> 12) * (chances[node] >> 4);
            if (code < bound) {
                span = bound;
                chances[node] = (uint16_t)(chances[node] + ((UINT16_MAX - chances[node]) >> slow));
                node = 2 * node;
            } else {
                code -= bound;
                span -= bound;
                chances[node] = (uint16_t)(chances[node] - (chances[node] >> slow));
                node = 2 * node + 1;
            }
            while (span < UINT32_C(1) << 24) {
                span <<= 8;
                code = code << 8 | ahead(cursor, place++);
            }
        }
        symbol = node & ((UINT32_C(1) << width) - 1);
        put(alphabet, i, symbol << split | nas_next(&lower, split));
    }
    /* The last two bytes are not of the code, which so ends. */
    bound = ahead(cursor, place - 2) << 8 | ahead(cursor, place - 1);
    nas_require(cursor, code >= bound && code - bound <= UINT16_MAX, NAS_INVALID);
    (void)nas_take(cursor, place - 2 - cursor->at);
}

void nas_decode(struct nas_cursor *cursor, const struct nas_operation *layer, unsigned version, int8_t *found)
{
    const unsigned coder = layer->encoding % SHARED, bits = layer->weight_bits;
    struct alphabet alphabet;
    uint32_t i;

    alphabet.cursor = cursor;
    alphabet.found = found;
    alphabet.count = (uint32_t)nas_times(nas_times(layer->weights[0], layer->weights[1]), nas_times(layer->weights[2], layer->weights[3]));
    alphabet.book = 0;
    alphabet.entries = UINT32_C(1) << bits;
    alphabet.no_zero = bits == 1;
    alphabet.most = bits == 1 ? 1 : (1 << (bits - 1)) - 1;
    alphabet.least = -alphabet.most - (layer->affine ? 1 : 0);
    if (layer->encoding >= SHARED) {
        alphabet.entries = (uint32_t)nas_byte(cursor) + 1;
        alphabet.book = nas_take(cursor, alphabet.entries);
        for (i = 1; i < alphabet.entries && cursor->status == NAS_OK; i++) {
            nas_require(cursor, cursor->data[alphabet.book + i - 1] < cursor->data[alphabet.book + i], NAS_INVALID);
        }
    }
    for (alphabet.width = 0; (alphabet.entries - 1) >> alphabet.width; alphabet.width++) {
    }
    nas_require(cursor, coder <= HUFFMAN || (coder == RANGE && version >= 5), NAS_INVALID);
    nas_require(cursor, alphabet.width > 0 || coder == RAW, NAS_INVALID);
    if (cursor->status != NAS_OK) {
        return;
    }
    switch (coder) {
    case RAW:
        raw(&alphabet);
        break;
    case MASK:
        mask(&alphabet);
        break;
    case GAPS:
        gaps(&alphabet);
        break;
    case HUFFMAN:
        huffman(&alphabet);
        break;
    default:
        range(&alphabet);
    }
}
