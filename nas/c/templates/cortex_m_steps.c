/* Prints how many instructions each step of one run takes, and at first what all of the run takes, where
   each instruction takes a nanosecond and the timer of the processor counts at 25 MHz. */
#include "model.h"

#include <stdio.h>

#define CONTROL (*(volatile uint32_t *)0xE000E010)
#define RELOAD (*(volatile uint32_t *)0xE000E014)
#define VALUE (*(volatile uint32_t *)0xE000E018)

static uint32_t times[@steps@ + 1];
static int steps;

void model_mark(void);

void model_mark(void)
{
    times[steps++] = VALUE;
}

int main(void)
{
    static uint8_t output[MODEL_OUTPUT_SIZE];
    uint32_t begin, end, before;
    int i;

    RELOAD = 0xFFFFFF;
    VALUE = 0;
    CONTROL = 5;
    begin = before = VALUE;
    (void)model_run(model_input(), output);
    end = VALUE;
    printf("%lu\n", (unsigned long)((begin - end) & 0xFFFFFF) * 40);
    for (i = 0; i < steps; i++) {
        printf("%lu\n", (unsigned long)((before - times[i]) & 0xFFFFFF) * 40);
        before = times[i];
    }
    return 0;
}
