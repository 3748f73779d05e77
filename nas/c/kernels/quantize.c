uint8_t model_quantize(float value)
{
    const float steps = value / MODEL_INPUT_SCALE;
    int32_t whole;
    float part;

    if (!(steps > (float)-MODEL_INPUT_ZERO)) {
        return 0;
    }
    if (steps >= (float)(MODEL_INPUT_TOP - MODEL_INPUT_ZERO)) {
        return MODEL_INPUT_TOP;
    }
    whole = (int32_t)steps;
    part = steps - (float)whole;
    if (part < 0.0f) {
        whole--;
        part += 1.0f;
    }
    /* A half goes to the even neighbour. */
    if (part > 0.5f || (part == 0.5f && (whole & 1))) {
        whole++;
    }
    return (uint8_t)(whole + MODEL_INPUT_ZERO);
}

float model_dequantize(uint8_t level)
{
    return (float)((int16_t)level - MODEL_OUTPUT_ZERO) * MODEL_OUTPUT_SCALE;
}
