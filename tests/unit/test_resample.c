/*
 * test_resample - the resampler against torchaudio.transforms.Resample.
 */
#include "tap.h"

#include <stdlib.h>

#include "base/err.h"
#include "signal/resample.h"
#include "song.h"

/* Opens a conversion or stops the program. */
static struct resample *must_open(enum config_resampler method, uint32_t in_hz,
                                  uint32_t out_hz)
{
    struct err err;
    struct resample *r = resample_open(method, in_hz, out_hz, &err);

    if (!r) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }
    return r;
}

/* Converts in pieces of at most `piece`, or stops the program. */
static const float *in_pieces(struct resample *r, const float *x, size_t n,
                              size_t piece)
{
    size_t i, n_out;
    struct err err;
    float *y;
    int failed = resample_begin(r, &err);

    for (i = 0; i < n && !failed; i += piece)
        failed = resample_add(r, x + i, n - i < piece ? n - i : piece, &err);
    if (failed || resample_end(r, &y, &n_out, &err)) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }
    if (n_out != resample_n_out(r, n)) {
        printf("Bail out! %zu samples\n", n_out);
        exit(1);
    }
    return y;
}

/* Converts at once or stops the program. */
static const float *must_run(struct resample *r, const float *x, size_t n)
{
    return in_pieces(r, x, n, n);
}

/* Largest difference over the three stretches of one golden case. */
static double golden_case(FILE *f, const float *y)
{
    double worst = 0, want;
    size_t at, i;
    int row;

    for (row = 0; row < 3; row++) {
        if (fscanf(f, " at %zu", &at) != 1)
            return INFINITY;
        for (i = 0; i < 12; i++) {
            if (fscanf(f, "%lf", &want) != 1)
                return INFINITY;
            worst = fmax(worst, fabs((double)y[at + i] - want));
        }
    }
    return worst;
}

/* Both kernels, up and down, against torchaudio within 1e-5. */
static void test_golden(void)
{
    FILE *f = fopen("tests/golden/resample.txt", "r");
    unsigned in_hz, out_hz;
    size_t n, n_out;
    int cases = 0;
    char name[32];

    if (!tap_ok(f != NULL, "golden numbers are there"))
        return;
    if (fscanf(f, "#%*[^\n]") != 0)
        tap_ok(false, "golden numbers begin with a comment");
    while (fscanf(f, " case %31s %zu %u %u %zu", name, &n, &in_hz, &out_hz,
                  &n_out) == 5) {
        enum config_resampler method = strcmp(name, "torchaudio") == 0
                                           ? CONFIG_RESAMPLE_TORCHAUDIO
                                           : CONFIG_KAISER_BEST;
        struct resample *r = must_open(method, in_hz, out_hz);
        float *x = song_make(n, in_hz);
        double worst;

        tap_ok(resample_n_out(r, n) == n_out, "%s %u to %u: %zu samples",
               name, in_hz, out_hz, n_out);
        worst = golden_case(f, must_run(r, x, n));
        tap_ok(worst < 1e-5, "%s %u to %u: %.1e from torchaudio", name,
               in_hz, out_hz, worst);
        free(x);
        resample_close(r);
        cases++;
    }
    fclose(f);
    tap_ok(cases == 8, "8 golden cases, got %d", cases);
}

/* Largest error against a tone of hz, away from the ends. */
static double tone_error(const float *y, size_t n, double hz, double rate)
{
    double worst = 0;
    size_t i;

    for (i = n / 4; i < 3 * n / 4; i++)
        worst = fmax(worst, fabs((double)y[i] - sin(2 * 3.14159265358979 *
                                                     hz * (double)i / rate)));
    return worst;
}

/* A tone keeps its phase and height; one above Nyquist goes. */
static void test_tones(void)
{
    static const struct {
        enum config_resampler method; /* which resampler */
        double pass;                  /* error allowed on 1 kHz */
        double stop;                  /* what may remain of 10 kHz */
        const char *name;             /* for messages */
    } methods[] = {
        {CONFIG_KAISER_BEST, 1e-5, 1e-5, "kaiser_best"},
        {CONFIG_SOXR_HQ, 1e-5, 1e-4, "soxr_hq"},
        {CONFIG_RESAMPLE_TORCHAUDIO, 5e-3, 1e-2, "torchaudio"},
    };
    size_t m, i, n = 20000, n_out;
    float *x = calloc(n, sizeof(*x));
    double left, bad;

    for (m = 0; m < sizeof(methods) / sizeof(*methods); m++) {
        struct resample *r = must_open(methods[m].method, 44100, 16000);

        n_out = resample_n_out(r, n);
        for (i = 0; i < n; i++)
            x[i] = (float)sin(2 * 3.14159265358979 * 1000 * (double)i / 44100);
        bad = tone_error(must_run(r, x, n), n_out, 1000, 16000);
        tap_ok(bad < methods[m].pass, "%s keeps 1 kHz: off by %.1e",
               methods[m].name, bad);
        for (i = 0; i < n; i++)
            x[i] = (float)sin(2 * 3.14159265358979 * 10000 * (double)i /
                              44100);
        left = tone_error(must_run(r, x, n), n_out, 0, 16000);
        tap_ok(left < methods[m].stop, "%s stops 10 kHz: %.1e remains",
               methods[m].name, left);
        resample_close(r);
    }
    free(x);
}

