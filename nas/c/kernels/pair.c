/* needs gains vectors */
/* The sums of two channels. Vectors are added up once for each pixel, not for each row of a window. */
struct pair {
    int32_t a, b;
#if defined(VECTORS)
    vector as, bs;
#endif
};

static inline struct pair no_sums(void)
{
    struct pair sums;

    sums.a = 0;
    sums.b = 0;
#if defined(VECTORS)
    sums.as = zeros();
    sums.bs = zeros();
#endif
    return sums;
}

/* The integers of one channel, or of two. */
static inline void store_pair(struct pair sums, uint8_t *out, const struct gain gains[2], uint8_t two,
                              const struct scaling *to)
{
#if defined(VECTORS)
    sums.a += added_up(sums.as);
    sums.b += added_up(sums.bs);
#endif
    out[0] = scaled(sums.a, &gains[0], to);
    if (two) {
        out[1] = scaled(sums.b, &gains[1], to);
    }
}
