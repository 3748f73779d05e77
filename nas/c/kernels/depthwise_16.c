/* needs weights depth_lanes_16 */
/* A depthwise convolution whose weights are unpacked eight channels at a time. */
static void depthwise_16(const uint8_t *in, uint8_t *out, const struct window *of, int16_t zero, struct weights *weights,
                         int16_t *unpacked, const struct scaling *to)
{
    const size_t size = (size_t)of->kernel_height * of->kernel_width;
    size_t channel, lane;

    for (channel = 0; channel < of->results; channel += LANES) {
        const size_t lanes = of->results - channel < LANES ? of->results - channel : LANES;
        struct lane_gains gains = {{0}, {0}};

        memset(unpacked, 0, size * LANES * sizeof *unpacked);
        for (lane = 0; lane < lanes; lane++) {
            set_lane(&gains, lane, to, channel + lane);
            unpack(weights, channel + lane, unpacked + lane, size, LANES);
        }
        depth_lanes_16(in + channel, out + channel, of, zero, unpacked, &gains, lanes, to);
    }
}
