/* needs dual_@S@ */
/* The sum of products of integers, less their zero point, and weights. */
static inline int32_t dot_@S@(const uint8_t *x, const @W@ *weights, size_t count, int16_t zero)
{
    int32_t sum = 0;
    size_t i = 0;

#if defined(DUAL_MULTIPLY)
    const uint32_t less = (uint16_t)-zero * (uint32_t)0x10001;
    for (; i + 4 <= count; i += 4) {
        uint32_t four;
        memcpy(&four, x + i, 4);
        sum = dual_@S@(__uxtab16(less, four), __uxtab16(less, (four >> 8) | (four << 24)), weights + i, sum);
    }
#endif
    for (; i < count; i++) {
        sum += (int32_t)(int16_t)(x[i] - zero) * (int32_t)weights[i];
    }
    return sum;
}
