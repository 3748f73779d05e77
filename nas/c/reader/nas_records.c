#include "nas_records.h"

int nas_is_finite(float value)
{
    return value - value == 0.0f;
}

void nas_read_type(struct nas_cursor *cursor, struct nas_tensor *tensor)
{
    const uint32_t at = nas_take(cursor, 6);

    tensor->scale = nas_float(cursor->data + at);
    tensor->zero = cursor->data[at + 4];
    tensor->bits = cursor->data[at + 5];
    nas_require(cursor, nas_is_finite(tensor->scale) && tensor->scale > 0.0f, NAS_INVALID);
    nas_require(cursor, tensor->bits >= 1 && tensor->bits <= 8, NAS_INVALID);
    if (cursor->status == NAS_OK) {
        nas_require(cursor, tensor->zero >> tensor->bits == 0, NAS_INVALID);
    }
}

void nas_read_numbers(struct nas_cursor *cursor, struct nas_numbers *numbers, uint32_t count, unsigned width)
{
    numbers->count = count;
    numbers->width = (uint8_t)width;
    numbers->at = nas_packed(cursor, count, width);
}

void nas_read_scaling(struct nas_cursor *cursor, struct nas_operation *operation)
{
    operation->shift = nas_byte(cursor);
    operation->low = nas_byte(cursor);
    operation->high = nas_byte(cursor);
    nas_require(cursor, operation->shift >= 8 && operation->shift <= 47, NAS_INVALID);
    nas_require(cursor, operation->low <= operation->high, NAS_INVALID);
    if (cursor->status == NAS_OK) {
        nas_require(cursor, operation->high >> operation->result.bits == 0, NAS_INVALID);
    }
}

static void read_scaled(struct nas_cursor *cursor, struct nas_operation *operation, uint32_t multipliers)
{
    nas_read_type(cursor, &operation->result);
    nas_read_scaling(cursor, operation);
    nas_read_numbers(cursor, &operation->multipliers, multipliers, 16);
}

void nas_read_pairs(struct nas_cursor *cursor, struct nas_operation *operation, unsigned count)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        nas_pair(cursor, operation->pairs[i]);
    }
}

static void read_gather(struct nas_cursor *cursor, struct nas_operation *gather, uint32_t channels)
{
    const uint32_t count = nas_varint(cursor);
    struct nas_bits indices;
    unsigned width;
    uint32_t i;

    for (width = 1; (channels - 1) >> width; width++) {
    }
    nas_read_numbers(cursor, &gather->numbers, count, width);
    nas_require(cursor, count > 0, NAS_INVALID);
    indices = nas_bits_at(cursor->data + gather->numbers.at);
    for (i = 0; i < count && cursor->status == NAS_OK; i++) {
        nas_require(cursor, nas_next(&indices, width) < channels, NAS_INVALID);
    }
}

static void read_lut(struct nas_cursor *cursor, struct nas_operation *lut, const struct nas_tensor *source)
{
    const uint32_t count = (UINT32_C(1) << source->bits) - 1;
    struct nas_bits differences;
    unsigned width, entry;
    uint32_t i;

    nas_read_type(cursor, &lut->result);
    width = nas_byte(cursor);
    nas_require(cursor, width <= 8, NAS_INVALID);
    entry = lut->numbers.first = nas_byte(cursor);
    if (cursor->status != NAS_OK) {
        return;
    }
    nas_read_numbers(cursor, &lut->numbers, count, width);
    lut->numbers.count = count + 1;
    differences = nas_bits_at(cursor->data + lut->numbers.at);
    nas_require(cursor, entry >> lut->result.bits == 0, NAS_INVALID);
    for (i = 0; i < count && cursor->status == NAS_OK; i++) {
        entry = (entry + (unsigned)nas_next_signed(&differences, width)) & 255;
        nas_require(cursor, entry >> lut->result.bits == 0, NAS_INVALID);
    }
}

static void read_prelu(struct nas_cursor *cursor, struct nas_operation *prelu, uint32_t channels)
{
    struct nas_bits slopes;
    unsigned width;
    int32_t slope;
    uint32_t i;

    nas_read_type(cursor, &prelu->result);
    nas_read_scaling(cursor, prelu);
    width = nas_byte(cursor);
    nas_require(cursor, width <= 17, NAS_INVALID);
    if (cursor->status != NAS_OK) {
        return;
    }
    nas_read_numbers(cursor, &prelu->multipliers, 1, 16);
    i = prelu->multipliers.at;
    nas_require(cursor, cursor->data[i] | cursor->data[i + 1], NAS_INVALID);
    nas_read_numbers(cursor, &prelu->numbers, channels, width);
    slopes = nas_bits_at(cursor->data + prelu->numbers.at);
    /* Slopes of no bits are 0, and may be many. */
    for (i = 0; width > 0 && i < channels && cursor->status == NAS_OK; i++) {
        slope = nas_next_signed(&slopes, width);
        nas_require(cursor, slope >= -INT32_C(65535) && slope <= INT32_C(65535), NAS_INVALID);
    }
}

void nas_read_fields(struct nas_cursor *cursor, struct nas_file *file, uint32_t index, const struct nas_tensor *source)
{
    struct nas_operation *const operation = file->operations + index;
    unsigned i;

    /* Kinds without a type keep that of their source. */
    operation->result = *source;
    switch (operation->kind) {
    case NAS_CONV:
    case NAS_LINEAR:
        nas_read_layer(cursor, file, index, source->shape[0]);
        break;
    case NAS_ADD:
    case NAS_CONCAT:
        read_scaled(cursor, operation, operation->sources);
        break;
    case NAS_MUL:
        read_scaled(cursor, operation, 1);
        break;
    case NAS_MAX_POOL:
        nas_read_pairs(cursor, operation, 3);
        break;
    case NAS_AVG_POOL:
        nas_read_pairs(cursor, operation, 3);
        read_scaled(cursor, operation, 1);
        break;
    case NAS_GATHER:
        read_gather(cursor, operation, source->shape[0]);
        break;
    case NAS_FLATTEN:
        break;
    case NAS_UPSAMPLE:
        operation->number = nas_varint(cursor);
        nas_require(cursor, operation->number >= 1 && operation->number <= 64, NAS_INVALID);
        break;
    case NAS_LUT:
        read_lut(cursor, operation, source);
        break;
    case NAS_PRELU:
        read_prelu(cursor, operation, source->shape[0]);
        break;
    case NAS_EDGE_MAX_POOL:
        nas_read_pairs(cursor, operation, 4);
        break;
    case NAS_EDGE_AVG_POOL: {
        uint32_t count;
        nas_read_pairs(cursor, operation, 4);
        count = nas_varint(cursor);
        read_scaled(cursor, operation, count);
        break;
    }
    case NAS_RESHAPE:
        operation->result.rank = nas_byte(cursor);
        nas_require(cursor, operation->result.rank >= 1 && operation->result.rank <= 3, NAS_INVALID);
        for (i = 0; i < 3; i++) {
            operation->result.shape[i] = i < operation->result.rank && cursor->status == NAS_OK ? nas_varint(cursor) : 1;
        }
        break;
    case NAS_SLICE:
        nas_read_pairs(cursor, operation, 3);
        break;
    default:
        nas_read_pairs(cursor, operation, 2);
    }
}
