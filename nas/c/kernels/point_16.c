/* needs weights point_pair_16 */
/* A convolution of single pixels whose weights are unpacked two channels at a time. */
static void point_16(const uint8_t *in, uint8_t *out, size_t pixels, size_t channels, size_t results, int16_t zero,
                     struct weights *weights, int16_t *unpacked, const struct scaling *to)
{
    size_t channel;

    for (channel = 0; channel < results; channel += 2) {
        const uint8_t two = channel + 1 < results;
        struct gain gains[2];

        gains[0] = gain_of(to, channel);
        gains[1] = gain_of(to, channel + two);
        unpack(weights, channel, unpacked, channels, 1);
        if (two) {
            unpack(weights, channel + 1, unpacked + channels, channels, 1);
        }
        point_pair_16(in, out + channel, pixels, channels, results, zero, unpacked,
                      unpacked + (two ? channels : 0), gains, two, to);
    }
}
