/* Rows become columns, in place: each cycle of places is followed from its least. */
static void transpose(uint8_t *values, size_t rows, size_t columns)
{
    const size_t count = rows * columns;
    size_t first, at;

    for (first = 1; first + 1 < count; first++) {
        uint8_t moved;

        at = first;
        do {
            at = at % rows * columns + at / rows; /* what belongs to `at` lies there */
        } while (at > first);
        if (at < first) {
            continue;
        }
        moved = values[first];
        for (;;) {
            const size_t from = at % rows * columns + at / rows;
            if (from == first) {
                break;
            }
            values[at] = values[from];
            at = from;
        }
        values[at] = moved;
    }
}
