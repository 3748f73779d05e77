#include "nas_shapes.h"

#define MOST_ELEMENTS (UINT32_C(1) << 26)
#define MOST_WINDOW UINT16_MAX

static uint64_t elements(const struct nas_tensor *tensor)
{
    uint64_t size = 1;
    unsigned i;

    for (i = 0; i < tensor->rank; i++) {
        size = nas_times(size, tensor->shape[i]);
    }
    return size;
}

uint32_t nas_elements(const struct nas_tensor *tensor)
{
    return (uint32_t)elements(tensor);
}

static int same_shape(const struct nas_tensor *one, const struct nas_tensor *other, unsigned from)
{
    unsigned i;

    if (one->rank != other->rank) {
        return 0;
    }
    for (i = from; i < one->rank; i++) {
        if (one->shape[i] != other->shape[i]) {
            return 0;
        }
    }
    return 1;
}

/* How many windows there are in a direction; 0 if one does not fit, or could lie in the padding alone. */
static uint64_t windows(const struct nas_operation *operation, unsigned direction, uint64_t size)
{
    const int layer = operation->kind == NAS_CONV;
    const int edge = operation->kind == NAS_EDGE_MAX_POOL || operation->kind == NAS_EDGE_AVG_POOL;
    const uint64_t kernel = operation->pairs[NAS_KERNEL][direction], stride = operation->pairs[NAS_STRIDE][direction];
    const uint64_t padding = operation->pairs[NAS_PADDING][direction];
    const uint64_t dilation = layer ? operation->pairs[NAS_DILATION][direction] : 1;
    const uint64_t end = padding + (edge ? operation->pairs[NAS_EXTRA][direction] : 0);
    uint64_t span;

    if (kernel == 0 || stride == 0 || dilation == 0 || kernel > MOST_WINDOW || stride > MOST_WINDOW || end > MOST_WINDOW || dilation > MOST_WINDOW) {
        return 0;
    }
    span = dilation * (kernel - 1) + 1;
    if (end >= span || size + padding + end < span) {
        return 0;
    }
    return (size + padding + end - span) / stride + 1;
}

/* The shape of an image under windows, and whether it can be padded. */
static void under_windows(struct nas_cursor *cursor, const struct nas_operation *operation, const struct nas_tensor *source, uint64_t shape[3])
{
    const int edge = operation->kind == NAS_EDGE_MAX_POOL || operation->kind == NAS_EDGE_AVG_POOL;
    uint64_t padded = source->shape[0];
    unsigned i;

    nas_require(cursor, source->rank == 3, NAS_INVALID);
    for (i = 0; i < 2; i++) {
        const uint64_t padding = 2 * (uint64_t)operation->pairs[NAS_PADDING][i] + (edge ? operation->pairs[NAS_EXTRA][i] : 0);
        padded = nas_times(padded, source->shape[1 + i] + padding);
        shape[1 + i] = windows(operation, i, source->shape[1 + i]);
    }
    nas_require(cursor, shape[1] > 0 && shape[2] > 0, NAS_INVALID);
    nas_require(cursor, padded <= MOST_ELEMENTS, NAS_TOO_LARGE);
}

/* The different numbers of pixels in one direction, in any order; NAS_MOST_EDGES + 1 if they are more. */
static unsigned edges(const struct nas_operation *operation, unsigned direction, uint32_t size, uint32_t found[NAS_MOST_EDGES])
{
    const int64_t kernel = operation->pairs[NAS_KERNEL][direction], stride = operation->pairs[NAS_STRIDE][direction];
    const int64_t padding = operation->pairs[NAS_PADDING][direction];
    const int64_t count = (int64_t)windows(operation, direction, size);
    int64_t i, begin, end;
    unsigned known = 0, j;

    for (i = 0; i < count; i++) {
        begin = i * stride - padding;
        end = begin + kernel;
        if (begin >= 0 && end < size) {
            /* This one and those after it are whole, up to the first that reaches the end. */
            i += (size - end - 1) / stride;
            end = begin + kernel;
        }
        end = (end < size ? end : size) - (begin > 0 ? begin : 0);
        for (j = 0; j < known && found[j] != (uint32_t)end; j++) {
        }
        if (j == known) {
            if (known == NAS_MOST_EDGES) {
                return NAS_MOST_EDGES + 1;
            }
            found[known++] = (uint32_t)end;
        }
    }
    return known;
}

uint32_t nas_edges(const struct nas_operation *operation, const struct nas_tensor *source, uint64_t limit)
{
    uint32_t sides[2][NAS_MOST_EDGES], found = 0;
    const unsigned rows = edges(operation, 0, source->shape[1], sides[0]);
    const unsigned columns = edges(operation, 1, source->shape[2], sides[1]);
    unsigned i, j, k, m;

    if (rows > NAS_MOST_EDGES || columns > NAS_MOST_EDGES) {
        return UINT32_MAX;
    }
    for (i = 0; i < rows; i++) {
        for (j = 0; j < columns; j++) {
            const uint64_t pixels = (uint64_t)sides[0][i] * sides[1][j];
            /* Counted the last time that it occurs. */
            int last = pixels < limit;
            for (k = i + 1; last && k < rows; k++) {
                for (m = 0; last && m < columns; m++) {
                    last = (uint64_t)sides[0][k] * sides[1][m] != pixels;
                }
            }
            found += (uint32_t)last;
        }
    }
    return found;
}

