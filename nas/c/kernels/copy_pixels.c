/* Pixels of so many bytes, with other steps between rows and between neighbours, in bytes, than in the
   source. */
static void copy_pixels(const uint8_t *in, uint8_t *out, size_t rows, size_t columns, size_t bytes, size_t in_row,
                        size_t in_column, size_t out_row, size_t out_column)
{
    size_t row, column;

    for (row = 0; row < rows; row++) {
        for (column = 0; column < columns; column++) {
            memcpy(out + row * out_row + column * out_column, in + row * in_row + column * in_column, bytes);
        }
    }
}
