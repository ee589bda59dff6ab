/* test_loss - masked losses and gradients against PyTorch's autograd. */
#include "tap.h"

#include <stdlib.h>

#include "nn/loss.h"
#include "nn_golden.h"

/* Recordings in it, and a length none reaches. */
#define N 3
#define LONGEST 64

/* One recording. */
struct recording {
    float p[LONGEST], y[LONGEST]; /* prediction, target */
    uint8_t valid[LONGEST];       /* mask */
    size_t T;                     /* frames */
};

/* One line of numbers for recording r. */
static double *line(const char *name, const char *between, int r, size_t *n)
{
    char key[64];

    snprintf(key, sizeof(key), "%s%s%d", name, between, r);
    return golden("loss", key, n);
}

/* Reads the recordings. */
static void load(struct recording recordings[N])
{
    for (int r = 0; r < N; r++) {
        struct recording *rec = &recordings[r];
        double *p = line("p", "", r, &rec->T), *y = line("y", "", r, &rec->T);
        double *valid = line("valid", "", r, &rec->T);

        for (size_t t = 0; t < rec->T; t++) {
            rec->p[t] = (float)p[t];
            rec->y[t] = (float)y[t];
            rec->valid[t] = valid[t] != 0;
        }
        free(p), free(y), free(valid);
    }
}

/* The golden file's divisors. */
static struct loss_divisors count(const struct recording recordings[N])
{
    struct loss_divisors d = {0};

    for (int r = 0; r < N; r++)
        loss_count(&d, recordings[r].valid, recordings[r].T);
    return d;
}

/* One loss: value, gradients that are added, value without gradients. */
static void check(const struct recording recordings[N], const char *name,
                  struct config_loss_term *terms, size_t n_terms)
{
    int64_t sizes[] = {4, 8};
    struct config_loss conf = {.delta = 0.7,
                               .beta = 0.3,
                               .spectral_sizes = sizes,
                               .n_spectral_sizes = 2,
                               .soft_dtw_gamma = 0.4,
                               .soft_dtw_pool = 3,
                               .terms = terms,
                               .n_terms = n_terms};
    struct loss_divisors d = count(recordings);
    double sum = 0, alone = 0, gap = 0, *want;
    size_t n;

    for (int r = 0; r < N; r++) {
        const struct recording *rec = &recordings[r];
        float dp[LONGEST];

        for (size_t t = 0; t < rec->T; t++)
            dp[t] = 1;
        sum +=
            loss_recording(&conf, &d, rec->p, rec->y, rec->valid, rec->T, dp);
        alone +=
            loss_recording(&conf, &d, rec->p, rec->y, rec->valid, rec->T, NULL);
        want = line(name, "@", r, &n);
        for (size_t t = 0; t < n; t++)
            want[t] += 1;
        gap = golden_worse(gap, golden_gap(dp, want, n));
        free(want);
    }
    want = golden("loss", name, &n);
    tap_near(sum, *want, 1e-12, name);
    tap_ok(gap < 1e-6, "%s: gradients, added to what was there", name);
    tap_ok(sum == alone, "%s: the same value without gradients", name);
    free(want);
}

/* All single losses and a weighted sum. */
static void test_golden(const struct recording recordings[N])
{
    static const char *const names[] = {
        "mse", "l1",      "huber",      "smooth_l1", "ccc",
        "pearson", "derivative", "spectral", "soft_dtw"};
    struct config_loss_term sum[] = {{CONFIG_LOSS_PEARSON, 1},
                                     {CONFIG_LOSS_MSE, 0.25},
                                     {CONFIG_LOSS_DERIVATIVE, 0.5}};

    for (int i = 0; i < 9; i++) {
        struct config_loss_term one = {(enum config_loss_name)i, 1};

        check(recordings, names[i], &one, 1);
    }
    check(recordings, "custom", sum, 3);
}

/* Frames, pairs and recordings are counted over all recordings. */
static void test_count(void)
{
    struct loss_divisors d = {0};
    const uint8_t a[] = {1, 1, 0, 1, 1, 1}, none[] = {0, 0};

    loss_count(&d, a, 6);
    loss_count(&d, none, 2);
    loss_count(&d, a, 1);
    tap_ok(d.frames == 6 && d.pairs == 3 && d.recordings == 2,
           "divisors: frames, pairs, recordings");
}