static void moved(struct nas_cursor *cursor, const struct nas_operation *operation, const struct nas_tensor *source, uint64_t shape[3])
{
    unsigned i;

    nas_require(cursor, source->rank == 3, NAS_INVALID);
    for (i = 0; i < 2; i++) {
        const uint64_t size = source->shape[1 + i], first = operation->pairs[0][i], second = operation->pairs[1][i];
        switch (operation->kind) {
        case NAS_UPSAMPLE:
            shape[1 + i] = size * operation->number;
            break;
        case NAS_PAD:
            nas_require(cursor, operation->pairs[i][0] <= MOST_WINDOW && operation->pairs[i][1] <= MOST_WINDOW, NAS_INVALID);
            shape[1 + i] = size + operation->pairs[i][0] + operation->pairs[i][1];
            break;
        case NAS_SPREAD:
            nas_require(cursor, first >= 1 && first <= MOST_WINDOW && second <= MOST_WINDOW, NAS_INVALID);
            shape[1 + i] = (size - 1) * first + 1 + second;
            break;
        default:
            shape[1 + i] = operation->pairs[NAS_COUNTS][i];
            nas_require(cursor, second >= 1 && shape[1 + i] >= 1, NAS_INVALID);
            nas_require(cursor, first + nas_times(shape[1 + i] - 1, second) < size, NAS_INVALID);
        }
    }
}

static void joined(struct nas_cursor *cursor, const struct nas_file *file, uint32_t index, uint64_t shape[3])
{
    const struct nas_operation *const operation = file->operations + index;
    const struct nas_tensor *const first = nas_tensor_at(file, nas_source(file, index, 0)), *other;
    uint32_t i;

    for (i = 1; i < operation->sources; i++) {
        other = nas_tensor_at(file, nas_source(file, index, i));
        if (operation->kind == NAS_CONCAT) {
            nas_require(cursor, same_shape(first, other, 1), NAS_INVALID);
            shape[0] += other->shape[0];
        } else if (operation->kind == NAS_ADD || !same_shape(first, other, 0)) {
            const int gate = first->rank == other->rank && first->shape[0] == other->shape[0] &&
                             (first->rank < 2 || other->shape[1] == 1) && (first->rank < 3 || other->shape[2] == 1);
            nas_require(cursor, same_shape(first, other, 0) || (operation->kind == NAS_MUL && gate), NAS_INVALID);
        }
    }
}

static int fits_layer(const struct nas_operation *layer, const struct nas_tensor *source)
{
    if (layer->kind == NAS_LINEAR) {
        return source->rank == 1;
    }
    return source->rank == 3 && layer->weights[0] % layer->number == 0;
}

void nas_shape(struct nas_cursor *cursor, const struct nas_file *file, uint32_t index)
{
    struct nas_operation *const operation = file->operations + index;
    const struct nas_tensor *const source = nas_tensor_at(file, nas_source(file, index, 0));
    uint64_t shape[3], size;
    unsigned i;

    for (i = 0; i < 3; i++) {
        shape[i] = i < source->rank ? source->shape[i] : 1;
    }
    if (operation->kind != NAS_RESHAPE) {
        operation->result.rank = source->rank;
    }
    switch (operation->kind) {
    case NAS_CONV:
    case NAS_LINEAR:
        nas_require(cursor, fits_layer(operation, source), NAS_INVALID);
        shape[0] = operation->weights[0];
        if (operation->kind == NAS_CONV) {
            under_windows(cursor, operation, source, shape);
        }
        break;
    case NAS_MAX_POOL:
    case NAS_AVG_POOL:
    case NAS_EDGE_MAX_POOL:
    case NAS_EDGE_AVG_POOL:
        under_windows(cursor, operation, source, shape);
        if (operation->kind == NAS_EDGE_AVG_POOL && cursor->status == NAS_OK) {
            const uint32_t known = nas_edges(operation, source, UINT64_MAX);
            nas_require(cursor, known != UINT32_MAX, NAS_TOO_LARGE);
            nas_require(cursor, known == operation->multipliers.count, NAS_INVALID);
        }
        break;
    case NAS_ADD:
    case NAS_MUL:
    case NAS_CONCAT:
        joined(cursor, file, index, shape);
        break;
    case NAS_GATHER:
        shape[0] = operation->numbers.count;
        break;
    case NAS_FLATTEN:
        shape[0] = elements(source);
        operation->result.rank = 1;
        break;
    case NAS_RESHAPE:
        for (i = 0; i < 3; i++) {
            shape[i] = operation->result.shape[i];
        }
        nas_require(cursor, elements(&operation->result) == elements(source), NAS_INVALID);
        break;
    case NAS_LUT:
    case NAS_PRELU:
        break;
    default:
        moved(cursor, operation, source, shape);
    }
    for (size = 1, i = 0; i < operation->result.rank; i++) {
        size = nas_times(size, shape[i]);
    }
    nas_require(cursor, size >= 1 && size <= MOST_ELEMENTS, NAS_TOO_LARGE);
    for (i = 0; i < 3; i++) {
        operation->result.shape[i] = i < operation->result.rank ? (uint32_t)shape[i] : 1;
    }
}
