/* The numbers of a file that was opened, which so is known to be whole. */
#include "nas_fields.h"
#include "nas_shapes.h"
#include "nas_weights.h"

#include <string.h>

static struct nas_cursor cursor_at(const struct nas_file *file, uint32_t at)
{
    struct nas_cursor cursor;

    memset(&cursor, 0, sizeof cursor);
    cursor.data = file->data;
    cursor.size = file->size - 4;
    cursor.at = at;
    return cursor;
}

const struct nas_tensor *nas_tensor_at(const struct nas_file *file, uint32_t tensor)
{
    return tensor == 0 ? &file->input : &file->operations[tensor - 1].result;
}

uint32_t nas_source(const struct nas_file *file, uint32_t operation, uint32_t which)
{
    const uint8_t *next = file->data + file->operations[operation].sources_at;
    uint32_t distance = 0;
    unsigned shift;

    for (which++; which > 0; which--) {
        distance = 0;
        for (shift = 0;; shift += 7) {
            distance |= (uint32_t)(*next & 0x7F) << shift;
            if (*next++ < 0x80) {
                break;
            }
        }
    }
    return operation - distance;
}

enum nas_status nas_multipliers(const struct nas_file *file, uint32_t operation, uint16_t *found, uint32_t room)
{
    const struct nas_numbers *const numbers = &file->operations[operation].multipliers;
    const uint8_t *const data = file->data + numbers->at;
    uint32_t i;

    if (numbers->count > room) {
        return NAS_NO_ROOM;
    }
    for (i = 0; i < numbers->count; i++) {
        found[i] = (uint16_t)(data[2 * i] | (uint16_t)data[2 * i + 1] << 8);
    }
    return NAS_OK;
}

static enum nas_status signed_numbers(const struct nas_file *file, const struct nas_numbers *numbers, int32_t *found, uint32_t room)
{
    struct nas_bits bits = nas_bits_at(file->data + numbers->at);
    uint32_t i;

    if (numbers->count > room) {
        return NAS_NO_ROOM;
    }
    for (i = 0; i < numbers->count; i++) {
        found[i] = nas_next_signed(&bits, numbers->width);
    }
    return NAS_OK;
}

enum nas_status nas_biases(const struct nas_file *file, uint32_t operation, int32_t *found, uint32_t room)
{
    return signed_numbers(file, &file->operations[operation].biases, found, room);
}

enum nas_status nas_slopes(const struct nas_file *file, uint32_t operation, int32_t *found, uint32_t room)
{
    return signed_numbers(file, &file->operations[operation].numbers, found, room);
}

enum nas_status nas_zero_points(const struct nas_file *file, uint32_t operation, uint8_t *found, uint32_t room)
{
    const struct nas_numbers *const numbers = &file->operations[operation].zero_points;
    struct nas_bits bits = nas_bits_at(file->data + numbers->at);
    uint32_t i;

    if (numbers->count > room) {
        return NAS_NO_ROOM;
    }
    for (i = 0; i < numbers->count; i++) {
        found[i] = (uint8_t)(numbers->first + nas_next(&bits, numbers->width));
    }
    return NAS_OK;
}

enum nas_status nas_weights(const struct nas_file *file, uint32_t operation, int8_t *found, uint32_t room)
{
    const struct nas_operation *const layer = file->operations + operation;
    struct nas_cursor cursor = cursor_at(file, layer->weights_at);
    const uint64_t count = nas_times(nas_times(layer->weights[0], layer->weights[1]), nas_times(layer->weights[2], layer->weights[3]));

    if (count > room) {
        return NAS_NO_ROOM;
    }
    if (count > 0) {
        nas_decode(&cursor, layer, file->version, found);
    }
    return cursor.status;
}

enum nas_status nas_indices(const struct nas_file *file, uint32_t operation, uint32_t *found, uint32_t room)
{
    const struct nas_numbers *const numbers = &file->operations[operation].numbers;
    struct nas_bits bits = nas_bits_at(file->data + numbers->at);
    uint32_t i;

    if (numbers->count > room) {
        return NAS_NO_ROOM;
    }
    for (i = 0; i < numbers->count; i++) {
        found[i] = nas_next(&bits, numbers->width);
    }
    return NAS_OK;
}

enum nas_status nas_table(const struct nas_file *file, uint32_t operation, uint8_t *found, uint32_t room)
{
    const struct nas_numbers *const numbers = &file->operations[operation].numbers;
    struct nas_bits bits = nas_bits_at(file->data + numbers->at);
    uint32_t i;

    if (numbers->count > room) {
        return NAS_NO_ROOM;
    }
    for (i = 0; i < numbers->count; i++) {
        found[i] = (uint8_t)(i == 0 ? numbers->first : found[i - 1] + nas_next_signed(&bits, numbers->width));
    }
    return NAS_OK;
}

int16_t nas_level(int8_t weight, unsigned bits, uint8_t zero_point)
{
    return (int16_t)(((weight + zero_point) & ((1 << bits) - 1)) - zero_point);
}

uint32_t nas_edge_multiplier(const struct nas_file *file, uint32_t operation, uint32_t pixels)
{
    const struct nas_operation *const pool = file->operations + operation;

    return nas_edges(pool, nas_tensor_at(file, nas_source(file, operation, 0)), pixels);
}
