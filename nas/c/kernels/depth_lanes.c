/* needs lane_sums eight_@S@ window */
/* Adds the products of an integer for each channel. */
static inline void add_depth_@S@(struct lane_sums *sums, const uint8_t *pixel, int16_t zero, const @W@ *taps)
{
#if defined(VECTORS)
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)pixel);
    const __m128i levels = _mm_unpacklo_epi8(bytes, _mm_setzero_si128());

    add_products(sums, _mm_sub_epi16(levels, _mm_set1_epi16(zero)), eight_@S@(taps));
#else
    size_t lane;

    UNROLLED
    for (lane = 0; lane < TOGETHER; lane++) {
        sums->each[lane] += (int32_t)(int16_t)(pixel[lane] - zero) * (int32_t)WEIGHT_@S@(taps + lane);
    }
#endif
}

/* Up to 8 channels of a depthwise convolution; weights are [kernel height, kernel width, 8]. */
static void depth_lanes_@S@(const uint8_t *in, uint8_t *out, const struct window *of, int16_t zero,
                            const @W@ *weights, const struct lane_gains *gains, size_t lanes,
                            const struct scaling *to)
{
    const size_t width = of->width, channels = of->channels;
    size_t row, column, y, x, lane, first;

    for (row = 0; row < of->rows; row++) {
        const struct span ys =
            span_of(row, of->stride_y, of->top, of->dilation_y, of->kernel_height, of->height);
        for (column = 0; column < of->columns; column++) {
            const struct span xs =
                span_of(column, of->stride_x, of->left, of->dilation_x, of->kernel_width, of->width);

            for (first = 0; first < lanes; first += TOGETHER) {
                const size_t some = lanes - first < TOGETHER ? lanes - first : TOGETHER;
                struct lane_sums sums;
                int32_t values[TOGETHER] = {0};

                memset(&sums, 0, sizeof sums);
                for (y = ys.from; y < ys.to; y++) {
                    const size_t line = (ys.at + (y - ys.from) * of->dilation_y) * width + xs.at;
                    const uint8_t *pixel = in + line * channels + first;
                    const @W@ *taps = weights + (y * of->kernel_width + xs.from) * LANES + first;
                    if (some == TOGETHER) {
                        x = xs.from;
#if defined(VECTORS) && VECTORS == 16
                        for (; x + 1 < xs.to; x += 2) {
                            const __m128i less = _mm_set1_epi16(zero);
                            const __m128i one = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)pixel));
                            const uint8_t *next = pixel + of->dilation_x * channels;
                            const __m128i two = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)next));
                            const __m256i levels = side_by_side(_mm_sub_epi16(one, less), _mm_sub_epi16(two, less));
                            const __m256i both = side_by_side(eight_@S@(taps), eight_@S@(taps + LANES));
                            sums.each = _mm256_add_epi32(sums.each, _mm256_madd_epi16(levels, both));
                            pixel = next + of->dilation_x * channels;
                            taps += 2 * LANES;
                        }
#endif
                        for (; x < xs.to; x++) {
                            add_depth_@S@(&sums, pixel, zero, taps);
                            pixel += of->dilation_x * channels;
                            taps += LANES;
                        }
                    } else {
                        for (x = xs.from; x < xs.to; x++) {
                            for (lane = 0; lane < some; lane++) {
                                values[lane] += (int32_t)(int16_t)(pixel[lane] - zero) * (int32_t)WEIGHT_@S@(taps + lane);
                            }
                            pixel += of->dilation_x * channels;
                            taps += LANES;
                        }
                    }
                }
                if (some == TOGETHER) {
                    lane_values(&sums, values);
                    store_lanes(values, out + first, gains, first, TOGETHER, to);
                } else {
                    store_lanes(values, out + first, gains, first, some, to);
                }
            }
            out += of->results;
        }
    }
}
