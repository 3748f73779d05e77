/* Prints how many instructions one run takes, where each takes a nanosecond and the timer of the
   processor counts at 25 MHz. */
#include "model.h"

#include <stdio.h>

#define CONTROL (*(volatile uint32_t *)0xE000E010)
#define RELOAD (*(volatile uint32_t *)0xE000E014)
#define VALUE (*(volatile uint32_t *)0xE000E018)

int main(void)
{
    static uint8_t output[MODEL_OUTPUT_SIZE];
    uint32_t begin;

    RELOAD = 0xFFFFFF;
    VALUE = 0;
    CONTROL = 5;
    begin = VALUE;
    (void)model_run(model_input(), output);
    printf("%lu\n", (unsigned long)((begin - VALUE) & 0xFFFFFF) * 40);
    return 0;
}
