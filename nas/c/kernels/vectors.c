#if defined(VECTORS)
static inline int32_t added_up_4(__m128i sums)
{
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, _MM_SHUFFLE(1, 0, 3, 2)));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, _MM_SHUFFLE(2, 3, 0, 1)));
    return _mm_cvtsi128_si32(sums);
}

#if VECTORS == 16
typedef __m256i vector;

static inline vector zeros(void)
{
    return _mm256_setzero_si256();
}

static inline vector all_of(int16_t value)
{
    return _mm256_set1_epi16(value);
}

static inline vector levels_of(const uint8_t *x, vector less)
{
    return _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)x)), less);
}

static inline vector products(vector sums, vector levels, vector weights)
{
    return _mm256_add_epi32(sums, _mm256_madd_epi16(levels, weights));
}

static inline int32_t added_up(vector sums)
{
    return added_up_4(_mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1)));
}
#else
typedef __m128i vector;

static inline vector zeros(void)
{
    return _mm_setzero_si128();
}

static inline vector all_of(int16_t value)
{
    return _mm_set1_epi16(value);
}

static inline vector levels_of(const uint8_t *x, vector less)
{
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)x);

    return _mm_sub_epi16(_mm_unpacklo_epi8(bytes, _mm_setzero_si128()), less);
}

static inline vector products(vector sums, vector levels, vector weights)
{
    return _mm_add_epi32(sums, _mm_madd_epi16(levels, weights));
}

static inline int32_t added_up(vector sums)
{
    return added_up_4(sums);
}
#endif
#endif
