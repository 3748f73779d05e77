#if defined(DUAL_MULTIPLY)
/* Four integers, less their zero point: the even ones, and the odd ones. */
static inline void spread_8(const uint8_t *x, uint32_t less, uint32_t *even, uint32_t *odd)
{
    uint32_t four;

    memcpy(&four, x, 4);
    *even = __uxtab16(less, four);
    *odd = __uxtab16(less, (four >> 8) | (four << 24));
}

/* Adds their products with four weights. */
static inline int32_t dual_8(uint32_t even, uint32_t odd, const int8_t *weights, int32_t sum)
{
    uint32_t four;

    memcpy(&four, weights, 4);
    sum = __smlad((int16x2_t)even, __sxtb16((int8x4_t)four), sum);
    return __smlad((int16x2_t)odd, __sxtb16((int8x4_t)((four >> 8) | (four << 24))), sum);
}
#endif
