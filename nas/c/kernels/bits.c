/* Numbers of a few bits, from the top bit of each byte down. */
struct bits {
    const uint8_t *next;
    uint32_t held;
    uint8_t count;
};

static inline uint16_t take(struct bits *from, uint8_t width)
{
    while (from->count < width) {
        from->held = (from->held << 8) | READ_8(from->next);
        from->next++;
        from->count = (uint8_t)(from->count + 8);
    }
    from->count = (uint8_t)(from->count - width);
    return (uint16_t)((from->held >> from->count) & (((uint32_t)1 << width) - 1));
}
