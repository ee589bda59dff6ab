/*
 * num - numbers as text and back, whatever the locale, nothing but the number.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

/* Room for any number that num_double() or num_float() writes. */
#define NUM_SIZE 32

/*
 * The shortest decimal that reads back to the same double; "nan", "inf",
 * "-inf" are spelled so. Returns text.
 */
char *num_double(char text[NUM_SIZE], double value);

/* The shortest decimal that reads back to the same float. Returns text. */
char *num_float(char text[NUM_SIZE], float value);

/*
 * The whole text as a double: decimal or exponent notation, "nan" and "inf"
 * too; no blanks, no hexadecimal. Returns 0; -1 if the text is anything else
 * or overflows.
 */
int num_parse_double(const char *text, double *out);

/* The whole text as a decimal integer. Returns 0; -1 for anything else. */
int num_parse_int(const char *text, int64_t *out);

/*
 * A size in bytes: digits and an optional K, M, G or T (powers of 1024).
 * Returns 0; -1 for anything else or over 2^63-1.
 */
int num_parse_size(const char *text, int64_t *out);

/* Greatest common divisor; gcd(0, b) is b. */
uint64_t num_gcd(uint64_t a, uint64_t b);

#endif
