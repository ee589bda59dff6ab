/*
 * retry - rules for failed requests.
 */
#include "store/retry.h"

#include <string.h>

/* No wait is longer. */
#define MAX_DELAY_MS 20000

/* Whether a word is in the first n bytes of text. */
static bool has_word(const char *text, size_t n, const char *word)
{
    size_t len = strlen(word), i;

    for (i = 0; text && i + len <= n; i++) {
        if (memcmp(text + i, word, len) == 0)
            return true;
    }
    return false;
}

enum retry_verdict retry_judge(long status, const char *text, size_t n)
{
    switch (status) {
    case 429:
        return RETRY_SLOWER;
    case 503:
        return has_word(text, n, "SlowDown") ? RETRY_SLOWER : RETRY_AGAIN;
    case 408:
    case 500:
    case 502:
    case 504:
        return RETRY_AGAIN;
    case 400:
        return has_word(text, n, "<Code>RequestTimeout<") ? RETRY_AGAIN
                                                          : RETRY_DONE;
    default:
        return RETRY_DONE;
    }
}

uint64_t retry_delay_ms(struct rng *rng, unsigned n_failed, uint64_t base_ms)
{
    uint64_t bound = base_ms;

    while (n_failed-- > 0 && bound < MAX_DELAY_MS)
        bound *= 2;
    if (bound > MAX_DELAY_MS)
        bound = MAX_DELAY_MS;
    return (uint64_t)(rng_uniform(rng) * (double)bound);
}

/* Reads digits; returns what follows them, NULL if there are none. */
static const char *take_number(const char *s, uint64_t *out)
{
    const char *begin = s;

    for (*out = 0; *s >= '0' && *s <= '9'; s++) {
        if (*out > (UINT64_MAX - 9) / 10)
            return NULL;
        *out = *out * 10 + (uint64_t)(*s - '0');
    }
    return s == begin ? NULL : s;
}

int retry_content_range(const char *text, uint64_t *first, uint64_t *last,
                        uint64_t *total)
{
    const char *s = text;

    if (strncmp(s, "bytes ", 6) != 0)
        return -1;
    s = take_number(s + 6, first);
    if (!s || *s != '-')
        return -1;
    s = take_number(s + 1, last);
    if (!s || *s != '/')
        return -1;
    if (strcmp(s + 1, "*") == 0) {
        *total = UINT64_MAX;
    } else {
        s = take_number(s + 1, total);
        if (!s || *s)
            return -1;
    }
    return *first <= *last && *last < *total ? 0 : -1;
}

bool retry_strong_etag(const char *etag)
{
    size_t n = strlen(etag);

    return n > 2 && etag[0] == '"' && etag[n - 1] == '"';
}
