#if defined(VECTORS)
/* Eight weights as integers of 16 bits. */
static inline __m128i eight_8(const int8_t *weights)
{
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)weights);

    return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
}
#endif
