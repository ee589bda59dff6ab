/*
 * banner - resolved numbers as text.
 */
#include "train/banner.h"

#include <inttypes.h>

#include "train/step.h"

/* Bytes of the program and its libraries before anything is computed. */
#define PROGRAM (6.0 * 1048576)

/* Frames a second. */
static double frame_rate(const struct intake_plan *p)
{
    return (double)p->rate_num / (double)p->rate_den;
}

/* Appends a size in the unit that fits. */
static void put_size(struct buf *b, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;

    while (bytes >= 1024 && i < 4) {
        bytes /= 1024;
        i++;
    }
    buf_printf(b, "%.*f %s", i ? 1 : 0, bytes, units[i]);
}

/* Bytes of the batches held at once: the effective batch, those read ahead
   and the one being read, as far as there are so many. */
static double batches_size(const struct banner *what)
{
    const struct intake_plan *p = what->plan;
    const struct config *c = what->conf;
    int64_t ahead = c->data.prefetch_size;
    double held = (double)(c->train.accumulate_grad_batches +
                           (ahead > 1 ? ahead : 1) + 1);
    struct intake_position end = {p->epochs, 0};
    double all = (double)intake_plan_batches(p, end);
    double rows = (double)(p->batch_size < p->recordings ? p->batch_size
                                                         : p->recordings);

    return (held < all ? held : all) * rows * (double)p->T_max *
           (double)((p->C + 1) * sizeof(float) + 1);
}

/* Bytes of the validation: its signals, features and workspaces. */
static double val_size(const struct banner *what)
{
    if (what->n_val == 0)
        return 0;
    return (double)what->val_frames * (sizeof(float) + 1) +
           what->n_threads *
               ((double)(what->val_T * what->plan->C * sizeof(float)) +
                (double)model_work_size(what->model, what->val_T, MODEL_EVAL));
}

double banner_memory(const struct banner *what)
{
    const struct intake_plan *p = what->plan;
    double weights = sizeof(float) * (double)what->model->n_weights;
    double levels = 0; /* of reduce.h where a sum waits */
    /* a file of a checkpoint is copied before it is written */
    double copy = what->n_moments > 1 ? (double)what->n_moments : 1;
    uint64_t rows;

    for (rows = p->batch_size; rows > 1; rows /= 2)
        levels++;
    return PROGRAM +
           weights * (1 + (double)what->n_moments + copy + what->n_threads +
                      levels) +
           what->n_threads *
               ((double)model_work_size(what->model, p->T_max,
                                        (int)step_training(what->conf)) +
                (double)(p->T_max * sizeof(float))) +
           batches_size(what) + val_size(what);
}

/* The model: its size and what it sees. */
static void put_model(struct buf *b, const struct banner *what)
{
    double rate = frame_rate(what->plan);
    size_t past, future, whole;

    model_receptive_field(what->model, &past, &future, &whole);
    buf_printf(b, "model: %s, %zu parameters in %zu tensors, %zu inputs\n",
               config_architecture_name(what->conf->model.architecture),
               what->model->n_weights, what->model->n_params,
               what->model->input_size);
    buf_printf(b,
               "receptive field: %zu frames (%.2f s): %zu past (%.2f s), "
               "%zu future (%.2f s)\n",
               whole, (double)whole / rate, past, (double)past / rate, future,
               (double)future / rate);
}

/* The data. */
static void put_data(struct buf *b, const struct banner *what)
{
    const struct intake_plan *p = what->plan;

    buf_printf(b,
               "data: %" PRIu64 " recordings of %" PRIu64 " songs, %s %zu "
               "frames (%.1f s), %.6g frames/s, validation on %zu "
               "recordings\n",
               p->recordings, p->songs,
               p->window ? "in windows of" : "at most", p->T_max,
               (double)p->T_max / frame_rate(p), frame_rate(p), what->n_val);
}

/* The steps. */
static void put_steps(struct buf *b, const struct banner *what)
{
    const struct config *c = what->conf;

    buf_printf(b,
               "steps: %" PRIu64 " in %" PRIu64 " epochs, %" PRId64
               " recordings x %" PRId64 " batches a step, %" PRIu64 " done\n",
               what->total_steps, what->plan->epochs, c->data.batch_size,
               c->train.accumulate_grad_batches, what->done_steps);
    buf_printf(b,
               "optimizer: learning rate %g, weight decay %g, clipping "
               "at %g, seed %" PRId64 "\n",
               c->optimizer.learning_rate, c->optimizer.weight_decay,
               c->optimizer.gradient_clip_val, c->seed);
}

/* What it costs. */
static void put_cost(struct buf *b, const struct banner *what)
{
    double macs = model_macs_per_frame(what->model);

    /* backward is two products for each of the forward's */
    buf_printf(b,
               "cost: %.3g MFLOP a frame forward, %.3g with backward; "
               "about ",
               2e-6 * macs, 6e-6 * macs);
    put_size(b, banner_memory(what));
    buf_printf(b, " of memory with %d thread%s", what->n_threads,
               what->n_threads == 1 ? "" : "s");
    if (what->n_processes > 1)
        buf_printf(b, " in each of %d processes", what->n_processes);
    if (what->conf->hardware.precision == CONFIG_BF16)
        buf_puts(b, ", products in bf16");
    buf_puts(b, "\n");
}

void banner_put(struct buf *b, const struct banner *what)
{
    put_model(b, what);
    put_data(b, what);
    put_steps(b, what);
    put_cost(b, what);
}

void banner_warn(struct buf *b, const struct banner *what)
{
    uint64_t rows = what->plan->batch_size *
                    (uint64_t)what->conf->train.accumulate_grad_batches;
    size_t past, future, whole;
    double past_s;

    if ((uint64_t)what->n_processes > rows)
        buf_printf(b,
                   "%d processes share steps of at most %" PRIu64 " songs: "
                   "some have nothing to do\n",
                   what->n_processes, rows);
    model_receptive_field(what->model, &past, &future, &whole);
    past_s = (double)past / frame_rate(what->plan);
    if (past_s < BANNER_MIN_PAST_S)
        buf_printf(b,
                   "the model sees %.2f s of the past: a skin response "
                   "lasts longer, so give it more (a larger "
                   "audio_hop_length, kernel, or more layers) to at least "
                   "%g s\n",
                   past_s, BANNER_MIN_PAST_S);
    if (what->memory > 0 && banner_memory(what) > 0.9 * what->memory) {
        buf_puts(b, "the run needs about ");
        put_size(b, banner_memory(what));
        buf_puts(b, " of memory and may have ");
        put_size(b, what->memory);
        buf_puts(b, ": fewer threads (-j), shorter rows (a2b-batch --window), "
                    "a smaller data.batch_size or data.prefetch_size\n");
    }
    if (what->plan->window && what->plan->T_max < whole)
        buf_printf(b,
                   "a window has %zu frames, the model sees %zu: the rest "
                   "are zeros (a larger a2b-batch --window)\n",
                   what->plan->T_max, whole);
}
