/* needs gains vectors */
#if defined(VECTORS) && VECTORS == 16
#define FOUR_AT_ONCE 1

/* How four sums become integers, in 64 bits each. */
struct four_gains {
    __m256i factors, biases;
};

/* The integers of four sums, the first in the lowest byte. */
static inline uint32_t scaled_four(__m128i sums, const struct four_gains *by, const struct scaling *to)
{
    const __m256i least = _mm256_set1_epi64x(to->least), most = _mm256_set1_epi64x(to->most);
    __m256i levels = _mm256_mul_epi32(_mm256_cvtepi32_epi64(sums), by->factors);
    __m128i halves;

    levels = _mm256_add_epi64(levels, by->biases);
    levels = _mm256_blendv_epi8(levels, least, _mm256_cmpgt_epi64(least, levels));
    levels = _mm256_blendv_epi8(levels, most, _mm256_cmpgt_epi64(levels, most));
    levels = _mm256_srl_epi64(levels, _mm_cvtsi32_si128(to->shift));
    levels = _mm256_permutevar8x32_epi32(levels, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    halves = _mm_packus_epi32(_mm256_castsi256_si128(levels), _mm_setzero_si128());
    return (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(halves, halves));
}
#endif
