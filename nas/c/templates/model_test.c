/* Runs the network on inputs whose outputs are known. Returns how many differ, 0 to @count@. */
#include "model.h"

#include <stdio.h>
#include <string.h>

#if defined(__AVR__)
#include <avr/pgmspace.h>
#define FLASH PROGMEM
#define READ(to, from, size) memcpy_P(to, from, size)
#else
#define FLASH
#define READ(to, from, size) memcpy(to, from, size)
#endif

#define COUNT @count@

static const uint8_t inputs[COUNT][MODEL_INPUT_SIZE] FLASH = {
@inputs@
};

static const uint8_t outputs[COUNT][MODEL_OUTPUT_SIZE] FLASH = {
@outputs@
};

int main(void)
{
    static uint8_t found[MODEL_OUTPUT_SIZE], wanted[MODEL_OUTPUT_SIZE];
    int i, wrong = 0;

    for (i = 0; i < COUNT; i++) {
        READ(model_input(), inputs[i], MODEL_INPUT_SIZE);
        (void)model_run(model_input(), found);
        READ(wanted, outputs[i], MODEL_OUTPUT_SIZE);
        if (memcmp(found, wanted, MODEL_OUTPUT_SIZE) != 0) {
            printf("input %d: other integers than expected\n", i);
            wrong++;
        }
    }
    printf("%d of %d as expected\n", COUNT - wrong, COUNT);
    return wrong;
}
