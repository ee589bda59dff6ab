/*
 * stop - a signal flag and a clock.
 */
#include "train/stop.h"

#include <time.h>

double stop_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool stop_now(const struct stop *s)
{
    return stop_signal(s) != 0 ||
           (s->deadline_s > 0 && stop_clock() >= s->deadline_s);
}

int stop_signal(const struct stop *s)
{
    return s->signal ? (int)*s->signal : 0;
}
