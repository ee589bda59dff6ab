/*
 * snapshot - what of a run goes into its checkpoints, and when which stay.
 */
#include "train/snapshot.h"

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

int snapshot_save(struct run *t, bool periodic, struct err *err)
{
    struct monitor *m = &t->state.monitor;
    struct ckpt_moment moments[OPTIM_STATES];
    struct ckpt_content content = content_of(t, moments);

    if (monitor_add(m, t->state.step, t->state.metric, periodic, err))
        return -1;
    monitor_prune(m);
    if (journal_sync(&t->journal, err) || ckpt_save(t->o->run, &content, err) ||
        link_kept(t, err) || ckpt_tidy(t->o->run, m, err))
        return -1;
    t->saved = t->state.step;
    return 0;
}

int snapshot_save_rest(struct run *t, struct err *err)
{
    return t->state.step != t->saved ? snapshot_save(t, false, err) : 0;
}

int snapshot_try(struct run *t, struct err *err)
{
    struct ckpt_moment moments[OPTIM_STATES];
    struct ckpt_content content = content_of(t, moments);

    return ckpt_try(t->o->run, &content, err);
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
