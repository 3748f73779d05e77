/* needs bits */
/* The weights of a layer as they lie in flash, read from the first to the last. */
struct weights {
    struct bits symbols;
    uint8_t width; /* of a symbol */
    uint8_t bits;  /* of a weight */
#if CODEBOOKS
    const int8_t *values; /* of the symbols; NULL where these are the weights */
#endif
#if ZERO_POINTS
    const uint8_t *zeros; /* of the channels; NULL where all levels are symmetric */
#endif
#if MASKS || GAPS
    struct bits marks;
#endif
#if MASKS
    uint8_t masked; /* marks say which symbols are not 0 */
#endif
#if GAPS
    uint8_t gap_width; /* marks say how many zeros stand before a symbol; 0 where they do not */
    uint16_t gap;
    uint32_t left;
#endif
};

static inline uint8_t symbol_of(struct weights *from)
{
#if MASKS
    if (from->masked && !take(&from->marks, 1)) {
        return 0;
    }
#endif
#if GAPS
    if (from->gap_width) {
        uint8_t symbol;
        if (from->left == 0) {
            return 0;
        }
        if (from->gap > 0) {
            from->gap--;
            return 0;
        }
        symbol = (uint8_t)take(&from->symbols, from->width);
        from->left--;
        if (from->left > 0) {
            from->gap = take(&from->marks, from->gap_width);
        }
        return symbol;
    }
#endif
    return (uint8_t)take(&from->symbols, from->width);
}

/* Whether symbols are the weights, one after the other. */
static inline uint8_t packed_levels(const struct weights *from)
{
#if CODEBOOKS
    if (from->values) {
        return 0;
    }
#endif
#if MASKS
    if (from->masked) {
        return 0;
    }
#endif
#if GAPS
    if (from->gap_width) {
        return 0;
    }
#endif
    return from->width == from->bits;
}

/* The next `count` levels of a channel, `step` apart. */
static void unpack(struct weights *from, size_t channel, int16_t *to, size_t count, size_t step)
{
    const uint8_t bits = from->bits;
    const uint8_t top = (uint8_t)(((uint16_t)1 << bits) - 1), half = (uint8_t)((uint16_t)1 << (bits - 1));
#if ZERO_POINTS
    const int16_t zero = from->zeros ? (int16_t)READ_8(from->zeros + channel) : 0;
#else
    (void)channel;
#endif

#if !defined(__AVR__)
    if (step == 1 && bits > 1 && from->symbols.count == 0 && packed_levels(from)) {
        const size_t whole = count & ~(size_t)7;
        const uint8_t *bytes = from->symbols.next;
        size_t i;
#if ZERO_POINTS
        const int16_t added = from->zeros ? zero : (int16_t)half;
        const int16_t taken = added;
#else
        const int16_t added = (int16_t)half, taken = added;
#endif
        if (bits == 8) {
            for (i = 0; i < whole; i++) {
                to[i] = (int16_t)(((bytes[i] + added) & 255) - taken);
            }
        } else if (bits == 4) {
            for (i = 0; i < whole / 2; i++) {
                to[2 * i] = (int16_t)((((bytes[i] >> 4) + added) & 15) - taken);
                to[2 * i + 1] = (int16_t)(((bytes[i] + added) & 15) - taken);
            }
        } else if (bits == 2) {
            for (i = 0; i < whole / 4; i++) {
                to[4 * i] = (int16_t)((((bytes[i] >> 6) + added) & 3) - taken);
                to[4 * i + 1] = (int16_t)((((bytes[i] >> 4) + added) & 3) - taken);
                to[4 * i + 2] = (int16_t)((((bytes[i] >> 2) + added) & 3) - taken);
                to[4 * i + 3] = (int16_t)(((bytes[i] + added) & 3) - taken);
            }
        } else {
            /* Eight weights are as many bytes as a weight has bits. */
            for (i = 0; i < whole; i += 8) {
                const uint8_t *at = bytes + i / 8 * bits;
                uint64_t word = 0;
                uint8_t j;
                for (j = 0; j < bits; j++) {
                    word = (word << 8) | at[j];
                }
                for (j = 0; j < 8; j++) {
                    const int16_t symbol = (int16_t)((word >> ((7 - j) * bits)) & top);
                    to[i + j] = (int16_t)(((symbol + added) & top) - taken);
                }
            }
        }
        from->symbols.next += whole / 8 * bits;
        to += whole;
        count -= whole;
    }
#endif
    while (count-- > 0) {
        const uint8_t symbol = symbol_of(from);
        int16_t level;
#if CODEBOOKS
        if (from->values) {
            level = (int16_t)(int8_t)READ_8(from->values + symbol);
        } else
#endif
        if (bits == 1) {
            level = (int16_t)(1 - 2 * (int16_t)symbol);
        } else {
            level = (int16_t)((int16_t)(symbol ^ half) - (int16_t)half);
        }
#if ZERO_POINTS
        if (from->zeros) {
            level = (int16_t)(((level + zero) & top) - zero);
        }
#else
        (void)top;
#endif
        *to = level;
        to += step;
    }
}
