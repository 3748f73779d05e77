/* needs dual_@S@ */
/* Adds the sums of products of integers, less their zero point, and the weights of two channels. */
static inline void dot_pair_@S@(const uint8_t *x, const @W@ *first, const @W@ *second, size_t count, int16_t zero,
                                int32_t sums[2])
{
    int32_t a = sums[0], b = sums[1];
    size_t i = 0;

#if defined(DUAL_MULTIPLY)
    const uint32_t less = (uint16_t)-zero * (uint32_t)0x10001;
    for (; i + 4 <= count; i += 4) {
        uint32_t four, even, odd;
        memcpy(&four, x + i, 4);
        even = __uxtab16(less, four);
        odd = __uxtab16(less, (four >> 8) | (four << 24));
        a = dual_@S@(even, odd, first + i, a);
        b = dual_@S@(even, odd, second + i, b);
    }
#endif
    for (; i < count; i++) {
        const int16_t level = (int16_t)(x[i] - zero);
        a += (int32_t)level * (int32_t)first[i];
        b += (int32_t)level * (int32_t)second[i];
    }
    sums[0] = a;
    sums[1] = b;
}
