// Runs the network on an input whose outputs are known, and blinks: as often as the number of the class
// and once more, or without end if an output is another one. Put your own input in the place of the example.
#include "model.h"
#include "model_example.h"

#ifndef LED_BUILTIN
#define LED_BUILTIN 2
#endif

static uint8_t output[MODEL_OUTPUT_SIZE];

static void blink(int times, int milliseconds)
{
    for (int i = 0; i < times; i++) {
        digitalWrite(LED_BUILTIN, HIGH);
        delay(milliseconds);
        digitalWrite(LED_BUILTIN, LOW);
        delay(milliseconds);
    }
}

void setup()
{
    pinMode(LED_BUILTIN, OUTPUT);
}

void loop()
{
    uint8_t *input = model_input();
    for (size_t i = 0; i < MODEL_INPUT_SIZE; i++) {
        input[i] = example_input(i);  // of your own: model_quantize(number)
    }
    int predicted = model_run(input, output);
    bool same = true;
    for (size_t i = 0; i < MODEL_OUTPUT_SIZE; i++) {
        same = same && output[i] == example_output(i);
    }
    if (same) {
        blink(predicted + 1, 250);
    } else {
        blink(100, 50);
    }
    delay(2000);
}
