/* needs dot_pair_@S@ dot_four_@S@ */
/* One or two channels of a convolution of single pixels, all of them. */
static void point_pair_@S@(const uint8_t *in, uint8_t *out, size_t pixels, size_t channels, size_t results,
                           int16_t zero, const @W@ *first, const @W@ *second, const struct gain gains[2],
                           uint8_t two, const struct scaling *to)
{
#if defined(FOUR_AT_ONCE)
    if (two) {
        const struct four_gains by = gains_of_pair(gains);
        for (; pixels > 1; pixels -= 2) {
            struct four sums = {zeros(), zeros(), zeros(), zeros()};

            dot_four_@S@(in, in + channels, first, second, channels, zero, &sums);
            store_four(&sums, out, out + results, &by, to);
            in += 2 * channels;
            out += 2 * results;
        }
    }
#endif
    for (; pixels > 0; pixels--) {
        struct pair sums = no_sums();

        dot_pair_@S@(in, first, second, channels, zero, &sums);
        store_pair(sums, out, gains, two, to);
        in += channels;
        out += results;
    }
}
