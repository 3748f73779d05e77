/* Windows over an image that is stored channel by channel within each pixel. */
struct window {
    uint16_t height, width, channels;                /* of the source */
    uint16_t rows, columns, results;                 /* of the result */
    uint16_t kernel_height, kernel_width;
    uint16_t stride_y, stride_x, top, left;
    uint16_t dilation_y, dilation_x;
};

/* The taps of a window inside the image, and the row or column of the first. */
struct span {
    size_t from, to, at;
};

static inline struct span span_of(size_t index, size_t stride, size_t padding, size_t dilation, size_t kernel,
                                  size_t size)
{
    const size_t start = index * stride;
    struct span found = {0, kernel, 0};

    if (start < padding) {
        found.from = (padding - start + dilation - 1) / dilation;
        found.at = start + found.from * dilation - padding;
    } else {
        found.at = start - padding;
    }
    if (found.at >= size || found.from >= kernel) {
        found.to = found.from;
    } else if (found.at + (kernel - 1 - found.from) * dilation >= size) {
        found.to = found.from + (size - 1 - found.at) / dilation + 1;
    }
    return found;
}
