/*
 * num - numbers as text and back.
 *
 * No program here calls setlocale(), so strtod() and printf() always speak
 * the C locale; what is added is strictness and the shortest form.
 */
#include "base/num.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes nan and infinities. Returns whether value was one of them. */
static int put_special(char text[NUM_SIZE], double value)
{
    if (isnan(value))
        strcpy(text, "nan");
    else if (isinf(value))
        strcpy(text, value < 0 ? "-inf" : "inf");
    else
        return 0;
    return 1;
}

char *num_double(char text[NUM_SIZE], double value)
{
    int digits;

    if (put_special(text, value))
        return text;
    for (digits = 15; digits <= 17; digits++) {
        snprintf(text, NUM_SIZE, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return text;
}

char *num_float(char text[NUM_SIZE], float value)
{
    int digits;

    if (put_special(text, (double)value))
        return text;
    for (digits = 6; digits <= 9; digits++) {
        snprintf(text, NUM_SIZE, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return text;
}

int num_parse_double(const char *text, double *out)
{
    const char *s = text;
    char *end;

    if (*s == '-' || *s == '+')
        s++;
    if (!strcmp(s, "nan") || !strcmp(s, "inf")) {
        *out = strtod(text, NULL);
        return 0;
    }
    /* strtod takes blanks, hexadecimal and "infinity" too: refuse those. */
    if (!isdigit((unsigned char)*s) && *s != '.')
        return -1;
    if (s[strspn(s, "0123456789.eE+-")])
        return -1;
    errno = 0;
    *out = strtod(text, &end);
    if (end == text || *end || (errno == ERANGE && isinf(*out)))
        return -1;
    return 0;
}

int num_parse_int(const char *text, int64_t *out)
{
    const char *s = *text == '-' || *text == '+' ? text + 1 : text;
    char *end;
    long long value;

    if (!isdigit((unsigned char)*s))
        return -1;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (*end || errno == ERANGE)
        return -1;
    *out = value;
    return 0;
}

int num_parse_size(const char *text, int64_t *out)
{
    static const char units[] = "KMGT";
    char digits[32];
    size_t n = strspn(text, "0123456789");
    const char *unit;
    int64_t value;
    int shift = 0;

    if (n == 0 || n >= sizeof digits)
        return -1;
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (text[n]) {
        unit = strchr(units, toupper((unsigned char)text[n]));
        if (!unit || text[n + 1])
            return -1;
        shift = 10 * (int)(unit - units + 1);
    }
    if (num_parse_int(digits, &value) || value > INT64_MAX >> shift)
        return -1;
    *out = value << shift;
    return 0;
}

uint64_t num_gcd(uint64_t a, uint64_t b)
{
    while (a) {
        uint64_t rest = b % a;

        b = a;
        a = rest;
    }
    return b;
}