/* Equal rates hand the signal back; lengths round up. */
static void test_lengths(void)
{
    struct resample *same = must_open(CONFIG_KAISER_BEST, 16000, 16000);
    struct resample *down = must_open(CONFIG_SOXR_HQ, 44100, 16000);
    float x[3] = {0.5f, -0.5f, 0.25f};

    tap_ok(memcmp(must_run(same, x, 3), x, sizeof(x)) == 0,
           "equal rates change nothing");
    tap_ok(resample_n_out(down, 441) == 160, "441 samples become 160");
    tap_ok(resample_n_out(down, 442) == 161, "442 samples become 161");
    tap_ok(resample_n_out(down, 1) == 1, "one sample stays one");
    tap_ok(must_run(down, x, 3) != NULL, "three samples through libsoxr");
    resample_close(same);
    resample_close(down);
}

/* The plain path gives the bits of the fast one. */
static void test_plain(void)
{
    struct resample *fast = must_open(CONFIG_KAISER_BEST, 44100, 16000);
    struct resample *plain = must_open(CONFIG_KAISER_BEST, 44100, 16000);
    float *x = song_make(44101, 44100);
    const float *a, *b;

    resample_plain(plain);
    a = must_run(fast, x, 44101);
    b = must_run(plain, x, 44101);
    tap_ok(memcmp(a, b, resample_n_out(fast, 44101) * sizeof(*a)) == 0,
           "plain and fast paths agree bit for bit");
    resample_close(fast);
    resample_close(plain);
    free(x);
}

/* Where a signal is cut changes no bit; a second signal begins anew. */
static void test_pieces(void)
{
    static const enum config_resampler methods[] = {
        CONFIG_KAISER_BEST, CONFIG_RESAMPLE_TORCHAUDIO, CONFIG_SOXR_HQ};
    static const uint32_t out_hz[] = {16000, 48000, 44100};
    float *x = song_make(20011, 44100);
    size_t m, i;

    for (m = 0; m < 3; m++)
        for (i = 0; i < 3; i++) {
            struct resample *a = must_open(methods[m], 44100, out_hz[i]);
            struct resample *b = must_open(methods[m], 44100, out_hz[i]);
            size_t n = resample_n_out(a, 20011);

            must_run(a, x + 500, 777);
            tap_ok(memcmp(must_run(a, x, 20011), in_pieces(b, x, 20011, 97),
                          n * sizeof(*x)) == 0,
                   "method %zu to %u Hz: the same in pieces", m, out_hz[i]);
            resample_close(a);
            resample_close(b);
        }
    free(x);
}

/*
 * A signal that goes on: what is taken on the way and the rest at the end are
 * the whole, and no output comes later than the delay says.
 */
static void test_taken(void)
{
    static const enum config_resampler methods[] = {
        CONFIG_KAISER_BEST, CONFIG_RESAMPLE_TORCHAUDIO, CONFIG_SOXR_HQ};
    static const uint32_t out_hz[] = {16000, 48000, 44100};
    size_t N = 60011, m, i, k, n, at;
    float *x = song_make(N, 44100), *whole = calloc(70000, sizeof *x), *out;
    struct err err;

    for (m = 0; m < 9; m++) {
        struct resample *r = must_open(methods[m / 3], 44100, out_hz[m % 3]);
        double ratio = (double)out_hz[m % 3] / 44100, delay, late = -1e9;
        bool fine = resample_delay(r, &delay, &err) == 0 &&
                    resample_begin(r, &err) == 0;

        for (i = at = 0; i < N && fine; i += k) {
            k = i % 3 == 0 ? 1 : i % 3 == 1 ? 97 : 1500;
            k = i + k > N ? N - i : k;
            fine = resample_add(r, x + i, k, &err) == 0;
            resample_take(r, &out, &n);
            memcpy(whole + at, out, n * sizeof *x);
            at += n;
            late = fmax(late, (double)(i + k) - (double)at / ratio);
        }
        tap_ok(late <= delay, "method %zu to %u Hz: %.1f samples late of %.1f",
               m / 3, out_hz[m % 3], late, delay);
        fine = fine && resample_end(r, &out, &n, &err) == 0;
        memcpy(whole + at, out, n * sizeof *x);
        at += n;
        tap_ok(fine && at == resample_n_out(r, N) &&
                   memcmp(whole, must_run(r, x, N), at * sizeof *x) == 0,
               "method %zu to %u Hz: the same when taken on the way", m / 3,
               out_hz[m % 3]);
        resample_close(r);
    }
    free(whole);
    free(x);
}

/* A ratio without common factors is refused with its size. */
static void test_absurd(void)
{
    struct resample *r;
    struct err err = {0};

    r = resample_open(CONFIG_KAISER_BEST, 44100, 16001, &err);
    tap_ok(!r && err.status == ERR_DATA, "44100 to 16001 Hz: status 65");
    tap_ok(strstr(err.text, "44100:16001") && strstr(err.text, "soxr_hq"),
           "it names ratio and way out: %s", err.text);
    r = resample_open(CONFIG_RESAMPLE_NONE, 44100, 16000, &err);
    tap_ok(!r && err.status == ERR_DATA && strstr(err.text, "none"),
           "none refuses: %s", err.text);
    r = resample_open(CONFIG_SOXR_HQ, 44100, 16001, &err);
    tap_ok(r != NULL, "libsoxr takes it");
    resample_close(r);
}

/* All tests. */
int main(void)
{
    test_golden();
    test_tones();
    test_lengths();
    test_plain();
    test_pieces();
    test_taken();
    test_absurd();
    return tap_done();
}
