/* The channels with these indices, of each pixel. */
static void gather_@S@(const uint8_t *in, uint8_t *out, size_t pixels, size_t channels, const @U@ *indices, size_t count)
{
    size_t i;

    for (; pixels > 0; pixels--) {
        for (i = 0; i < count; i++) {
            out[i] = in[READ_@S@(indices + i)];
        }
        in += channels;
        out += count;
    }
}
