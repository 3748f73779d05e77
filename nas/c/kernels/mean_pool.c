/* needs window round_64 */
/* The mean of each window: its sum times the multiplier of its number of pixels, or the only one. */
struct mean {
    const uint32_t *pixels;
    const uint16_t *multipliers;
    int64_t half;
    uint8_t shift, low, high;
};

static void mean_pool(const uint8_t *in, uint8_t *out, const struct window *of, int16_t zero, const struct mean *by)
{
    const size_t width = of->width, channels = of->channels;
    size_t row, column, y, x, i, lane;

    for (row = 0; row < of->rows; row++) {
        const struct span ys = span_of(row, of->stride_y, of->top, 1, of->kernel_height, of->height);
        for (column = 0; column < of->columns; column++) {
            const struct span xs = span_of(column, of->stride_x, of->left, 1, of->kernel_width, of->width);
            const uint32_t pixels = (uint32_t)(ys.to - ys.from) * (uint32_t)(xs.to - xs.from);
            int32_t multiplier;
            size_t entry = 0;

            while (by->pixels && READ_32(by->pixels + entry) != pixels) {
                entry++;
            }
            multiplier = (int32_t)READ_16(by->multipliers + entry);
            for (i = 0; i < channels; i += 8) {
                const size_t lanes = channels - i < 8 ? channels - i : 8;
                int32_t sums[8] = {0};

                for (y = 0; y < ys.to - ys.from; y++) {
                    const uint8_t *pixel = in + ((ys.at + y) * width + xs.at) * channels + i;
                    for (x = 0; x < xs.to - xs.from; x++) {
                        for (lane = 0; lane < lanes; lane++) {
                            sums[lane] += (int16_t)(pixel[lane] - zero);
                        }
                        pixel += channels;
                    }
                }
                for (lane = 0; lane < lanes; lane++) {
                    out[i + lane] = round_64((int64_t)sums[lane] * multiplier + by->half, by->shift, by->low, by->high);
                }
            }
            out += channels;
        }
    }
}
