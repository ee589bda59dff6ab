/*
 * plot - curves over time as a PNG, drawn by gnuplot.
 *
 * gnuplot is looked for when something is drawn, not before.
 */
#ifndef TOOL_PLOT_H
#define TOOL_PLOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One curve. */
struct plot_curve {
    const char *name;     /* in the key */
    const float *y;       /* (n) values */
    const uint8_t *valid; /* (n) 0 leaves a gap; NULL: all valid */
    size_t n;             /* frames */
};

/*
 * Draws curves on one time axis into folder/name.png, aside and renamed.
 *
 * folder: made if it is missing
 * title:  shown above, control characters removed
 * time of frame k: t0_s + k * step_s
 * Returns 0; -1 with err set: ERR_FAILED if gnuplot is missing or fails.
 */
int plot_curves(const char *folder, const char *name, const char *title,
                double t0_s, double step_s, const struct plot_curve *curves,
                size_t n_curves, struct err *err) NODISCARD;

#endif
