void model_prepare(const model_raw *raw, uint8_t *input)
{
    size_t i;

    for (i = 0; i < MODEL_INPUT_SIZE; i++) {
        float value = ((float)raw[i] - @mean@) / @deviation@;
@checks@
        input[i] = model_quantize(value);
    }
}
