/*
 * cvxeda - skin conductance as a sum of a slow level, responses to sparse
 * bursts of the sudomotor nerve, and noise: a convex problem with one answer.
 *
 * Source: Greco, Valenza, Lanata, Scilingo & Citi, "cvxEDA: a convex
 * optimization approach to electrodermal activity processing", IEEE
 * Transactions on Biomedical Engineering 63(4), 2016. The solver is our own.
 */
#ifndef SIGNAL_CVXEDA_H
#define SIGNAL_CVXEDA_H

#include <stddef.h>

#include "base/err.h"

/* Highest rate the equations are solved at, Hz; above they lose digits. */
#define CVXEDA_MAX_HZ 25.0

/* Fewest samples. */
#define CVXEDA_MIN_SAMPLES 8

/* What is taken for granted; the paper's values are in brackets. */
struct cvxeda_model {
    double slow_s; /* slow time constant of a response, s [2] */
    double fast_s; /* fast time constant, s, under slow_s [0.7] */
    double knot_s; /* between two spline knots, s [10] */
    double alpha;  /* price of a unit of the driver [8e-4] */
    double gamma;  /* price of a squared spline weight [1e-2] */
};

/* The paper's model. */
#define CVXEDA_MODEL_INIT {2, 0.7, 10, 8e-4, 1e-2}

/* A solver; {0} is none, its memory is reused. */
struct cvxeda {
    struct cvxeda_model model; /* of the last call */
    size_t n;           /* samples */
    size_t m;           /* slow regressors: splines, constant, slope */
    size_t step;        /* samples between two spline knots */
    double ar[3];       /* band of A, from the diagonal down */
    double *kernel;     /* (4 step - 3) one spline, largest value 1 */
    const double *y;    /* (n) signal, borrowed during a call */
    double *q, *u;      /* (n), (m): the unknowns */
    double *s, *z;      /* (n), (n): driver A q, and its multipliers */
    double *dq, *du;    /* (n), (m): a step */
    double *ds, *dz;    /* (n), (n): a step */
    double *rq, *ru;    /* (n), (m): dual residuals */
    double *rp, *rc;    /* (n), (n): primal and complementary residuals */
    double *w, *fit;    /* (n), (n): z / s, and M q + N u - y */
    double *bq, *bu;    /* (n), (m): right sides of a step */
    double *d, *l1, *l2; /* (n) each: 1 / D and the bands of L, K = L D L' */
    double *v;          /* (n, CVXEDA_BLOCK) columns being solved */
    double *uu, *schur; /* (m, m) each */
    double *memory;     /* all of the above, owned */
    size_t cap;         /* doubles in memory */
    size_t n_steps;     /* interior-point steps of the last call */
};

/*
 * Decomposes one signal.
 *
 * model: numbers over 0
 * y: (n) z-scored, without NaN, n >= CVXEDA_MIN_SAMPLES
 * rate_hz: sampling rate, at most CVXEDA_MAX_HZ
 * phasic, tonic: (n) results, in the unit of y; y less both is noise
 * objective: the least value of the paper's equation 13
 * Returns 0; -1 with ERR_DATA if the numbers do not allow it.
 */
int cvxeda_solve(struct cvxeda *c, const struct cvxeda_model *model,
                 const double *y, size_t n, double rate_hz, double *phasic,
                 double *tonic, double *objective,
                 struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void cvxeda_release(struct cvxeda *c);

#endif
