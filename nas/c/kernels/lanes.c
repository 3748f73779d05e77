/* needs gains */
/* Channels that are computed side by side: as many as a register of 128 bits holds integers of 16 bits. */
#define LANES 8
