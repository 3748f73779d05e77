#if defined(DUAL_MULTIPLY)
/* Four products: of the even and the odd ones of four integers, and weights. */
static inline int32_t dual_8(uint32_t even, uint32_t odd, const int8_t *weights, int32_t sum)
{
    uint32_t four;

    memcpy(&four, weights, 4);
    sum = __smlad((int16x2_t)even, __sxtb16((int8x4_t)four), sum);
    return __smlad((int16x2_t)odd, __sxtb16((int8x4_t)((four >> 8) | (four << 24))), sum);
}
#endif
