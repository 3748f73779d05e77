/* needs point_pair_8 */
/* A convolution of single pixels whose weights are read where they lie. */
static void point_8(const uint8_t *in, uint8_t *out, size_t pixels, size_t channels, size_t results, int16_t zero,
                    const int8_t *weights, const struct scaling *to)
{
    size_t channel;

    for (channel = 0; channel < results; channel += 2) {
        const uint8_t two = channel + 1 < results;
        struct gain gains[2];

        gains[0] = gain_of(to, channel);
        gains[1] = gain_of(to, channel + two);
        point_pair_8(in, out + channel, pixels, channels, results, zero, weights, weights + (two ? channels : 0),
                     gains, two, to);
        weights += 2 * channels;
    }
}
