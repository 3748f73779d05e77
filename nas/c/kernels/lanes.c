/* needs gains */
/* Weights of channels that are computed side by side lie so: as many as a vector of 128 bits holds
   integers of 16 bits. Processors without vectors hold half of the sums in registers. */
#define LANES 8
#if defined(__arm__) || defined(__AVR__)
#define TOGETHER 4
#else
#define TOGETHER LANES
#endif

/* Loops over channels that are computed side by side become statements. */
#if defined(__GNUC__) && !defined(__clang__)
#define UNROLLED _Pragma("GCC unroll 8")
#else
#define UNROLLED
#endif
