/* needs vectors */
#if defined(VECTORS)
/* Weights as integers of 16 bits. */
static inline vector weights_8(const int8_t *weights)
{
#if VECTORS == 16
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)weights));
#else
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)weights);

    return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
#endif
}
#endif
