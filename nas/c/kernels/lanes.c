/* needs scaled_four */
/* Weights of channels that are computed side by side lie so: as many as a vector of 128 bits holds
   integers of 16 bits. Processors without vectors hold half of the sums in registers. */
#define LANES 8
#if defined(__arm__) || defined(__AVR__)
#define TOGETHER 4
#else
#define TOGETHER LANES
#endif

/* Loops over sums in registers become statements; vectors need loops. */
#if defined(__arm__) && defined(__GNUC__) && !defined(__clang__)
#define UNROLLED _Pragma("GCC unroll 8")
#else
#define UNROLLED
#endif

/* How the sums of such channels become integers. */
struct lane_gains {
    int64_t biases[LANES];
    int32_t factors[LANES];
};

static void set_lane(struct lane_gains *gains, size_t lane, const struct scaling *by, size_t channel)
{
    const struct gain found = gain_of(by, channel);

    gains->biases[lane] = found.bias;
    gains->factors[lane] = found.factor;
}

/* The integers of channels `first` and on, `some` of them. */
static inline void store_lanes(const int32_t sums[TOGETHER], uint8_t *out, const struct lane_gains *gains,
                               size_t first, size_t some, const struct scaling *to)
{
    size_t lane;

#if defined(FOUR_AT_ONCE)
    if (some == LANES) {
        for (lane = 0; lane < LANES; lane += 4) {
            const __m128i four = _mm_loadu_si128((const __m128i *)(const void *)(sums + lane));
            const __m128i factors = _mm_loadu_si128((const __m128i *)(const void *)(gains->factors + lane));
            struct four_gains by;
            uint32_t levels;

            by.factors = _mm256_cvtepi32_epi64(factors);
            by.biases = _mm256_loadu_si256((const __m256i *)(const void *)(gains->biases + lane));
            levels = scaled_four(four, &by, to);
            memcpy(out + lane, &levels, sizeof levels);
        }
        return;
    }
#endif
    for (lane = 0; lane < some; lane++) {
        int64_t level = (int64_t)sums[lane] * gains->factors[first + lane] + gains->biases[first + lane];
        level = level < to->least ? to->least : level;
        level = level > to->most ? to->most : level;
        out[lane] = (uint8_t)((uint64_t)level >> to->shift);
    }
}
