/* needs scaled_four */
#if defined(FOUR_AT_ONCE)
/* The sums of two channels at two pixels. */
struct four {
    vector as, bs, cs, ds;
};

/* Eight products more, in the lower half of the sums. */
static inline vector eight_more(vector sums, __m128i levels, __m128i weights)
{
    const __m128i added = _mm_madd_epi16(levels, weights);

    return _mm256_add_epi32(sums, _mm256_inserti128_si256(_mm256_setzero_si256(), added, 0));
}

static inline struct four_gains gains_of_pair(const struct gain gains[2])
{
    struct four_gains found;

    found.factors = _mm256_setr_epi64x(gains[0].factor, gains[1].factor, gains[0].factor, gains[1].factor);
    found.biases = _mm256_setr_epi64x(gains[0].bias, gains[1].bias, gains[0].bias, gains[1].bias);
    return found;
}

/* The integers of two channels at a pixel, and at another one. */
static inline void store_four(const struct four *sums, uint8_t *out, uint8_t *other, const struct four_gains *by,
                              const struct scaling *to)
{
    const __m256i pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(sums->as, sums->bs), _mm256_hadd_epi32(sums->cs, sums->ds));
    const uint32_t levels =
        scaled_four(_mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1)), by, to);

    out[0] = (uint8_t)(levels & 255);
    out[1] = (uint8_t)((levels >> 8) & 255);
    other[0] = (uint8_t)((levels >> 16) & 255);
    other[1] = (uint8_t)(levels >> 24);
}
#endif
