/* Reads a packed file of compact-nas, of versions 2 to 7: its operations, and their numbers.

   It uses no heap and some 700 bytes of stack, 1 kB for an EdgeAvgPool. Any bytes are read safely: they give a whole program or a
   status, and no byte outside of them is read. nas.packed.layout and nas.packed.records specify the file.

   static struct nas_operation operations[64];
   struct nas_file file;
   if (nas_open(&file, data, size, operations, 64) == NAS_OK) { … }

   The data must stay where it is as long as the file is used. */
#ifndef NAS_FILE_H
#define NAS_FILE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NAS_NEWEST 7

enum nas_status {
    NAS_OK,
    NAS_NOT_PACKED,    /* it does not begin as a packed file */
    NAS_OTHER_VERSION, /* of version 1, or of newer software */
    NAS_DAMAGED,       /* another checksum */
    NAS_TRUNCATED,     /* it ends too early */
    NAS_INVALID,       /* a field is out of range, or an operation does not fit its tensors */
    NAS_TOO_LARGE,     /* beyond the limits of the format */
    NAS_NO_ROOM        /* more operations or numbers than the caller has room for */
};

enum nas_kind {
    NAS_CONV,
    NAS_LINEAR,
    NAS_ADD,
    NAS_MUL,
    NAS_CONCAT,
    NAS_MAX_POOL,
    NAS_AVG_POOL,
    NAS_GATHER,
    NAS_FLATTEN,
    NAS_UPSAMPLE,
    NAS_LUT,
    NAS_PRELU,
    NAS_PAD,
    NAS_EDGE_MAX_POOL,
    NAS_EDGE_AVG_POOL,
    NAS_RESHAPE,
    NAS_SPREAD,
    NAS_SLICE,
    NAS_KINDS
};

/* Integers q of `bits` bits that stand for scale * (q - zero); shape [F], [C, L] or [C, H, W]. */
struct nas_tensor {
    uint32_t shape[3];
    float scale;
    uint8_t rank, zero, bits;
};

/* The pairs of an operation, height first. */
enum { NAS_KERNEL, NAS_STRIDE, NAS_PADDING, NAS_DILATION };
enum { NAS_EXTRA = 3 };
enum { NAS_ROWS, NAS_COLUMNS };
enum { NAS_FACTORS, NAS_ENDS };
enum { NAS_STARTS, NAS_STEPS, NAS_COUNTS };

/* Where numbers lie in the file, how many there are and of how many bits, and what is added to them. */
struct nas_numbers {
    uint32_t at, count;
    uint8_t width, first;
};

/* An operation: the pairs above as its kind has them, and `number`, which are the groups of a convolution
   and the factor of an Upsample. Sums become integers by multiplier / 2^shift, clamped to low … high.

   Weights are [weights[0], …, weights[3]], of a matrix product [out, in, 1, 1], and of a layer that has
   those of an earlier one lie in operation `weights_of`. `numbers` are the indices of a Gather, the table
   of a Lut or the slopes of a PRelu. */
struct nas_operation {
    struct nas_tensor result;
    uint32_t pairs[4][2], number, weights[4], weights_at;
    struct nas_numbers multipliers, biases, zero_points, numbers;
    uint32_t sources_at;
    uint16_t weights_of;
    uint8_t kind, sources, shift, low, high, weight_bits, affine, encoding;
};

enum nas_raw { NAS_UINT8, NAS_INT16, NAS_FLOAT32 };

/* Preprocessing, if `prepared`: a raw value x of a channel becomes (x - mean) / deviation, 0 if it is NaN,
   clipped to -limit … limit if the limit is not 0. */
struct nas_file {
    const uint8_t *data;
    struct nas_operation *operations;
    uint32_t count, size;
    struct nas_tensor input;
    float limit;
    uint32_t means_at, deviations_at, names_at;
    uint8_t version, prepared, raw, each, named;
};

/* Reads a file of `size` bytes, and its operations into a table of `room`. After an error `file->size` is
   where it was found. */
enum nas_status nas_open(struct nas_file *file, const uint8_t *data, uint32_t size, struct nas_operation *operations, uint32_t room);

/* The tensor that source `which` of an operation is: 0 is the input, i + 1 the result of operation i. */
uint32_t nas_source(const struct nas_file *file, uint32_t operation, uint32_t which);
const struct nas_tensor *nas_tensor_at(const struct nas_file *file, uint32_t tensor);

/* How many elements a tensor has. */
uint32_t nas_elements(const struct nas_tensor *tensor);

/* The numbers of an operation, as many as its fields say, into a table of `room`. Weights are stored as
   nas.packed.layout says: those of layers with zero points are levels only with nas_level. */
enum nas_status nas_multipliers(const struct nas_file *file, uint32_t operation, uint16_t *found, uint32_t room);
enum nas_status nas_biases(const struct nas_file *file, uint32_t operation, int32_t *found, uint32_t room);
enum nas_status nas_zero_points(const struct nas_file *file, uint32_t operation, uint8_t *found, uint32_t room);
enum nas_status nas_weights(const struct nas_file *file, uint32_t operation, int8_t *found, uint32_t room);
enum nas_status nas_indices(const struct nas_file *file, uint32_t operation, uint32_t *found, uint32_t room);
enum nas_status nas_table(const struct nas_file *file, uint32_t operation, uint8_t *found, uint32_t room);
enum nas_status nas_slopes(const struct nas_file *file, uint32_t operation, int32_t *found, uint32_t room);

/* What a weight of so many bits is multiplied as in a channel with a zero point. */
int16_t nas_level(int8_t weight, unsigned bits, uint8_t zero_point);

/* The place of the multiplier of a window of an EdgeAvgPool with so many pixels in the image. */
uint32_t nas_edge_multiplier(const struct nas_file *file, uint32_t operation, uint32_t pixels);

float nas_mean(const struct nas_file *file, uint32_t channel);
float nas_deviation(const struct nas_file *file, uint32_t channel);

/* The name of a class, UTF-8 without an end, and its bytes; none in a file without names. */
const uint8_t *nas_class_name(const struct nas_file *file, uint32_t which, uint32_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
