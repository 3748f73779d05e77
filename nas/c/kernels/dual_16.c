#if defined(DUAL_MULTIPLY)
/* Four products: of the even and the odd ones of four integers, and weights. */
static inline int32_t dual_16(uint32_t even, uint32_t odd, const int16_t *weights, int32_t sum)
{
    int16x2_t first, second;

    memcpy(&first, weights, 4);
    memcpy(&second, weights + 2, 4);
    sum = __smlad((int16x2_t)((even & 0xffff) | (odd << 16)), first, sum);
    return __smlad((int16x2_t)((even >> 16) | (odd & 0xffff0000)), second, sum);
}
#endif
