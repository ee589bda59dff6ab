/*
 * ckpt_state - trainer.json: what a resumed run must know.
 *
 *   {"step":N,"epoch":N,"batch":N,      done, and the next batch
 *    "total_steps":N,"seed":N,"overfit":N,
 *    "validate":bool,"stopped":bool,
 *    "monitor":"val_loss","metric":number|null,
 *    "early_best":number|null,"early_bad":N,
 *    "plateau":{"best":number|null,"bad":N,"cooldown":N,
 *               "rate":number|null},
 *    "optimizer":{"skipped":N,"rate_max":number,"weight_sum":number},
 *    "kept":[{"step":N,"value":number|null,"periodic":bool},...],
 *    "fingerprint":"..."}
 *
 * null stands for NAN.
 */
#include "train/ckpt_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/json.h"

/* Appends "key":count, with a comma behind. */
static void put_count(struct buf *b, const char *key, uint64_t value)
{
    buf_printf(b, "\"%s\":%" PRIu64 ",\n", key, value);
}

/* Appends "key":number or null. */
static void put_num(struct buf *b, const char *key, double value)
{
    buf_printf(b, "\"%s\":", key);
    json_put_num(b, value);
    buf_puts(b, ",\n");
}

/* Appends what reduce_on_plateau remembers. */
static void put_plateau(struct buf *b, const struct schedule_plateau *p)
{
    buf_puts(b, "\"plateau\":{");
    put_num(b, "best", p->best);
    put_count(b, "bad", p->bad);
    put_count(b, "cooldown", p->cooldown);
    buf_puts(b, "\"rate\":");
    json_put_num(b, p->rate);
    buf_puts(b, "},\n");
}

/* Appends what the optimizer keeps beside its arenas. */
static void put_scalars(struct buf *b, const struct optim_scalars *s)
{
    buf_puts(b, "\"optimizer\":{");
    put_count(b, "skipped", s->skipped);
    put_num(b, "rate_max", s->rate_max);
    buf_puts(b, "\"weight_sum\":");
    json_put_num(b, s->weight_sum);
    buf_puts(b, "},\n");
}

void ckpt_state_put(struct buf *b, const struct ckpt_state *s)
{
    size_t i;

    buf_puts(b, "{");
    put_count(b, "step", s->step);
    put_count(b, "epoch", s->at.epoch);
    put_count(b, "batch", s->at.batch);
    put_count(b, "total_steps", s->total_steps);
    buf_printf(b, "\"seed\":%" PRId64 ",\n", s->seed);
    put_count(b, "overfit", s->overfit);
    buf_printf(b, "\"validate\":%s,\n\"stopped\":%s,\n\"monitor\":",
               s->validate ? "true" : "false", s->stopped ? "true" : "false");
    json_put_text(b, s->monitor_name ? s->monitor_name : "");
    buf_puts(b, ",\n");
    put_num(b, "metric", s->metric);
    put_num(b, "early_best", s->monitor.early_best);
    put_count(b, "early_bad", s->monitor.early_bad);
    put_plateau(b, &s->plateau);
    put_scalars(b, &s->scalars);
    buf_puts(b, "\"kept\":[");
    for (i = 0; i < s->monitor.n_kept; i++) {
        const struct monitor_kept *k = &s->monitor.kept[i];

        buf_printf(b, "%s{\"step\":%" PRIu64 ",\"value\":", i ? "," : "",
                   k->step);
        json_put_num(b, k->value);
        buf_printf(b, ",\"periodic\":%s}", k->periodic ? "true" : "false");
    }
    buf_puts(b, "],\n\"fingerprint\":");
    json_put_text(b, s->fingerprint ? s->fingerprint : "");
    buf_puts(b, "}\n");
}

/* Reads a count that must be there. */
static int get_count(const struct json *j, const char *key, uint64_t *out,
                     struct err *err)
{
    int64_t value;

    if (json_int(json_member(j, key), &value) || value < 0)
        return err_set(err, ERR_DATA, "%s is not a count", key);
    *out = (uint64_t)value;
    return 0;
}

