/* How the sums of a layer become integers: a bias, finer than sums by so many bits, and a multiplier
   for each channel; `half` has the zero point of the result too. Limits are those before the shift. */
struct scaling {
    const int32_t *biases;
    const uint16_t *multipliers;
    int64_t half, least, most;
    uint8_t finer, shift;
};

struct gain {
    int64_t bias;
    int32_t factor;
};

static struct gain gain_of(const struct scaling *by, size_t channel)
{
    const int32_t multiplier = (int32_t)READ_16(by->multipliers + channel);
    const int32_t bias = (int32_t)READ_32(by->biases + channel);
    struct gain found;

    found.factor = multiplier * ((int32_t)1 << by->finer);
    found.bias = (int64_t)bias * multiplier + by->half;
    return found;
}

static inline uint8_t scaled(int32_t sum, const struct gain *by, const struct scaling *to)
{
    int64_t level = (int64_t)sum * by->factor + by->bias;

    level = level < to->least ? to->least : level;
    level = level > to->most ? to->most : level;
    return (uint8_t)((uint64_t)level >> to->shift);
}
