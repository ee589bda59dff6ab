/*
 * baseline - plain loops over the recordings of a song.
 */
#include "eval/baseline.h"

#include <string.h>

const char *baseline_name(enum baseline b)
{
    static const char *const names[BASELINE_N] = {
        "zero", "time_curve", "ridge", "other_listeners", "shuffled_audio"};

    return names[b];
}

/*
 * Whether r is somebody else's recording of own's song. A listener may have
 * heard a song twice, which says more about it than a stranger can.
 */
static bool is_other(const struct pairs_recording *own,
                     const struct pairs_recording *r)
{
    return r != own && r->song == own->song &&
           (!own->subject[0] || strcmp(r->subject, own->subject));
}

/* The mean over all other listeners of the song, frame by frame. */
static bool other_listeners(const struct pairs *p, size_t recording, float *y,
                            uint8_t *valid)
{
    const struct pairs_recording *own = &p->recordings[recording];
    size_t first = p->n_recordings, end = 0, t, i;
    bool any = false;

    for (i = 0; i < p->n_recordings; i++) {
        if (is_other(own, &p->recordings[i])) {
            first = i < first ? i : first;
            end = i + 1;
        }
    }
    for (t = 0; t < own->T; t++) {
        double sum = 0;
        size_t n = 0;

        for (i = first; i < end; i++) {
            const struct pairs_recording *r = &p->recordings[i];

            if (!is_other(own, r) || t >= r->T || !r->valid[t])
                continue;
            sum += (double)r->eda[t];
            n++;
        }
        y[t] = n ? (float)(sum / (double)n) : 0;
        valid[t] = valid[t] && n;
        any = any || valid[t];
    }
    return any;
}

/* The song's longest recording; SIZE_MAX if it has none. */
static size_t longest_recording(const struct pairs *p, size_t song)
{
    size_t best = SIZE_MAX, i;

    for (i = 0; i < p->n_recordings; i++) {
        const struct pairs_recording *r = &p->recordings[i];

        if (r->song == song &&
            (best == SIZE_MAX || r->T > p->recordings[best].T))
            best = i;
    }
    return best;
}

/*
 * The model's prediction for the next song in the order of keys that some
 * recording pairs with, taken from its longest recording.
 */
static bool shuffled_audio(const struct baseline_source *s, size_t recording,
                           float *y, uint8_t *valid)
{
    const struct pairs *p = s->pairs;
    const struct pairs_recording *own = &p->recordings[recording];
    size_t step, t, T, best = SIZE_MAX;
    bool any = false;

    for (step = 1; step < p->n_songs && best == SIZE_MAX; step++)
        best = longest_recording(p, (own->song + step) % p->n_songs);
    if (best == SIZE_MAX)
        return false;
    T = p->recordings[best].T;
    for (t = 0; t < own->T; t++) {
        y[t] = t < T ? s->model->pred[best][t] : 0;
        valid[t] = valid[t] && t < T;
        any = any || valid[t];
    }
    return any;
}

bool baseline_predict(const struct baseline_source *s, enum baseline which,
                      size_t recording, float *p, uint8_t *valid)
{
    const struct pairs_recording *own = &s->pairs->recordings[recording];
    size_t t;

    memcpy(valid, own->valid, own->T);
    memset(p, 0, own->T * sizeof *p);
    switch (which) {
    case BASELINE_TIME_CURVE:
        for (t = 0; t < own->T && t < s->n_curve; t++)
            p[t] = s->curve[t];
        return s->curve != NULL;
    case BASELINE_RIDGE:
        if (s->ridge)
            ridge_predict(s->ridge, s->pairs->songs[own->song].mfcc, own->T,
                          s->pairs->C, p);
        return s->ridge != NULL;
    case BASELINE_OTHER_LISTENERS:
        return other_listeners(s->pairs, recording, p, valid);
    case BASELINE_SHUFFLED_AUDIO:
        return shuffled_audio(s, recording, p, valid);
    default:
        return true;
    }
}
