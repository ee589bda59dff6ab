/*
 * plot - curves, bars and images, drawn by gnuplot.
 *
 * Everything is drawn twice, as name.png and name.svg; an image, whose points
 * are pixels, as name.png alone. gnuplot is looked for when something is
 * drawn, not before.
 */
#ifndef TOOL_PLOT_H
#define TOOL_PLOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* One curve. */
struct plot_curve {
    const char *name;     /* in the key */
    const float *y;       /* (n) values */
    const uint8_t *valid; /* (n) 0 leaves a gap; NULL: all valid */
    size_t n;             /* frames */
};

/*
 * Draws curves on one time axis into folder/name, aside and renamed.
 *
 * folder: made if it is missing
 * title:  shown above, control characters removed
 * time of frame k: t0_s + k * step_s
 * Returns 0; -1 with err set: ERR_FAILED if gnuplot is missing or fails.
 */
int plot_curves(const char *folder, const char *name, const char *title,
                double t0_s, double step_s, const struct plot_curve *curves,
                size_t n_curves, struct err *err) NODISCARD;

/* What the axes of a diagram say. */
struct plot_axes {
    const char *x; /* to the right */
    const char *y; /* upwards */
};

/*
 * Draws curves over anything else than time: value k is at x0 + k * step.
 * As plot_curves().
 */
int plot_lines(const char *folder, const char *name, const char *title,
               const struct plot_axes *axes, double x0, double step,
               const struct plot_curve *curves, size_t n_curves,
               struct err *err) NODISCARD;

/*
 * Draws how many of n values within [lo, hi] lie in each of PLOT_BARS equal
 * parts of the axis, which shows the twentieths of [lo, hi] that hold values.
 * NaN lies nowhere. As plot_curves().
 */
int plot_histogram(const char *folder, const char *name, const char *title,
                   const struct plot_axes *axes, const double *values,
                   size_t n, double lo, double hi,
                   struct err *err) NODISCARD;

/* Bars of a histogram. */
#define PLOT_BARS 40

/* One diagram of several that stand above one another. */
struct plot_panel {
    const char *label;       /* of the vertical axis */
    struct plot_curve curve; /* what it shows */
    double t0_s;             /* time of the curve's first value */
    double step_s;           /* time between two values */
};

/*
 * Draws panels above one another, each with its own time steps and vertical
 * axis, on one common span of time, into folder/name. As plot_curves().
 */
int plot_panels(const char *folder, const char *name, const char *title,
                const struct plot_panel *panels, size_t n_panels,
                struct err *err) NODISCARD;

/*
 * Draws features as an image, time to the right, coefficients upwards, into
 * folder/name.png. As plot_curves().
 *
 * x: (T, C); colours are z-scores of each coefficient over the frames, so
 * that all of them can be seen. Over PLOT_MAX_COLUMNS frames, neighbours are
 * averaged.
 */
int plot_image(const char *folder, const char *name, const char *title,
               double t0_s, double step_s, const float *x, size_t T,
               size_t C, struct err *err) NODISCARD;

/* Most columns of an image. */
#define PLOT_MAX_COLUMNS 2000

/* Appends what was drawn as folder/name.svg. Returns 0; -1 with err set. */
int plot_read(const char *folder, const char *name, struct buf *svg,
              struct err *err) NODISCARD;

/*
 * A file name for the number-th picture of a key: "0001-file-108-100083".
 * Letters, digits, dots and hyphens stay, all else becomes a hyphen.
 */
void plot_name(struct buf *name, size_t number, const char *key);

#endif
