/* needs lane_sums eight_@S@ window */
/* Adds the products of one integer. */
static inline void add_lanes_@S@(struct lane_sums *sums, int16_t level, const @W@ *taps)
{
#if defined(VECTORS)
    add_products(sums, _mm_set1_epi16(level), eight_@S@(taps));
#else
    size_t lane;

    UNROLLED
    for (lane = 0; lane < TOGETHER; lane++) {
        sums->each[lane] += (int32_t)level * (int32_t)WEIGHT_@S@(taps + lane);
    }
#endif
}

/* Up to 8 channels of a convolution of few channels; weights are [kernel height, kernel width, channels, 8]. */
static void conv_lanes_@S@(const uint8_t *in, uint8_t *out, const struct window *of, int16_t zero,
                           const @W@ *weights, const struct lane_gains *gains, size_t lanes,
                           const struct scaling *to)
{
    const size_t width = of->width, channels = of->channels;
    const uint8_t whole_rows = of->dilation_x == 1;
    size_t row, column, y, x, i, first;

    for (row = 0; row < of->rows; row++) {
        const struct span ys =
            span_of(row, of->stride_y, of->top, of->dilation_y, of->kernel_height, of->height);
        for (column = 0; column < of->columns; column++) {
            const struct span xs =
                span_of(column, of->stride_x, of->left, of->dilation_x, of->kernel_width, of->width);
            const size_t runs = whole_rows ? 1 : xs.to - xs.from;
            const size_t run = whole_rows ? (xs.to - xs.from) * channels : channels;

            for (first = 0; first < lanes; first += TOGETHER) {
                const size_t some = lanes - first < TOGETHER ? lanes - first : TOGETHER;
                struct lane_sums sums;
                int32_t values[TOGETHER];

                memset(&sums, 0, sizeof sums);
                for (y = ys.from; y < ys.to; y++) {
                    const size_t line = (ys.at + (y - ys.from) * of->dilation_y) * width + xs.at;
                    for (x = 0; x < runs; x++) {
                        const uint8_t *pixel = in + (line + x * of->dilation_x) * channels;
                        const @W@ *taps = weights + (y * of->kernel_width + xs.from + x) * channels * LANES + first;
                        i = 0;
#if defined(VECTORS) && VECTORS == 16
                        for (; i + 1 < run; i += 2) {
                            const int32_t both = (int32_t)(((uint32_t)(pixel[i + 1] - zero) << 16) |
                                                           ((uint32_t)(pixel[i] - zero) & 0xFFFF));
                            const __m256i two = side_by_side(eight_@S@(taps), eight_@S@(taps + LANES));
                            sums.each = _mm256_add_epi32(sums.each, _mm256_madd_epi16(_mm256_set1_epi32(both), two));
                            taps += 2 * LANES;
                        }
#endif
                        for (; i < run; i++) {
                            add_lanes_@S@(&sums, (int16_t)(pixel[i] - zero), taps);
                            taps += LANES;
                        }
                    }
                }
                lane_values(&sums, values);
                if (some == TOGETHER) {
                    store_lanes(values, out + first, gains, first, TOGETHER, to);
                } else {
                    store_lanes(values, out + first, gains, first, some, to);
                }
            }
            out += of->results;
        }
    }
}
