/*
 * crop - cutting recordings, and sorting the cuts by song and start.
 */
#include "batch/crop.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Windows of T frames, those without a valid frame included. */
static size_t count_windows(size_t T, size_t window, size_t hop)
{
    if (window == 0 || T <= window)
        return 1;
    return 1 + (T - window + hop - 1) / hop;
}

/* Appends the crops of recording r. */
static void cut_recording(struct crop_list *l, const struct pairs *p,
                          size_t r, size_t window, size_t hop)
{
    const struct pairs_recording *rec = &p->recordings[r];
    size_t k, n = count_windows(rec->T, window, hop);

    for (k = 0; k < n; k++) {
        struct crop one = {.recording = r, .start = k * hop};

        one.T = rec->T - one.start;
        if (window && one.T > window)
            one.T = window;
        if (!window || memchr(rec->valid + one.start, 1, one.T))
            l->crops[l->n++] = one;
    }
}

/* A crop on its way to being sorted. */
struct place {
    size_t song;  /* index of its song */
    size_t start; /* its first frame */
    size_t crop; /* its index */
};

/* By song, then start, then crop. */
static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->song != y->song)
        return x->song < y->song ? -1 : 1;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->crop < y->crop ? -1 : x->crop > y->crop;
}

/* Sets by_group and group_start. */
static int group(struct crop_list *l, const struct pairs *p, struct err *err)
{
    struct place *places = mem_alloc(l->n, sizeof *places, err);
    size_t i;

    if (!places)
        return -1;
    for (i = 0; i < l->n; i++)
        places[i] = (struct place){p->recordings[l->crops[i].recording].song,
                                   l->crops[i].start, i};
    qsort(places, l->n, sizeof *places, compare_places);
    for (i = 0; i < l->n; i++) {
        if (i == 0 || places[i].song != places[i - 1].song ||
            places[i].start != places[i - 1].start)
            l->group_start[l->n_groups++] = i;
        l->by_group[i] = places[i].crop;
    }
    l->group_start[l->n_groups] = l->n;
    free(places);
    return 0;
}

int crop_cut(struct crop_list *l, const struct pairs *p, size_t window,
              size_t hop, struct err *err)
{
    size_t r, n = 0;

    memset(l, 0, sizeof *l);
    if (window && (hop < 1 || hop > window))
        return err_set(err, ERR_USAGE,
                       "want a hop of 1 to the window's %zu frames, got %zu",
                       window, hop);
    for (r = 0; r < p->n_recordings; r++)
        n += count_windows(p->recordings[r].T, window, hop);
    l->crops = mem_alloc(n, sizeof *l->crops, err);
    l->by_group =
        l->crops ? mem_alloc(n, sizeof *l->by_group, err) : NULL;
    l->group_start =
        l->by_group ? mem_alloc(n + 1, sizeof *l->group_start, err) : NULL;
    if (!l->group_start)
        return -1;
    for (r = 0; r < p->n_recordings; r++)
        cut_recording(l, p, r, window, hop);
    return group(l, p, err);
}

void crop_release(struct crop_list *l)
{
    free(l->crops);
    free(l->by_group);
    free(l->group_start);
    memset(l, 0, sizeof *l);
}
