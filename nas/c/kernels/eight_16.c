#if defined(VECTORS)
/* Eight weights as integers of 16 bits. */
static inline __m128i eight_16(const int16_t *weights)
{
    return _mm_loadu_si128((const __m128i *)(const void *)weights);
}
#endif
