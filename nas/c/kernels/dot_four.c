/* needs four eight_@S@ vector_@S@ */
#if defined(FOUR_AT_ONCE)
/* Adds the products of two rows of integers, less their zero point, and the weights of two channels. */
static inline void dot_four_@S@(const uint8_t *x, const uint8_t *y, const @W@ *first, const @W@ *second,
                                size_t count, int16_t zero, struct four *sums)
{
    const vector less = all_of(zero);

    for (; count >= VECTORS; count -= VECTORS) {
        const vector levels = levels_of(x, less), others = levels_of(y, less);
        const vector one = weights_@S@(first), two = weights_@S@(second);
        sums->as = products(sums->as, levels, one);
        sums->bs = products(sums->bs, levels, two);
        sums->cs = products(sums->cs, others, one);
        sums->ds = products(sums->ds, others, two);
        x += VECTORS;
        y += VECTORS;
        first += VECTORS;
        second += VECTORS;
    }
    if (count >= 8) {
        const __m128i by = _mm256_castsi256_si128(less);
        const __m128i levels = _mm_sub_epi16(_mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)x)), by);
        const __m128i others = _mm_sub_epi16(_mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)y)), by);
        const __m128i one = eight_@S@(first), two = eight_@S@(second);
        sums->as = eight_more(sums->as, levels, one);
        sums->bs = eight_more(sums->bs, levels, two);
        sums->cs = eight_more(sums->cs, others, one);
        sums->ds = eight_more(sums->ds, others, two);
        x += 8;
        y += 8;
        first += 8;
        second += 8;
        count -= 8;
    }
    if (count > 0) {
        int32_t added[4][8] = {{0}};
        for (; count > 0; count--) {
            const int32_t level = *x++ - zero, other = *y++ - zero;
            const int32_t one = (int32_t)WEIGHT_@S@(first), two = (int32_t)WEIGHT_@S@(second);
            added[0][0] += level * one;
            added[1][0] += level * two;
            added[2][0] += other * one;
            added[3][0] += other * two;
            first++;
            second++;
        }
        sums->as = _mm256_add_epi32(sums->as, _mm256_loadu_si256((const __m256i *)(const void *)added[0]));
        sums->bs = _mm256_add_epi32(sums->bs, _mm256_loadu_si256((const __m256i *)(const void *)added[1]));
        sums->cs = _mm256_add_epi32(sums->cs, _mm256_loadu_si256((const __m256i *)(const void *)added[2]));
        sums->ds = _mm256_add_epi32(sums->ds, _mm256_loadu_si256((const __m256i *)(const void *)added[3]));
    }
}
#endif
