/* needs gains dot_8 */
/* A matrix product whose weights are read where they lie. */
static void linear_8(const uint8_t *in, uint8_t *out, size_t count, size_t results, int16_t zero,
                     const int8_t *weights, const struct scaling *to)
{
    size_t channel;

    for (channel = 0; channel < results; channel++) {
        const struct gain gain = gain_of(to, channel);

        out[channel] = scaled(dot_8(in, weights, count, zero), &gain, to);
        weights += count;
    }
}
