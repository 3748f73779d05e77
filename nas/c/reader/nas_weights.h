/* The coders of weights. */
#ifndef NAS_WEIGHTS_H
#define NAS_WEIGHTS_H

#include "nas_fields.h"

/* Reads the weights of a layer, and writes them to `found` unless it is NULL. */
void nas_decode(struct nas_cursor *cursor, const struct nas_operation *layer, unsigned version, int8_t *found);

#endif
