/* needs lanes window */
/* Up to 8 channels of a depthwise convolution; weights are [kernel height, kernel width, 8]. */
static void depth_lanes_@S@(const uint8_t *in, uint8_t *out, const struct window *of, int16_t zero,
                            const @W@ *weights, const struct gain gains[LANES], size_t lanes,
                            const struct scaling *to)
{
    const size_t width = of->width, channels = of->channels;
    size_t row, column, y, x, lane;

    for (row = 0; row < of->rows; row++) {
        const struct span ys =
            span_of(row, of->stride_y, of->top, of->dilation_y, of->kernel_height, of->height);
        for (column = 0; column < of->columns; column++) {
            const struct span xs =
                span_of(column, of->stride_x, of->left, of->dilation_x, of->kernel_width, of->width);
            int32_t sums[LANES] = {0};

            for (y = ys.from; y < ys.to; y++) {
                const size_t line = (ys.at + (y - ys.from) * of->dilation_y) * width + xs.at;
                for (x = xs.from; x < xs.to; x++) {
                    const uint8_t *pixel = in + (line + (x - xs.from) * of->dilation_x) * channels;
                    const @W@ *taps = weights + (y * of->kernel_width + x) * LANES;
                    if (lanes == LANES) {
                        for (lane = 0; lane < LANES; lane++) {
                            sums[lane] += (int32_t)(int16_t)(pixel[lane] - zero) * (int32_t)taps[lane];
                        }
                    } else {
                        for (lane = 0; lane < lanes; lane++) {
                            sums[lane] += (int32_t)(int16_t)(pixel[lane] - zero) * (int32_t)taps[lane];
                        }
                    }
                }
            }
            for (lane = 0; lane < lanes; lane++) {
                out[lane] = scaled(sums[lane], &gains[lane], to);
            }
            out += of->results;
        }
    }
}
