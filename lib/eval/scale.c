/*
 * scale - from what a model predicts back to EDA as it was recorded.
 *
 * eda_normalize   how it is undone
 *   none          not at all
 *   subject       mean and deviation of the listener, from a2b-eda's file
 *   others        numbers of some recording, which a caller must know
 */
#include "eval/scale.h"

#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "core/stream.h"
#include "signal/edastats.h"

bool scale_is_original(const struct scale *s)
{
    return s->original || s->denorm || s->stats;
}

/* MEAN,STD of --denorm. */
static int read_denorm(const char *text, double *mean, double *std,
                       struct err *err)
{
    const char *comma = strchr(text, ',');
    struct buf first = {0};
    int bad = -1;

    if (comma) {
        buf_put(&first, text, (size_t)(comma - text));
        bad = num_parse_double(buf_text(&first), mean) ||
              num_parse_double(comma + 1, std) || !(*std > 0) ||
              !(*std <= 1e9) || !(*mean >= -1e9 && *mean <= 1e9);
    }
    buf_release(&first);
    if (!bad)
        return 0;
    return err_set(err, ERR_USAGE, "--denorm: want MEAN,STD, STD above 0, "
                   "got \"%s\"", text);
}

/* The scale of a listener, as a2b-eda applied it. */
static int find_subject(const struct scale *s, const struct edastats *stats,
                        const struct config_features *conf, double *mean,
                        double *std, struct err *err)
{
    const struct eda_moments *m = edastats_find(stats, s->subject);
    bool is_us = conf->eda_unit == CONFIG_UNIT_US ||
                 (conf->eda_unit == CONFIG_UNIT_AUTO &&
                  !strncmp(s->subject, "hku956/", 7));

    if (!m)
        return err_set(err, ERR_USAGE, "%s: no subject %s (want "
                       "dataset/subject)", s->stats, s->subject);
    *mean = m->mean;
    *std = is_us && m->std < conf->eda_std_min ? conf->eda_std_min : m->std;
    return 0;
}

/* Reads the file of --stats and finds the listener. */
static int read_stats(const struct scale *s,
                      const struct config_features *conf, double *mean,
                      double *std, struct err *err)
{
    struct stream_in file = {0};
    struct edastats stats = {0};
    struct buf text = {0};
    int got = -1;

    if (edastats_init(&stats, conf, err) ||
        stream_open(&file, s->stats, err))
        goto out;
    if (!stream_slurp(&file, &text, err) &&
        !edastats_parse(&stats, buf_text(&text), text.len, s->stats, err))
        got = find_subject(s, &stats, conf, mean, std, err);
    stream_close(&file);
out:
    edastats_release(&stats);
    buf_release(&text);
    return got;
}

/* The word of eda_normalize. */
static const char *word_of(enum config_normalize how)
{
    switch (how) {
    case CONFIG_NORMALIZE_RECORDING:
        return "recording";
    case CONFIG_NORMALIZE_SUBJECT:
        return "subject";
    case CONFIG_NORMALIZE_ROBUST:
        return "robust";
    case CONFIG_NORMALIZE_MINMAX:
        return "minmax";
    case CONFIG_NORMALIZE_NONE:
        break;
    }
    return "none";
}

/* Refuses what does not go together. */
static int check(const struct scale *s, enum config_normalize how,
                 struct err *err)
{
    if (!s->stats != !s->subject)
        return err_set(err, ERR_USAGE, "--stats FILE and --subject ID belong "
                       "together");
    if (s->denorm && s->stats)
        return err_set(err, ERR_USAGE, "--denorm or --stats: which scale?");
    if (how == CONFIG_NORMALIZE_NONE && (s->denorm || s->stats))
        return err_set(err, ERR_USAGE, "predicts EDA as recorded "
                       "(eda_normalize none): it needs no other scale");
    if (how != CONFIG_NORMALIZE_SUBJECT && s->stats)
        return err_set(err, ERR_USAGE, "--stats is for models trained with "
                       "eda_normalize subject, not %s", word_of(how));
    return 0;
}

int scale_choose(const struct scale *s, const struct config_features *conf,
                 double *mean, double *std, struct err *err)
{
    enum config_normalize how = conf->eda_normalize;

    *mean = 0;
    *std = 1;
    if (check(s, how, err))
        return -1;
    if (s->denorm)
        return read_denorm(s->denorm, mean, std, err);
    if (s->stats)
        return read_stats(s, conf, mean, std, err);
    if (!s->original || how == CONFIG_NORMALIZE_NONE)
        return 0;
    return err_set(err, ERR_USAGE, "was trained on EDA with eda_normalize %s, "
                   "a scale that no song tells: give %s, or train with --set "
                   "features.eda_normalize=none", word_of(how),
                   how == CONFIG_NORMALIZE_SUBJECT
                       ? "--stats FILE --subject ID, or --denorm MEAN,STD"
                       : "--denorm MEAN,STD of a recording");
}
