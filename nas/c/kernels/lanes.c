/* needs gains */
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

    for (lane = 0; lane < some; lane++) {
        int64_t level = (int64_t)sums[lane] * gains->factors[first + lane] + gains->biases[first + lane];
        level = level < to->least ? to->least : level;
        level = level > to->most ? to->most : level;
        out[lane] = (uint8_t)((uint64_t)level >> to->shift);
    }
}
