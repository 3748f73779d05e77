/* needs lanes window */
/* Up to 8 channels of a depthwise convolution; weights are [kernel height, kernel width, 8]. */
static void depth_lanes_@S@(const uint8_t *in, uint8_t *out, const struct window *of, int16_t zero,
                            const @W@ *weights, const struct gain gains[LANES], size_t lanes,
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
                int32_t sums[TOGETHER] = {0};

                for (y = ys.from; y < ys.to; y++) {
                    const size_t line = (ys.at + (y - ys.from) * of->dilation_y) * width + xs.at;
                    const uint8_t *pixel = in + line * channels + first;
                    const @W@ *taps = weights + (y * of->kernel_width + xs.from) * LANES + first;
                    if (some == TOGETHER) {
                        for (x = xs.from; x < xs.to; x++) {
                            UNROLLED
                            for (lane = 0; lane < TOGETHER; lane++) {
                                sums[lane] += (int32_t)(int16_t)(pixel[lane] - zero) * (int32_t)taps[lane];
                            }
                            pixel += of->dilation_x * channels;
                            taps += LANES;
                        }
                    } else {
                        for (x = xs.from; x < xs.to; x++) {
                            for (lane = 0; lane < some; lane++) {
                                sums[lane] += (int32_t)(int16_t)(pixel[lane] - zero) * (int32_t)taps[lane];
                            }
                            pixel += of->dilation_x * channels;
                            taps += LANES;
                        }
                    }
                }
                for (lane = 0; lane < some; lane++) {
                    out[first + lane] = scaled(sums[lane], &gains[first + lane], to);
                }
            }
            out += of->results;
        }
    }
}
