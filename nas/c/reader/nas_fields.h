/* Numbers of a packed file, read from front to back. */
#ifndef NAS_FIELDS_H
#define NAS_FIELDS_H

#include "nas_file.h"

/* What is left is data[at … size - 1]. After the first error `status` says which, and all that is read
   is 0. */
struct nas_cursor {
    const uint8_t *data;
    uint32_t size, at;
    enum nas_status status;
};

/* Numbers of some bits, from the top bit of each byte down. */
struct nas_bits {
    const uint8_t *next;
    unsigned left;
};

/* Remembers the first error. */
void nas_fail(struct nas_cursor *cursor, enum nas_status status);

/* Fails unless what must be is. */
void nas_require(struct nas_cursor *cursor, int kept, enum nas_status status);

/* The place of so many bytes, which are passed; 0 if there are fewer. */
uint32_t nas_take(struct nas_cursor *cursor, uint64_t count);

uint8_t nas_byte(struct nas_cursor *cursor);
uint32_t nas_varint(struct nas_cursor *cursor);
void nas_pair(struct nas_cursor *cursor, uint32_t pair[2]);
float nas_float(const uint8_t *data);

/* The place of `count` numbers of `width` bits, whose last byte ends on bits of 0. */
uint32_t nas_packed(struct nas_cursor *cursor, uint64_t count, unsigned width);

struct nas_bits nas_bits_at(const uint8_t *data);

/* The next number of 0 to 32 bits. */
uint32_t nas_next(struct nas_bits *bits, unsigned width);

/* The same in two's complement. */
int32_t nas_next_signed(struct nas_bits *bits, unsigned width);

/* a · b, or 2^62 if it is more. */
uint64_t nas_times(uint64_t a, uint64_t b);

#endif
