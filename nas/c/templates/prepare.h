/* Raw values: x becomes the number (x - mean) / deviation@limit@@missing@. */
typedef @raw@ model_raw;
@constants@

/* The integers of MODEL_INPUT_SIZE raw values, in the same order. They may lie in model_input(), and bytes
   also where they become integers. */
void model_prepare(const model_raw *raw, uint8_t *input);
