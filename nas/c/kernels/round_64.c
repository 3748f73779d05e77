/* The integer of a sum of 64 bits to which a half and the zero point were added. */
static inline uint8_t round_64(int64_t sum, uint8_t shift, uint8_t low, uint8_t high)
{
    const int64_t level = (sum < 0 ? 0 : sum) >> shift;

    return (uint8_t)(level < low ? low : level > high ? high : level);
}
