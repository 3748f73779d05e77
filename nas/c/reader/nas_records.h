/* The parts of a packed file. */
#ifndef NAS_RECORDS_H
#define NAS_RECORDS_H

#include "nas_fields.h"

int nas_is_finite(float value);

/* Scale, zero point and bits. */
void nas_read_type(struct nas_cursor *cursor, struct nas_tensor *tensor);

/* Shift and clamp, which must be within the result. */
void nas_read_scaling(struct nas_cursor *cursor, struct nas_operation *operation);

/* The place of so many numbers, which are passed. */
void nas_read_numbers(struct nas_cursor *cursor, struct nas_numbers *numbers, uint32_t count, unsigned width);

void nas_read_pairs(struct nas_cursor *cursor, struct nas_operation *operation, unsigned count);

/* All of a layer that reads so many channels. */
void nas_read_layer(struct nas_cursor *cursor, struct nas_file *file, uint32_t operation, uint32_t channels);

/* All of an operation but its kind and its sources; `source` is the first. */
void nas_read_fields(struct nas_cursor *cursor, struct nas_file *file, uint32_t operation, const struct nas_tensor *source);

/* What follows the operations. */
void nas_read_preprocessing(struct nas_cursor *cursor, struct nas_file *file);
void nas_read_names(struct nas_cursor *cursor, struct nas_file *file);

#endif
