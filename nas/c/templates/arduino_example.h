/* An input, and the output that must come out. */
#ifndef MODEL_EXAMPLE_H
#define MODEL_EXAMPLE_H

#include "model.h"

#if defined(__AVR__)
#include <avr/pgmspace.h>
#define EXAMPLE_FLASH PROGMEM
#define EXAMPLE_READ(from) pgm_read_byte(from)
#else
#define EXAMPLE_FLASH
#define EXAMPLE_READ(from) (*(from))
#endif

static inline uint8_t example_input(size_t index)
{
    static const uint8_t input[MODEL_INPUT_SIZE] EXAMPLE_FLASH =
@input@
    ;
    return EXAMPLE_READ(input + index);
}

static inline uint8_t example_output(size_t index)
{
    static const uint8_t output[MODEL_OUTPUT_SIZE] EXAMPLE_FLASH =
@output@
    ;
    return EXAMPLE_READ(output + index);
}

#endif
