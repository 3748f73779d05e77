/* needs vectors */
#if defined(VECTORS)
/* Weights as integers of 16 bits. */
static inline vector weights_16(const int16_t *weights)
{
#if VECTORS == 16
    return _mm256_loadu_si256((const __m256i *)(const void *)weights);
#else
    return _mm_loadu_si128((const __m128i *)(const void *)weights);
#endif
}
#endif
