/* Tables lie in flash. An AVR reads it with instructions of its own; elsewhere it is memory. */
#if defined(__AVR__)
#include <avr/pgmspace.h>
#define FLASH PROGMEM
#define READ_8(from) pgm_read_byte(from)
#define READ_16(from) pgm_read_word(from)
#define READ_32(from) pgm_read_dword(from)
/* An initializer would lie in memory all the time, beside what it initializes. */
#define FIELDS(kind, name, ...)                                       \
    static const struct kind name##_in_flash PROGMEM = {__VA_ARGS__}; \
    struct kind name;                                                 \
    memcpy_P(&name, &name##_in_flash, sizeof name)
#else
#define FLASH
#define READ_8(from) (*(from))
#define READ_16(from) (*(from))
#define READ_32(from) (*(from))
#define FIELDS(kind, name, ...) struct kind name = {__VA_ARGS__}
#endif

/* Weights of 8 bits lie in flash, those of 16 were unpacked. */
#define WEIGHT_8(at) ((int8_t)READ_8(at))
#define WEIGHT_16(at) (*(at))

/* Two products of 16 bits added in one instruction: Cortex-M4, M7, M33 and up. */
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN)
#include <arm_acle.h>
#define DUAL_MULTIPLY 1
#endif

/* Kept apart from its callers where registers are few. */
#if defined(__arm__) && defined(__GNUC__)
#define APART static __attribute__((noinline))
#else
#define APART static inline
#endif

/* Products of 16 bits, eight at once on every x86 of 64 bits, or sixteen. */
#if defined(__AVX2__)
#include <immintrin.h>
#define VECTORS 16
#elif defined(__SSE2__)
#include <emmintrin.h>
#define VECTORS 8
#endif