/* Masked frames, even NaN, touch nothing. */
static void test_masked(void)
{
    const uint8_t valid[] = {1, 0, 1, 1}, none[] = {0, 0, 0, 0};
    const float p[] = {1, NAN, 2, 4}, y[] = {0, NAN, 2, 1};
    struct config_loss_term terms[9];
    int64_t sizes[] = {4};
    struct config_loss conf = {.delta = 1,
                               .beta = 1,
                               .spectral_sizes = sizes,
                               .n_spectral_sizes = 1,
                               .soft_dtw_gamma = 1,
                               .soft_dtw_pool = 2,
                               .terms = terms,
                               .n_terms = 9};
    struct loss_divisors d = {0}, zero = {0};
    float dp[4] = {0};
    double value;

    for (int i = 0; i < 9; i++)
        terms[i] = (struct config_loss_term){(enum config_loss_name)i, 1};
    loss_count(&d, valid, 4);
    value = loss_recording(&conf, &d, p, y, valid, 4, dp);
    tap_ok(isfinite(value) && dp[1] == 0 && isfinite(dp[0]) &&
               isfinite(dp[2]) && isfinite(dp[3]),
           "a masked NaN is not seen");
    memset(dp, 0, sizeof(dp));
    tap_ok(loss_recording(&conf, &d, p, y, none, 4, dp) == 0 && dp[0] == 0 &&
               loss_recording(&conf, &zero, p, y, none, 4, dp) == 0,
           "a recording without a valid frame adds nothing");
}

/*
 * Gradients of spectral and soft_dtw over longer signals against central
 * differences, exact in the step that float32 signals really take.
 */
static void test_differences(enum config_loss_name name, const char *title)
{
    enum { T = 60 };
    int64_t sizes[] = {8, 16, 32};
    struct config_loss_term term = {name, 1};
    struct config_loss conf = {.spectral_sizes = sizes,
                               .n_spectral_sizes = 3,
                               .soft_dtw_gamma = 0.5,
                               .soft_dtw_pool = 4,
                               .terms = &term,
                               .n_terms = 1};
    struct loss_divisors d = {T, T - 1, 1};
    const float h = 1.0f / 4096;
    float p[T], y[T], dp[T] = {0};
    double worst = 0, largest = 0, ends[2], at[2];
    uint8_t valid[T];

    for (size_t t = 0; t < T; t++) {
        p[t] = golden_wave(t, 1, 0.41, 0.1) + golden_wave(t, 0.5, 1.9, 0.6);
        y[t] = golden_wave(t, 1.3, 0.37, 0.5) + golden_wave(t, 0.7, 2.3, 0.2);
        valid[t] = t != 37;
    }
    loss_recording(&conf, &d, p, y, valid, T, dp);
    for (size_t t = 0; t < T; t++) {
        float kept = p[t];

        for (int side = 0; side < 2; side++) {
            p[t] = kept + (side ? h : -h);
            at[side] = (double)p[t];
            ends[side] = loss_recording(&conf, &d, p, y, valid, T, NULL);
        }
        p[t] = kept;
        worst = golden_worse(worst, fabs((ends[1] - ends[0]) /
                                             (at[1] - at[0]) -
                                         (double)dp[t]));
        largest = fabs((double)dp[t]) > largest ? fabs((double)dp[t]) : largest;
    }
    if (!tap_ok(worst < 1e-3 * largest && largest > 0, "%s: central "
                "differences", title))
        printf("# %g of %g\n", worst, largest);
    memset(dp, 0, sizeof dp);
    tap_ok(fabs(loss_recording(&conf, &d, y, y, valid, T, dp)) < 1e-12 &&
               fabs((double)dp[3]) < 1e-6,
           "%s: 0 where both are equal", title);
}

/* A constant target or prediction gives a finite loss and gradient. */
static void test_constant(void)
{
    const uint8_t valid[] = {1, 1, 1};
    const float flat[] = {2, 2, 2}, slope[] = {1, 2, 3};
    struct config_loss_term terms[] = {{CONFIG_LOSS_PEARSON, 1},
                                       {CONFIG_LOSS_CCC, 1}};
    struct config_loss conf = {.terms = terms, .n_terms = 2};
    struct loss_divisors d = {3, 2, 1};
    float dp[3] = {0};

    tap_near(loss_recording(&conf, &d, slope, flat, valid, 3, dp), 2, 1e-12,
             "a constant target: no correlation");
    tap_near(loss_recording(&conf, &d, flat, slope, valid, 3, dp), 2, 1e-12,
             "a constant prediction: no correlation");
    tap_ok(isfinite(dp[0]) && isfinite(dp[1]) && isfinite(dp[2]),
           "and a finite gradient");
}

/* Runs all. */
int main(void)
{
    static struct recording recordings[N];

    load(recordings);
    test_golden(recordings);
    test_count();
    test_masked();
    test_differences(CONFIG_LOSS_SPECTRAL, "spectral");
    test_differences(CONFIG_LOSS_SOFT_DTW, "soft_dtw");
    test_constant();
    return tap_done();
}
