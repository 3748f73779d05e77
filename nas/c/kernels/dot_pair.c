/* needs pair dual_@S@ vector_@S@ */
/* Adds the sums of products of integers, less their zero point, and the weights of two channels. */
APART void dot_pair_@S@(const uint8_t *x, const @W@ *first, const @W@ *second, size_t count,
                        int16_t zero, struct pair *sums)
{
    int32_t a = sums->a, b = sums->b;

#if defined(VECTORS)
    const vector less = all_of(zero);
    vector as = sums->as, bs = sums->bs;
    for (; count >= VECTORS; count -= VECTORS) {
        const vector levels = levels_of(x, less);
        as = products(as, levels, weights_@S@(first));
        bs = products(bs, levels, weights_@S@(second));
        x += VECTORS;
        first += VECTORS;
        second += VECTORS;
    }
    sums->as = as;
    sums->bs = bs;
#elif defined(DUAL_MULTIPLY)
    const uint32_t less = (uint16_t)-zero * (uint32_t)0x10001;
    for (; count >= 4; count -= 4) {
        uint32_t two, other;
        spread_@S@(x, less, &two, &other);
        a = dual_@S@(two, other, first, a);
        b = dual_@S@(two, other, second, b);
        x += 4;
        first += 4;
        second += 4;
    }
#elif defined(__arm__)
    for (; count >= 2; count -= 2) {
        const int32_t one = (int16_t)(x[0] - zero), other = (int16_t)(x[1] - zero);
        a += one * (int32_t)first[0];
        b += one * (int32_t)second[0];
        a += other * (int32_t)first[1];
        b += other * (int32_t)second[1];
        x += 2;
        first += 2;
        second += 2;
    }
#endif
    for (; count > 0; count--) {
        const int16_t level = (int16_t)(*x++ - zero);
        a += (int32_t)level * (int32_t)WEIGHT_@S@(first);
        b += (int32_t)level * (int32_t)WEIGHT_@S@(second);
        first++;
        second++;
    }
    sums->a = a;
    sums->b = b;
}
