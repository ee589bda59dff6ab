/*
 * stop - reasons to leave a run early: a signal the program caught, or a
 * time limit. Asked after every step, every validated recording and while
 * waiting for input, so that none of them can hold a run up.
 */
#ifndef TRAIN_STOP_H
#define TRAIN_STOP_H

#include <signal.h>
#include <stdbool.h>

/* What may stop a run; {0} never does. */
struct stop {
    const volatile sig_atomic_t *signal; /* its number, 0: none; borrowed */
    double deadline_s;                   /* of stop_clock(); 0: none */
};

/* Seconds of a clock that only goes forward. */
double stop_clock(void);

/* Whether to stop now. */
bool stop_now(const struct stop *s);

/* The signal that asked for it, or 0: the time was up. */
int stop_signal(const struct stop *s);

#endif
