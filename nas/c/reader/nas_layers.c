#include "nas_records.h"
#include "nas_weights.h"

#include <string.h>

enum { AGAIN = 5 };

#define MOST_ELEMENTS (UINT32_C(1) << 26)

/* The place of the layer that is so many layers before; the operation itself if there are fewer. */
static uint32_t layer_before(const struct nas_file *file, uint32_t index, uint32_t again)
{
    uint32_t at = index;

    while (again > 0 && at > 0) {
        at--;
        again -= file->operations[at].kind <= NAS_LINEAR;
    }
    return again > 0 ? index : at;
}

static void read_again(struct nas_cursor *cursor, struct nas_file *file, uint32_t index)
{
    struct nas_operation *const layer = file->operations + index;
    const uint32_t place = layer_before(file, index, nas_varint(cursor));
    const struct nas_operation *const other = file->operations + place;

    nas_require(cursor, place != index, NAS_INVALID);
    nas_require(cursor, layer->kind == other->kind && memcmp(layer->weights, other->weights, sizeof layer->weights) == 0, NAS_INVALID);
    nas_require(cursor, layer->weight_bits == other->weight_bits && layer->affine == other->affine, NAS_INVALID);
    layer->weights_of = other->weights_of;
    layer->weights_at = other->weights_at;
    layer->encoding = other->encoding;
    layer->zero_points = other->zero_points;
}

static void read_zero_points(struct nas_cursor *cursor, struct nas_operation *layer)
{
    struct nas_bits points;
    uint32_t i;
    unsigned width;

    layer->zero_points.first = nas_byte(cursor);
    width = nas_byte(cursor);
    nas_require(cursor, width <= layer->weight_bits, NAS_INVALID);
    nas_read_numbers(cursor, &layer->zero_points, layer->weights[0], cursor->status == NAS_OK ? width : 0);
    points = nas_bits_at(cursor->data + layer->zero_points.at);
    for (i = 0; i < layer->weights[0] && cursor->status == NAS_OK; i++) {
        nas_require(cursor, (layer->zero_points.first + nas_next(&points, width)) >> layer->weight_bits == 0, NAS_INVALID);
    }
}

void nas_read_layer(struct nas_cursor *cursor, struct nas_file *file, uint32_t index, uint32_t channels)
{
    struct nas_operation *const layer = file->operations + index;
    uint8_t record, width;
    uint64_t count;

    layer->weights[0] = nas_varint(cursor);
    layer->weights[1] = channels;
    layer->weights[2] = layer->weights[3] = 1;
    if (layer->kind == NAS_CONV) {
        nas_read_pairs(cursor, layer, 4);
        layer->number = nas_varint(cursor);
        nas_require(cursor, layer->number > 0 && channels % (layer->number > 0 ? layer->number : 1) == 0, NAS_INVALID);
        if (cursor->status != NAS_OK) {
            return;
        }
        layer->weights[1] = channels / layer->number;
        layer->weights[2] = layer->pairs[NAS_KERNEL][0];
        layer->weights[3] = layer->pairs[NAS_KERNEL][1];
    }
    count = nas_times(nas_times(layer->weights[0], layer->weights[1]), nas_times(layer->weights[2], layer->weights[3]));
    nas_require(cursor, count > 0, NAS_INVALID);
    nas_require(cursor, count <= MOST_ELEMENTS, NAS_TOO_LARGE);
    nas_read_type(cursor, &layer->result);
    nas_read_scaling(cursor, layer);
    record = nas_byte(cursor);
    width = nas_byte(cursor);
    layer->weight_bits = (uint8_t)((record + 7) % 8 + 1);
    layer->affine = record % 16 < 1 || record % 16 > 8;
    layer->encoding = record / 16;
    layer->weights_of = (uint16_t)index;
    nas_require(cursor, layer->weight_bits > 1 || !layer->affine, NAS_INVALID);
    nas_require(cursor, width <= 32, NAS_INVALID);
    if (cursor->status != NAS_OK) {
        return;
    }
    nas_read_numbers(cursor, &layer->multipliers, layer->weights[0], 16);
    nas_read_numbers(cursor, &layer->biases, layer->weights[0], width);
    if (layer->encoding == AGAIN && file->version >= 7) {
        read_again(cursor, file, index);
        return;
    }
    if (layer->affine) {
        read_zero_points(cursor, layer);
    }
    layer->weights_at = cursor->at;
    nas_decode(cursor, layer, file->version, NULL);
}
