/* Reads packed files, each behind its length, and writes what they hold: a status, and numbers of 32 bits.
   As a target of a fuzzer it gives files their checksum first; beside the files of nas.c.reader_files():

   clang -g -O2 -DFUZZ -fsanitize=fuzzer,address,undefined reader_dump.c nas_*.c -lz -o fuzz */
#include "nas_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef FUZZ
enum { MOST = 40, MOST_NUMBERS = 1 << 16 };
#include <sanitizer/asan_interface.h>
#include <zlib.h>
#else
enum { MOST = 256, MOST_NUMBERS = 1 << 30 };
#endif

static uint32_t *words;
static size_t count_of_words, room_for_words;

static void put(uint32_t value)
{
#ifdef FUZZ
    (void)value;
    return;
#endif
    if (count_of_words == room_for_words) {
        room_for_words = 2 * room_for_words + 1024;
        words = realloc(words, room_for_words * sizeof *words);
        if (words == NULL) {
            abort();
        }
    }
    words[count_of_words++] = value;
}

static void put_tensor(const struct nas_tensor *tensor)
{
    uint32_t bits;
    unsigned i;

    memcpy(&bits, &tensor->scale, 4);
    put(tensor->rank);
    for (i = 0; i < tensor->rank; i++) {
        put(tensor->shape[i]);
    }
    put(bits);
    put(tensor->zero);
    put(tensor->bits);
}

/* Memory for so many bytes, of which none behind them may be touched. */
static void *room_for(size_t bytes)
{
#ifdef FUZZ
    static uint32_t room[MOST_NUMBERS + 8];
    ASAN_UNPOISON_MEMORY_REGION(room, sizeof room);
    ASAN_POISON_MEMORY_REGION((uint8_t *)room + bytes, sizeof room - bytes);
    return room;
#else
    void *const room = malloc(bytes > 0 ? bytes : 1);
    if (room == NULL) {
        abort();
    }
    return room;
#endif
}

static void leave(void *room)
{
#ifndef FUZZ
    free(room);
#else
    (void)room;
#endif
}

#define PUT_NUMBERS(type, read, count)                                                          \
    {                                                                                           \
        const uint32_t many = (count) < MOST_NUMBERS ? (count) : 0;                             \
        type *const found = room_for(many * sizeof *found);                                     \
        uint32_t n;                                                                             \
        if (read(file, index, found, many) != (many < (count) ? NAS_NO_ROOM : NAS_OK)) {        \
            abort();                                                                            \
        }                                                                                       \
        put(many);                                                                              \
        for (n = 0; n < many; n++) {                                                            \
            put((uint32_t)found[n]);                                                            \
        }                                                                                       \
        leave(found);                                                                           \
    }

static void put_operation(const struct nas_file *file, uint32_t index)
{
    const struct nas_operation *const operation = file->operations + index;
    const struct nas_operation *const stored = file->operations + operation->weights_of;
    uint32_t i, count = operation->kind <= NAS_LINEAR;

    put(operation->kind);
    for (i = 0; i < operation->sources; i++) {
        put(nas_source(file, index, i));
    }
    put_tensor(&operation->result);
    for (i = 0; i < 8; i++) {
        put(operation->pairs[i / 2][i % 2]);
    }
    put(operation->number);
    put(operation->shift);
    put(operation->low);
    put(operation->high);
    PUT_NUMBERS(uint16_t, nas_multipliers, operation->multipliers.count)
    PUT_NUMBERS(int32_t, nas_biases, operation->biases.count)
    PUT_NUMBERS(uint8_t, nas_zero_points, operation->zero_points.count)
    for (i = 0; i < 4; i++) {
        count *= operation->weights[i];
    }
    put(operation->kind <= NAS_LINEAR ? operation->weight_bits : 0);
    PUT_NUMBERS(int8_t, nas_weights, count)
    if (operation->kind <= NAS_LINEAR && stored->weights_of != operation->weights_of) {
        abort();
    }
    if (operation->kind == NAS_LUT) {
        PUT_NUMBERS(uint8_t, nas_table, operation->numbers.count)
    } else if (operation->kind == NAS_PRELU) {
        PUT_NUMBERS(int32_t, nas_slopes, operation->numbers.count)
    } else {
        PUT_NUMBERS(uint32_t, nas_indices, operation->numbers.count)
    }
}

static void put_floats(const struct nas_file *file)
{
    const uint32_t count = file->each ? file->input.shape[0] : 1;
    uint32_t i, bits;
    float value;

    put(file->prepared);
    if (!file->prepared) {
        return;
    }
    put(file->raw);
    for (i = 0; i < 2 * count; i++) {
        value = i < count ? nas_mean(file, i) : nas_deviation(file, i - count);
        memcpy(&bits, &value, 4);
        put(bits);
    }
    memcpy(&bits, &file->limit, 4);
    put(bits);
}

static void put_names(const struct nas_file *file)
{
    uint32_t i, j, bytes;
    const uint8_t *name;

    for (i = 0; (name = nas_class_name(file, i, &bytes)) != NULL && i < 1000; i++) {
        put(bytes);
        for (j = 0; j < bytes; j++) {
            put(name[j]);
        }
    }
}

static enum nas_status dump(const uint8_t *data, uint32_t size)
{
    static struct nas_operation operations[MOST];
    struct nas_file file;
    enum nas_status status;
    uint32_t i;

    status = nas_open(&file, data, size, operations, MOST);
    put(status);
    if (status == NAS_OK) {
        put(file.version);
        put(file.count);
        put_tensor(&file.input);
        for (i = 0; i < file.count; i++) {
            put_operation(&file, i);
            if (file.operations[i].kind == NAS_EDGE_AVG_POOL) {
                (void)nas_edge_multiplier(&file, i, 1);
            }
        }
        put_floats(&file);
        put_names(&file);
    }
    return status;
}

#ifdef FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *const copy = malloc(size > 0 ? size : 1);
    uint32_t crc;
    size_t i;

    if (copy == NULL || size > 65536) {
        free(copy);
        return 0;
    }
    memcpy(copy, data, size);
    if (size >= 4) {
        crc = (uint32_t)crc32(0, copy, (uInt)(size - 4));
        for (i = 0; i < 4; i++) {
            copy[size - 4 + i] = (uint8_t)(crc >> 8 * i);
        }
    }
    (void)dump(copy, (uint32_t)size);
    free(copy);
    return 0;
}
#else
int main(void)
{
    uint32_t size;

    while (fread(&size, 4, 1, stdin) == 1) {
        /* Of its own, so that a byte read behind it is found. */
        uint8_t *const data = malloc(size > 0 ? size : 1);
        if (data == NULL || fread(data, 1, size, stdin) != size) {
            return 1;
        }
        count_of_words = 0;
        (void)dump(data, size);
        free(data);
        size = (uint32_t)count_of_words;
        if (fwrite(&size, 4, 1, stdout) != 1 || fwrite(words, 4, count_of_words, stdout) != count_of_words) {
            return 1;
        }
    }
    free(words);
    return 0;
}
#endif
