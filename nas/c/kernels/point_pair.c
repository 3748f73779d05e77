/* needs dot_pair_@S@ */
/* One or two channels of a convolution of single pixels, all of them. */
static void point_pair_@S@(const uint8_t *in, uint8_t *out, size_t pixels, size_t channels, size_t results,
                           int16_t zero, const @W@ *first, const @W@ *second, const struct gain gains[2],
                           uint8_t two, const struct scaling *to)
{
    for (; pixels > 0; pixels--) {
        struct pair sums = no_sums();

        dot_pair_@S@(in, first, second, channels, zero, &sums);
        store_pair(sums, out, gains, two, to);
        in += channels;
        out += results;
    }
}
