/* What follows the operations: preprocessing and the names of classes. */
#include "nas_records.h"

#include <string.h>

enum { MEANS = 4, DEVIATIONS = 8, EACH = 16, LIMIT = 32 };

/* So many floats, of which all must be finite and above `least`; their place. */
static uint32_t read_floats(struct nas_cursor *cursor, uint32_t count, int positive)
{
    const uint32_t at = nas_take(cursor, 4 * (uint64_t)count);
    uint32_t i;

    for (i = 0; i < count && cursor->status == NAS_OK; i++) {
        const float value = nas_float(cursor->data + at + 4 * i);
        nas_require(cursor, nas_is_finite(value) && (!positive || value > 0.0f), NAS_INVALID);
    }
    return at;
}

/* Whether all floats at a place are one number. */
static int all_are(const struct nas_cursor *cursor, uint32_t at, uint32_t count, float number)
{
    uint32_t i;

    for (i = 0; i < count && nas_float(cursor->data + at + 4 * i) == number; i++) {
    }
    return i == count;
}

static const float usual[] = {255.0f, 32768.0f, 1.0f};

void nas_read_preprocessing(struct nas_cursor *cursor, struct nas_file *file)
{
    const unsigned flags = nas_byte(cursor);
    const uint32_t count = flags & EACH ? file->input.shape[0] : 1;
    int equal = 1;

    file->prepared = 1;
    file->raw = flags & 3;
    file->each = (flags & EACH) != 0;
    nas_require(cursor, file->raw <= NAS_FLOAT32 && flags < 2 * LIMIT, NAS_INVALID);
    if (flags & MEANS) {
        file->means_at = read_floats(cursor, count, 0);
        if (cursor->status == NAS_OK) {
            nas_require(cursor, !all_are(cursor, file->means_at, count, 0.0f), NAS_INVALID);
            equal = all_are(cursor, file->means_at, count, nas_float(cursor->data + file->means_at));
        }
    }
    if (flags & DEVIATIONS) {
        file->deviations_at = read_floats(cursor, count, 1);
        if (cursor->status == NAS_OK) {
            nas_require(cursor, !all_are(cursor, file->deviations_at, count, usual[file->raw]), NAS_INVALID);
            equal &= all_are(cursor, file->deviations_at, count, nas_float(cursor->data + file->deviations_at));
        }
    }
    nas_require(cursor, !file->each || !equal, NAS_INVALID);
    if (flags & LIMIT) {
        file->limit = nas_float(cursor->data + read_floats(cursor, 1, 1));
    }
}

void nas_read_names(struct nas_cursor *cursor, struct nas_file *file)
{
    const uint32_t classes = nas_elements(nas_tensor_at(file, file->count));
    uint32_t i, bytes;

    file->named = 1;
    file->names_at = cursor->at;
    for (i = 0; i < classes && cursor->status == NAS_OK; i++) {
        bytes = nas_varint(cursor);
        nas_require(cursor, bytes > 0, NAS_INVALID);
        (void)nas_take(cursor, bytes);
    }
}

float nas_mean(const struct nas_file *file, uint32_t channel)
{
    const uint32_t place = file->each ? channel : 0;

    return file->means_at == 0 ? 0.0f : nas_float(file->data + file->means_at + 4 * place);
}

float nas_deviation(const struct nas_file *file, uint32_t channel)
{
    const uint32_t place = file->each ? channel : 0;

    return file->deviations_at == 0 ? usual[file->raw] : nas_float(file->data + file->deviations_at + 4 * place);
}

const uint8_t *nas_class_name(const struct nas_file *file, uint32_t which, uint32_t *bytes)
{
    struct nas_cursor cursor;

    *bytes = 0;
    if (!file->named || which >= nas_elements(nas_tensor_at(file, file->count))) {
        return NULL;
    }
    memset(&cursor, 0, sizeof cursor);
    cursor.data = file->data;
    cursor.size = file->size - 4;
    cursor.at = file->names_at;
    for (;; which--) {
        *bytes = nas_varint(&cursor);
        if (which == 0) {
            return file->data + cursor.at;
        }
        (void)nas_take(&cursor, *bytes);
    }
}
