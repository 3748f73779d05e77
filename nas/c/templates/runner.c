/* Inputs from standard input, one after the other; outputs to standard output. */
#include "model.h"

#include <stdio.h>

int main(void)
{
    static uint8_t input[MODEL_INPUT_SIZE], output[MODEL_OUTPUT_SIZE];

    while (fread(input, 1, sizeof input, stdin) == sizeof input) {
        (void)model_run(input, output);
        if (fwrite(output, 1, sizeof output, stdout) != sizeof output) {
            return 1;
        }
    }
    return 0;
}
