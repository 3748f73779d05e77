/* needs weights gains dot_16 */
/* A matrix product whose weights are unpacked piece by piece. */
static void linear_16(const uint8_t *in, uint8_t *out, size_t count, size_t results, int16_t zero,
                      struct weights *weights, int16_t *unpacked, size_t piece, const struct scaling *to)
{
    size_t channel, at;

    for (channel = 0; channel < results; channel++) {
        const struct gain gain = gain_of(to, channel);
        int32_t sum = 0;

        for (at = 0; at < count; at += piece) {
            const size_t some = count - at < piece ? count - at : piece;
            unpack(weights, channel, unpacked, some, 1);
            sum += dot_16(in + at, unpacked, some, zero);
        }
        out[channel] = scaled(sum, &gain, to);
    }
}
