/* What an operation gives, and whether it fits its tensors. */
#ifndef NAS_SHAPES_H
#define NAS_SHAPES_H

#include "nas_fields.h"

/* Sets the shape of the result of an operation whose other fields are read, and checks all of them. */
void nas_shape(struct nas_cursor *cursor, const struct nas_file *file, uint32_t operation);

/* How many different numbers of pixels below `limit` the windows of an EdgeAvgPool have in the image;
   UINT32_MAX if there are more than NAS_MOST_EDGES in one direction, which this reader does not read. */
#define NAS_MOST_EDGES 64
uint32_t nas_edges(const struct nas_operation *operation, const struct nas_tensor *source, uint64_t limit);

#endif
