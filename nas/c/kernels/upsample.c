/* Each pixel `factor` times in both directions. */
static void upsample(const uint8_t *in, uint8_t *out, size_t height, size_t width, size_t channels, size_t factor)
{
    const size_t line = width * factor * channels;
    size_t x, i;

    for (; height > 0; height--) {
        uint8_t *to = out;
        for (x = 0; x < width; x++) {
            for (i = 0; i < factor; i++) {
                memcpy(to, in, channels);
                to += channels;
            }
            in += channels;
        }
        for (i = 1; i < factor; i++) {
            memcpy(out + i * line, out, line);
        }
        out += factor * line;
    }
}
