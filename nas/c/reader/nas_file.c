#include "nas_records.h"
#include "nas_shapes.h"

#include <string.h>

enum { PREPARED = 64, NAMED = 128, CHECKSUM = 4 };

#define MOST_BYTES (UINT32_C(1) << 28)
#define MOST_OPERATIONS (UINT32_C(1) << 12)
#define MOST_INPUT (UINT32_C(1) << 24)
#define MOST_WEIGHTS (UINT32_C(1) << 28)

/* The first version with each kind. */
static const uint8_t since[NAS_KINDS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 4, 6, 6, 6, 7, 7};

static const uint8_t magic[4] = {0x89, 'N', 'A', 'S'};

static uint32_t crc_32(const uint8_t *data, uint32_t size)
{
    /* The remainders of four bits. */
    static const uint32_t table[16] = {
        UINT32_C(0x00000000), UINT32_C(0x1DB71064), UINT32_C(0x3B6E20C8), UINT32_C(0x26D930AC),
        UINT32_C(0x76DC4190), UINT32_C(0x6B6B51F4), UINT32_C(0x4DB26158), UINT32_C(0x5005713C),
        UINT32_C(0xEDB88320), UINT32_C(0xF00F9344), UINT32_C(0xD6D6A3E8), UINT32_C(0xCB61B38C),
        UINT32_C(0x9B64C2B0), UINT32_C(0x86D3D2D4), UINT32_C(0xA00AE278), UINT32_C(0xBDBDF21C),
    };
    uint32_t crc = UINT32_MAX, i;

    for (i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static void read_operation(struct nas_cursor *cursor, struct nas_file *file, uint32_t index)
{
    struct nas_operation *const operation = file->operations + index;
    uint32_t i, count = 1;

    memset(operation, 0, sizeof *operation);
    operation->kind = nas_byte(cursor);
    nas_require(cursor, operation->kind < NAS_KINDS && since[operation->kind < NAS_KINDS ? operation->kind : 0] <= file->version, NAS_INVALID);
    if (operation->kind == NAS_MUL) {
        count = 2;
    } else if (operation->kind == NAS_ADD || operation->kind == NAS_CONCAT) {
        count = nas_varint(cursor);
        nas_require(cursor, count >= 2 && count <= 64, NAS_INVALID);
    }
    operation->sources_at = cursor->at;
    for (i = 0; i < count && cursor->status == NAS_OK; i++) {
        nas_require(cursor, nas_varint(cursor) <= index, NAS_INVALID);
    }
    if (cursor->status != NAS_OK) {
        return;
    }
    operation->sources = (uint8_t)count;
    nas_read_fields(cursor, file, index, nas_tensor_at(file, nas_source(file, index, 0)));
    if (cursor->status == NAS_OK) {
        nas_shape(cursor, file, index);
    }
}

static void read_input(struct nas_cursor *cursor, struct nas_file *file)
{
    struct nas_tensor *const input = &file->input;
    uint64_t size = 1;
    unsigned i;

    input->rank = nas_byte(cursor);
    nas_require(cursor, input->rank >= 1 && input->rank <= 3 && (input->rank != 2 || file->version >= 6), NAS_INVALID);
    for (i = 0; i < 3; i++) {
        input->shape[i] = i < input->rank && cursor->status == NAS_OK ? nas_varint(cursor) : 1;
        size = nas_times(size, input->shape[i]);
    }
    nas_require(cursor, size >= 1, NAS_INVALID);
    nas_require(cursor, size <= MOST_INPUT, NAS_TOO_LARGE);
    nas_read_type(cursor, input);
}

static void read_file(struct nas_cursor *cursor, struct nas_file *file, uint32_t room)
{
    uint64_t weights = 0;
    uint8_t flags;
    uint32_t i, count;

    flags = cursor->data[sizeof magic] & (PREPARED | NAMED);
    cursor->at = sizeof magic + 1;
    count = nas_varint(cursor);
    nas_require(cursor, count >= 1, NAS_INVALID);
    nas_require(cursor, count <= MOST_OPERATIONS, NAS_TOO_LARGE);
    nas_require(cursor, count <= room, NAS_NO_ROOM);
    read_input(cursor, file);
    for (i = 0; i < count && cursor->status == NAS_OK; i++) {
        const struct nas_operation *const operation = file->operations + i;
        read_operation(cursor, file, i);
        file->count = i + 1;
        if (cursor->status == NAS_OK && operation->kind <= NAS_LINEAR) {
            weights += (uint64_t)operation->weights[0] * operation->weights[1] * operation->weights[2] * operation->weights[3];
            nas_require(cursor, weights <= MOST_WEIGHTS, NAS_TOO_LARGE);
        }
    }
    nas_require(cursor, cursor->status != NAS_OK || nas_tensor_at(file, file->count)->rank == 1, NAS_INVALID);
    if (flags & PREPARED && cursor->status == NAS_OK) {
        nas_read_preprocessing(cursor, file);
    }
    if (flags & NAMED && cursor->status == NAS_OK) {
        nas_read_names(cursor, file);
    }
    nas_require(cursor, cursor->at == cursor->size, NAS_INVALID);
}

enum nas_status nas_open(struct nas_file *file, const uint8_t *data, uint32_t size, struct nas_operation *operations, uint32_t room)
{
    struct nas_cursor cursor;
    uint32_t stored;

    memset(file, 0, sizeof *file);
    file->data = data;
    file->operations = operations;
    if (size < sizeof magic + 1 + CHECKSUM || memcmp(data, magic, sizeof magic) != 0) {
        return NAS_NOT_PACKED;
    }
    if (size > MOST_BYTES) {
        return NAS_TOO_LARGE;
    }
    file->version = data[sizeof magic] & (PREPARED - 1);
    if (file->version < 2 || file->version > NAS_NEWEST) {
        return NAS_OTHER_VERSION;
    }
    memset(&cursor, 0, sizeof cursor);
    cursor.data = data;
    cursor.size = size - CHECKSUM;
    stored = (uint32_t)data[cursor.size] | (uint32_t)data[cursor.size + 1] << 8 | (uint32_t)data[cursor.size + 2] << 16 | (uint32_t)data[cursor.size + 3] << 24;
    if (stored != crc_32(data, cursor.size)) {
        return NAS_DAMAGED;
    }
    read_file(&cursor, file, room);
    file->size = cursor.status == NAS_OK ? size : cursor.at;
    return cursor.status;
}
