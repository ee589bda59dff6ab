/*
 * snapshot - what of a run goes into its checkpoints, and when which stay.
 */
#include "train/snapshot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

size_t snapshot_moments(const struct run *t,
                        struct ckpt_moment out[OPTIM_STATES])
{
    const struct optim *o = &t->step.optim;
    size_t i;

    for (i = 0; i < o->n_states; i++)
        out[i] = (struct ckpt_moment){o->states[i].name, o->states[i].data};
    return o->n_states;
}

/* What a checkpoint of this moment holds. */
static struct ckpt_content content_of(const struct run *t,
                                      struct ckpt_moment *moments)
{
    return (struct ckpt_content){.model = &t->model,
                                 .average = t->step.optim.average,
                                 .moments = moments,
                                 .n_moments = snapshot_moments(t, moments),
                                 .dataset = &t->intake.dataset,
                                 .plan = &t->intake.plan,
                                 .state = &t->state,
                                 .config = buf_text(&t->yaml),
                                 .version = t->o->version};
}

/* Sets the links. */
static int link_kept(const struct run *t, struct err *err)
{
    const struct monitor *m = &t->state.monitor;

    if (ckpt_link(t->o->run, "best", m->kept[monitor_best(m)].step, err))
        return -1;
    return ckpt_link(t->o->run, "last", t->state.step, err);
}

/* Refuses a checkpoint that will not fit, before a byte of it is written. */
static int check_room(const struct run *t, struct err *err)
{
    uint64_t room = ckpt_room(t->o->run);

    if (room >= t->ckpt_size)
        return 0;
    err_set(err, ERR_IO,
            "checkpoint: %s: %" PRIu64 " bytes are free, want %" PRIu64,
            t->o->run, room, t->ckpt_size);
    err->no_space = true;
    return -1;
}

/* Writes the checkpoint that the list of kept ones already has. */
static int write_new(struct run *t, struct err *err)
{
    struct ckpt_moment moments[OPTIM_STATES];
    struct ckpt_content content = content_of(t, moments);

    if (check_room(t, err) || journal_sync(&t->journal, err))
        return -1;
    return ckpt_save(t->o->run, &content, err);
}

int snapshot_save(struct run *t, bool periodic, struct err *err)
{
    struct monitor *m = &t->state.monitor;
    size_t n = m->n_kept;
    struct monitor_kept *before = mem_alloc(n + 1, sizeof *before, err);
    int rc;

    if (!before)
        return -1;
    if (n)
        memcpy(before, m->kept, n * sizeof *before);
    rc = monitor_add(m, t->state.step, t->state.metric, periodic, err);
    if (!rc) {
        monitor_prune(m);
        rc = write_new(t, err);
        if (rc && n)
            memcpy(m->kept, before, n * sizeof *before);
        m->n_kept = rc ? n : m->n_kept;
    }
    free(before);
    if (rc || link_kept(t, err) || ckpt_tidy(t->o->run, m, err))
        return -1;
    t->saved = t->state.step;
    return 0;
}

int snapshot_save_rest(struct run *t, struct err *err)
{
    return t->state.step != t->saved ? snapshot_save(t, false, err) : 0;
}

/* Checkpoints that are there at once, as far as the config says; at least 2:
 * the next one is written before the last is removed. */
static uint64_t count_kept(const struct run *t)
{
    const struct config_checkpoint *c = &t->conf->checkpoint;
    uint64_t n = 2;

    if (c->save_top_k > 0)
        n += (uint64_t)c->save_top_k;
    if (c->save_every_n_steps)
        n += (uint64_t)c->keep_last;
    if (c->keep_every)
        n += t->state.total_steps / (uint64_t)c->keep_every;
    return n;
}

int snapshot_try(struct run *t, struct err *err)
{
    struct ckpt_moment moments[OPTIM_STATES];
    struct ckpt_content content = content_of(t, moments);
    uint64_t room, n = count_kept(t);

    if (ckpt_try(t->o->run, &content, &t->ckpt_size, err))
        return -1;
    room = ckpt_room(t->o->run);
    if (room / n < t->ckpt_size)
        run_say(t, TRAINER_WARNING,
                "%s: %.1f MB are free, and the run keeps up to %" PRIu64
                " checkpoints of %.1f MB",
                t->o->run, (double)room / 1e6, n, (double)t->ckpt_size / 1e6);
    return 0;
}

int snapshot_agree(struct run *t, struct err *err)
{
    struct monitor *m = &t->state.monitor;
    size_t i;

    for (i = m->n_kept; i-- > 0;)
        if (!ckpt_has(t->o->run, m->kept[i].step))
            monitor_drop(m, m->kept[i].step);
    if (t->from && link_kept(t, err))
        return -1;
    return ckpt_tidy(t->o->run, m, err);
}
