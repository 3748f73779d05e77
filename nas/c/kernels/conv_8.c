/* needs conv_pair_8 */
/* A convolution whose weights are read where they lie. */
static void conv_8(const uint8_t *in, uint8_t *out, const struct window *of, size_t groups, int16_t zero,
                   const int8_t *weights, const struct scaling *to)
{
    const size_t each = of->channels / groups, results = of->results / groups;
    const size_t size = each * of->kernel_height * of->kernel_width;
    size_t channel, group = 0;

    for (channel = 0; channel < of->results;) {
        const uint8_t two = channel + 1 < (group + 1) * results;
        struct gain gains[2];

        gains[0] = gain_of(to, channel);
        gains[1] = gain_of(to, channel + two);
        conv_pair_8(in + group * each, out + channel, of, each, zero, weights, weights + (two ? size : 0), gains,
                    two, to);
        weights += two ? 2 * size : size;
        channel += (size_t)1 + two;
        group += channel == (group + 1) * results;
    }
}
