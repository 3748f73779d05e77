/* An image of `height` rows of so many bytes, with zeros around it: `above`, then `left` and `right` of
   each row, and `below`, all in bytes. */
static void pad(const uint8_t *in, uint8_t *out, size_t height, size_t bytes, size_t above, size_t left,
                size_t right, size_t below, uint8_t zero)
{
    memset(out, zero, above);
    out += above;
    for (; height > 0; height--) {
        memset(out, zero, left);
        memcpy(out + left, in, bytes);
        memset(out + left + bytes, zero, right);
        in += bytes;
        out += left + bytes + right;
    }
    memset(out, zero, below);
}
