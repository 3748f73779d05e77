/* Prints how many bytes of stack one run takes: painted before main, and changed after it. */
#include "model.h"

#include <avr/io.h>
#include <stdio.h>

extern uint8_t _end;

__attribute__((naked, used, section(".init3"))) static void paint(void)
{
    __asm__ volatile("ldi r26, lo8(_end)\n"
                     "ldi r27, hi8(_end)\n"
                     "ldi r24, 0xC5\n"
                     "ldi r18, hi8(__stack)\n"
                     "1: st X+, r24\n"
                     "cpi r26, lo8(__stack)\n"
                     "cpc r27, r18\n"
                     "brlo 1b\n");
}

int main(void)
{
    static uint8_t output[MODEL_OUTPUT_SIZE];
    const uint8_t *at = &_end;

    (void)model_run(model_input(), output);
    while (*at == 0xC5) {
        at++;
    }
    printf("%u bytes\n", (unsigned)(RAMEND + 1 - (uint16_t)at));
    return 0;
}
