/*
 * pace - sums and quotients.
 */
#include "train/pace.h"

#include "train/stop.h"

/* Keeps quotients of nothing finite. */
#define LEAST_S 1e-9

void pace_begin(struct pace *p, double flop_per_frame)
{
    *p = (struct pace){.flop_per_frame = flop_per_frame,
                       .begun_s = stop_clock()};
}

void pace_wait(struct pace *p, double seconds)
{
    p->wait_s += seconds;
}

void pace_step(struct pace *p, double seconds, double loss, uint64_t frames,
               uint64_t recordings)
{
    p->work_s += seconds;
    p->loss += loss;
    p->steps++;
    p->frames += frames;
    p->recordings += recordings;
}

double pace_left_s(const struct pace *p, uint64_t steps)
{
    if (p->steps == 0)
        return 0;
    return (stop_clock() - p->begun_s) / (double)p->steps * (double)steps;
}

void pace_put(struct buf *b, const struct pace *p)
{
    double all = p->work_s + p->wait_s + LEAST_S;

    buf_printf(b,
               "%.0f frames/s, %.3g recordings/s, %.3g GFLOP/s, %.0f %% "
               "waiting for data",
               (double)p->frames / all, (double)p->recordings / all,
               1e-9 * p->flop_per_frame * (double)p->frames / all,
               100 * p->wait_s / all);
}

void pace_put_time(struct buf *b, double seconds)
{
    if (seconds < 120)
        buf_printf(b, "%.0f s", seconds);
    else if (seconds < 7200)
        buf_printf(b, "%.0f min", seconds / 60);
    else
        buf_printf(b, "%.1f h", seconds / 3600);
}
