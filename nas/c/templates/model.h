/* A network in whole numbers, written by compact-nas.

   uint8_t output[MODEL_OUTPUT_SIZE];
   int predicted = model_run(input, output);

   It uses no heap, and one block of memory that is not shared between threads. */
#ifndef MODEL_H
#define MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Input: @input_shape@.
   A number x is the integer round(x / scale) + zero, from 0 to top. */
#define MODEL_INPUT_SIZE @input_size@
@input_dimensions@
#define MODEL_INPUT_SCALE @input_scale@
#define MODEL_INPUT_ZERO @input_zero@
#define MODEL_INPUT_TOP @input_top@

/* Output: an integer for each class, of which each stands for scale * (integer - zero). */
#define MODEL_OUTPUT_SIZE @output_size@
#define MODEL_OUTPUT_SCALE @output_scale@
#define MODEL_OUTPUT_ZERO @output_zero@

/* Memory: activations (@peak@), and weights that are unpacked.
   Flash: tables, apart from code. */
#define MODEL_ARENA_BYTES @arena_bytes@
#define MODEL_SCRATCH_BYTES @scratch_bytes@
#define MODEL_TABLE_BYTES @table_bytes@

/* Computes `output`, MODEL_OUTPUT_SIZE integers, from `input`, MODEL_INPUT_SIZE integers. Returns the
   place of the largest, the first of equal ones. */
int model_run(const uint8_t *input, uint8_t *output);

/* Where the input lies in the arena: written there, it needs no memory of its own, and
   model_run(model_input(), output) copies nothing. model_run overwrites it. */
uint8_t *model_input(void);

/* The integer of a number of the input; what is out of range becomes 0 or top. */
uint8_t model_quantize(float value);

/* The number that an integer of the output stands for. */
float model_dequantize(uint8_t level);
@prepare@@class_names@
#ifdef __cplusplus
}
#endif

#endif
