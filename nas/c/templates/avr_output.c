/* Prints to the serial line of an AVR, and stops the emulator behind main. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <stdio.h>

static int put(char letter, FILE *to)
{
    (void)to;
    while (!(UCSR0A & (1 << UDRE0))) {
    }
    UDR0 = (uint8_t)letter;
    return 0;
}

static FILE line = FDEV_SETUP_STREAM(put, NULL, _FDEV_SETUP_WRITE);

__attribute__((constructor)) static void open_line(void)
{
    UCSR0B = 1 << TXEN0;
    stdout = &line;
}

__attribute__((naked, used, section(".fini8"))) static void stop(void)
{
    cli();
    sleep_mode();
}
