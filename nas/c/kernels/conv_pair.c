/* needs window dot_pair_@S@ dot_four_@S@ */
/* One or two channels of a convolution, whose input channels are the `each` from `in` on; weights of
   a channel are in the order of the image, pixel by pixel. */
static void conv_pair_@S@(const uint8_t *in, uint8_t *out, const struct window *of, size_t each, int16_t zero,
                          const @W@ *first, const @W@ *second, const struct gain gains[2], uint8_t two,
                          const struct scaling *to)
{
    const size_t width = of->width, channels = of->channels;
    const uint8_t whole_rows = of->dilation_x == 1 && each == channels;
    size_t row, column, y, x;
#if defined(FOUR_AT_ONCE)
    const struct four_gains by = gains_of_pair(gains);
    const size_t apart = (size_t)of->stride_x * channels;
#endif

    for (row = 0; row < of->rows; row++) {
        const struct span ys =
            span_of(row, of->stride_y, of->top, of->dilation_y, of->kernel_height, of->height);
        for (column = 0; column < of->columns; column++) {
            const struct span xs =
                span_of(column, of->stride_x, of->left, of->dilation_x, of->kernel_width, of->width);
            const uint8_t *line = in + (ys.at * width + xs.at) * channels;
            size_t at = (ys.from * of->kernel_width + xs.from) * each;
            struct pair sums = no_sums();

#if defined(FOUR_AT_ONCE)
            /* The next window has all of its taps inside the image too. */
            if (two && whole_rows && xs.from == 0 && xs.to == of->kernel_width && column + 1 < of->columns &&
                (size_t)xs.at + of->stride_x + of->kernel_width <= width) {
                struct four all = {zeros(), zeros(), zeros(), zeros()};

                for (y = ys.from; y < ys.to; y++) {
                    dot_four_@S@(line, line + apart, first + at, second + at, of->kernel_width * each, zero, &all);
                    line += (size_t)of->dilation_y * width * channels;
                    at += (size_t)of->kernel_width * each;
                }
                store_four(&all, out, out + of->results, &by, to);
                out += 2 * (size_t)of->results;
                column++;
                continue;
            }
#endif
            for (y = ys.from; y < ys.to; y++) {
                if (whole_rows) {
                    dot_pair_@S@(line, first + at, second + at, (xs.to - xs.from) * each, zero, &sums);
                } else {
                    for (x = 0; x < xs.to - xs.from; x++) {
                        dot_pair_@S@(line + x * of->dilation_x * channels, first + at + x * each,
                                     second + at + x * each, each, zero, &sums);
                    }
                }
                line += (size_t)of->dilation_y * width * channels;
                at += (size_t)of->kernel_width * each;
            }
            store_pair(sums, out, gains, two, to);
            out += of->results;
        }
    }
}