/* Reads a text that must be there; caller frees. */
static int get_text(const struct json *j, const char *key, char **out,
                    struct err *err)
{
    const char *text = json_text(json_member(j, key));

    if (!text)
        return err_set(err, ERR_DATA, "%s is no text", key);
    free(*out);
    *out = mem_string(text, err);
    return *out ? 0 : -1;
}

/* Reads the list of kept checkpoints. */
static int get_kept(const struct json *list, struct monitor *m, struct err *err)
{
    const struct json *item;
    uint64_t step = 0, last = 0;
    size_t i;

    m->n_kept = 0;
    for (i = 0; i < json_count(list); i++) {
        item = json_at(list, i);
        if (get_count(item, "step", &step, err))
            return err_prefix(err, "kept[%zu]", i);
        if (i > 0 && step <= last)
            return err_set(err, ERR_DATA, "kept[%zu]: steps do not rise", i);
        last = step;
        if (monitor_add(m, step, json_num(json_member(item, "value"), NAN),
                        json_bool(json_member(item, "periodic"), false), err))
            return -1;
    }
    return 0;
}

/* Reads what reduce_on_plateau remembers; a file without it has nothing. */
static int get_plateau(const struct json *j, struct schedule_plateau *p,
                       struct err *err)
{
    *p = (struct schedule_plateau){.best = NAN, .rate = NAN};
    if (!j)
        return 0;
    p->best = json_num(json_member(j, "best"), NAN);
    p->rate = json_num(json_member(j, "rate"), NAN);
    return get_count(j, "bad", &p->bad, err) ||
                   get_count(j, "cooldown", &p->cooldown, err)
               ? err_prefix(err, "plateau")
               : 0;
}

/* Reads what the optimizer keeps; a file without it has nothing. */
static int get_scalars(const struct json *j, struct optim_scalars *s,
                       struct err *err)
{
    *s = (struct optim_scalars){0};
    if (!j)
        return 0;
    s->rate_max = json_num(json_member(j, "rate_max"), 0);
    s->weight_sum = json_num(json_member(j, "weight_sum"), 0);
    return get_count(j, "skipped", &s->skipped, err)
               ? err_prefix(err, "optimizer")
               : 0;
}

/* Fills s from the parsed file. */
static int get_all(const struct json *j, struct ckpt_state *s, struct err *err)
{
    if (get_count(j, "step", &s->step, err) ||
        get_count(j, "epoch", &s->at.epoch, err) ||
        get_count(j, "batch", &s->at.batch, err) ||
        get_count(j, "total_steps", &s->total_steps, err) ||
        get_count(j, "overfit", &s->overfit, err) ||
        get_count(j, "early_bad", &s->monitor.early_bad, err) ||
        get_text(j, "monitor", &s->monitor_name, err) ||
        get_text(j, "fingerprint", &s->fingerprint, err) ||
        get_plateau(json_member(j, "plateau"), &s->plateau, err) ||
        get_scalars(json_member(j, "optimizer"), &s->scalars, err) ||
        get_kept(json_member(j, "kept"), &s->monitor, err))
        return -1;
    if (json_int(json_member(j, "seed"), &s->seed))
        return err_set(err, ERR_DATA, "seed is no integer");
    if (!monitor_has(&s->monitor, s->step))
        return err_set(err, ERR_DATA, "kept does not list step %" PRIu64,
                       s->step);
    s->validate = json_bool(json_member(j, "validate"), false);
    s->stopped = json_bool(json_member(j, "stopped"), false);
    s->metric = json_num(json_member(j, "metric"), NAN);
    s->monitor.early_best = json_num(json_member(j, "early_best"), NAN);
    return 0;
}

int ckpt_state_parse(const char *text, size_t n, struct ckpt_state *s,
                     struct err *err)
{
    struct json *j = json_parse(text, n, err);
    int rc;

    if (!j)
        return -1;
    rc = get_all(j, s, err);
    json_close(j);
    return rc;
}

void ckpt_state_release(struct ckpt_state *s)
{
    free(s->monitor_name);
    free(s->fingerprint);
    monitor_release(&s->monitor);
    memset(s, 0, sizeof *s);
}
