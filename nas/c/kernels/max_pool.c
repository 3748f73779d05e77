/* needs window */
/* The largest integer of each window. */
static void max_pool(const uint8_t *in, uint8_t *out, const struct window *of)
{
    const size_t width = of->width, channels = of->channels;
    size_t row, column, y, x, i;

    for (row = 0; row < of->rows; row++) {
        const struct span ys = span_of(row, of->stride_y, of->top, 1, of->kernel_height, of->height);
        for (column = 0; column < of->columns; column++) {
            const struct span xs = span_of(column, of->stride_x, of->left, 1, of->kernel_width, of->width);

            memset(out, 0, channels);
            for (y = 0; y < ys.to - ys.from; y++) {
                const uint8_t *pixel = in + ((ys.at + y) * width + xs.at) * channels;
                for (x = 0; x < xs.to - xs.from; x++) {
                    for (i = 0; i < channels; i++) {
                        out[i] = pixel[i] > out[i] ? pixel[i] : out[i];
                    }
                    pixel += channels;
                }
            }
            out += channels;
        }
    }
}
