/* needs dual_@S@ vector_@S@ */
/* The sum of products of integers, less their zero point, and weights. */
APART int32_t dot_@S@(const uint8_t *x, const @W@ *weights, size_t count, int16_t zero)
{
    int32_t sum = 0;

#if defined(VECTORS)
    const vector less = all_of(zero);
    vector sums = zeros();
    for (; count >= VECTORS; count -= VECTORS) {
        sums = products(sums, levels_of(x, less), weights_@S@(weights));
        x += VECTORS;
        weights += VECTORS;
    }
    sum = added_up(sums);
#elif defined(DUAL_MULTIPLY)
    const uint32_t less = (uint16_t)-zero * (uint32_t)0x10001;
    for (; count >= 4; count -= 4) {
        uint32_t two, other;
        spread_@S@(x, less, &two, &other);
        sum = dual_@S@(two, other, weights, sum);
        x += 4;
        weights += 4;
    }
#elif defined(__arm__)
    for (; count >= 4; count -= 4) {
        sum += (int32_t)(int16_t)(x[0] - zero) * (int32_t)weights[0];
        sum += (int32_t)(int16_t)(x[1] - zero) * (int32_t)weights[1];
        sum += (int32_t)(int16_t)(x[2] - zero) * (int32_t)weights[2];
        sum += (int32_t)(int16_t)(x[3] - zero) * (int32_t)weights[3];
        x += 4;
        weights += 4;
    }
#endif
    for (; count > 0; count--) {
        sum += (int32_t)(int16_t)(*x++ - zero) * (int32_t)WEIGHT_@S@(weights);
        weights++;
    }
    return sum;
}
