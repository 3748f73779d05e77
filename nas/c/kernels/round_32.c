/* The integer of a sum of 32 bits to which a half and the zero point were added. */
static inline uint8_t round_32(int32_t sum, uint8_t shift, uint8_t low, uint8_t high)
{
    const int32_t level = (sum < 0 ? 0 : sum) >> shift;

    return (uint8_t)(level < low ? low : level > high ? high : level);
}
