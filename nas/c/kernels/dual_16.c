#if defined(DUAL_MULTIPLY)
/* Four integers, less their zero point, in the order of the weights. */
static inline void spread_16(const uint8_t *x, uint32_t less, uint32_t *first, uint32_t *second)
{
    uint32_t four, even, odd;

    memcpy(&four, x, 4);
    even = __uxtab16(less, four);
    odd = __uxtab16(less, (four >> 8) | (four << 24));
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(*first) : "r"(even), "r"(odd));
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(*second) : "r"(odd), "r"(even));
}

/* Adds their products with four weights. */
static inline int32_t dual_16(uint32_t first, uint32_t second, const int16_t *weights, int32_t sum)
{
    int16x2_t two, other;

    memcpy(&two, weights, 4);
    memcpy(&other, weights + 2, 4);
    return __smlad((int16x2_t)second, other, __smlad((int16x2_t)first, two, sum));
}
#endif
