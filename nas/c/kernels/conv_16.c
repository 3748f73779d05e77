/* needs weights conv_pair_16 */
/* A convolution whose weights are unpacked two channels at a time. */
static void conv_16(const uint8_t *in, uint8_t *out, const struct window *of, size_t groups, int16_t zero,
                    struct weights *weights, int16_t *unpacked, const struct scaling *to)
{
    const size_t each = of->channels / groups, results = of->results / groups;
    const size_t size = each * of->kernel_height * of->kernel_width;
    size_t channel, group = 0;

    for (channel = 0; channel < of->results;) {
        const uint8_t two = channel + 1 < (group + 1) * results;
        struct gain gains[2];

        gains[0] = gain_of(to, channel);
        gains[1] = gain_of(to, channel + two);
        unpack(weights, channel, unpacked, size, 1);
        if (two) {
            unpack(weights, channel + 1, unpacked + size, size, 1);
        }
        conv_pair_16(in + group * each, out + channel, of, each, zero, unpacked, unpacked + (two ? size : 0),
                     gains, two, to);
        channel += (size_t)1 + two;
        group += channel == (group + 1) * results;
    }
}
