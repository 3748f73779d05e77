/* needs lanes */
/* Sums of channels that are computed side by side. */
struct lane_sums {
#if !defined(VECTORS)
    int32_t each[TOGETHER];
#elif VECTORS == 16
    __m256i each;
#else
    __m128i low, high;
#endif
};

static inline void lane_values(const struct lane_sums *sums, int32_t values[TOGETHER])
{
#if !defined(VECTORS)
    memcpy(values, sums->each, sizeof sums->each);
#elif VECTORS == 16
    _mm256_storeu_si256((__m256i *)(void *)values, sums->each);
#else
    _mm_storeu_si128((__m128i *)(void *)values, sums->low);
    _mm_storeu_si128((__m128i *)(void *)(values + 4), sums->high);
#endif
}

#if defined(VECTORS)
static inline void add_products(struct lane_sums *sums, __m128i levels, __m128i weights)
{
#if VECTORS == 16
    /* The upper half of each weight is 0, so that of the sign of a level does not count. */
    const __m256i wide = _mm256_madd_epi16(_mm256_cvtepi16_epi32(levels), _mm256_cvtepu16_epi32(weights));
    sums->each = _mm256_add_epi32(sums->each, wide);
#else
    const __m128i lower = _mm_mullo_epi16(levels, weights), upper = _mm_mulhi_epi16(levels, weights);
    sums->low = _mm_add_epi32(sums->low, _mm_unpacklo_epi16(lower, upper));
    sums->high = _mm_add_epi32(sums->high, _mm_unpackhi_epi16(lower, upper));
#endif
}

#if VECTORS == 16
/* The integers of two taps, one behind the other in each lane. */
static inline __m256i side_by_side(__m128i first, __m128i second)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(first, second)),
                                   _mm_unpackhi_epi16(first, second), 1);
}
#endif
#endif
