/* Starts a Cortex-M whose input and output are those of a debugger. */
#include <stdlib.h>

extern char top_of_stack[];
extern void initialise_monitor_handles(void);
extern int main(void);

void start(void)
{
    initialise_monitor_handles();
    exit(main());
}

static void stopped(void)
{
    exit(100);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    top_of_stack, start, stopped, stopped, stopped, stopped, stopped,
};
