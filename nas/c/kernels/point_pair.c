/* needs gains dot_pair_@S@ */
/* One or two channels of a convolution of single pixels, all of them. */
static void point_pair_@S@(const uint8_t *in, uint8_t *out, size_t pixels, size_t channels, size_t results,
                           int16_t zero, const @W@ *first, const @W@ *second, const struct gain gains[2],
                           uint8_t two, const struct scaling *to)
{
    for (; pixels > 0; pixels--) {
        int32_t sums[2] = {0, 0};

        dot_pair_@S@(in, first, second, channels, zero, sums);
        out[0] = scaled(sums[0], &gains[0], to);
        if (two) {
            out[1] = scaled(sums[1], &gains[1], to);
        }
        in += channels;
        out += results;
    }
}
