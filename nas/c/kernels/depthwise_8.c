/* needs depth_lanes_8 */
/* A depthwise convolution whose weights are read where they lie. */
static void depthwise_8(const uint8_t *in, uint8_t *out, const struct window *of, int16_t zero, const int8_t *weights,
                        const struct scaling *to)
{
    const size_t size = (size_t)of->kernel_height * of->kernel_width;
    size_t channel, lane;

    for (channel = 0; channel < of->results; channel += LANES) {
        const size_t lanes = of->results - channel < LANES ? of->results - channel : LANES;
        struct lane_gains gains = {{0}, {0}};

        for (lane = 0; lane < lanes; lane++) {
            set_lane(&gains, lane, to, channel + lane);
        }
        depth_lanes_8(in + channel, out + channel, of, zero, weights, &gains, lanes, to);
        weights += size * LANES;
    }
}
