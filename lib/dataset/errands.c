/*
 * errands - something done for every object of a list: a ring of those begun.
 */
#include "dataset/errands.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/hashset.h"
#include "base/mem.h"

/* One object that was begun. */
struct errand {
    char *uri;                 /* owned */
    char *recording;           /* owned, or NULL */
    struct fetcher_item *item; /* held, of those that are looked at */
};

/* One list. */
struct errands {
    struct errands_conf conf; /* as opened */
    struct errand *ring;      /* conf.window of them, owned */
    size_t first;             /* the earliest */
    size_t n;                 /* how many */
    struct hashset well;      /* hashes of URIs that went well */
};

struct errands *errands_open(const struct errands_conf *conf, struct err *err)
{
    struct errands *e = mem_alloc(1, sizeof(*e), err);

    if (!e)
        return NULL;
    e->conf = *conf;
    if (e->conf.window == 0)
        e->conf.window = 1;
    e->ring = mem_alloc(e->conf.window, sizeof(*e->ring), err);
    if (!e->ring) {
        free(e);
        return NULL;
    }
    return e;
}

/* Forgets the earliest object. */
static void drop_first(struct errands *e)
{
    struct errand *one = &e->ring[e->first];

    fetcher_drop(e->conf.fetcher, one->item);
    free(one->uri);
    free(one->recording);
    memset(one, 0, sizeof(*one));
    e->first = (e->first + 1) % e->conf.window;
    e->n--;
}

/* Waits for the earliest object and says how it went. */
static int settle(struct errands *e, struct err *err)
{
    struct errand *one = &e->ring[e->first];
    uint64_t hash = digest_xxh3(one->uri, strlen(one->uri));
    struct fetcher *f = e->conf.fetcher;
    struct err bad;
    int rc = 0;

    if (!hashset_has(&e->well, hash)) {
        if (!one->item)
            one->item = fetcher_want_kept(f, one->uri, err);
        if (!one->item)
            return -1;
        if (fetcher_wait(f, one->item, &bad)) {
            if (one->recording)
                err_prefix(&bad, "recording %s", one->recording);
            e->conf.bad(e->conf.ctx, &bad);
        } else {
            rc = hashset_add(&e->well, hash, err) ||
                 e->conf.done(e->conf.ctx, one->item, err);
        }
    }
    drop_first(e);
    return rc ? -1 : 0;
}

/* Begins an object. */
static int begin(struct errands *e, struct errand *one, const char *uri,
                 const char *recording, struct err *err)
{
    one->uri = mem_string(uri, err);
    if (!one->uri)
        return -1;
    if (recording) {
        one->recording = mem_string(recording, err);
        if (!one->recording)
            return -1;
    }
    if (!e->conf.look)
        return fetcher_prefetch(e->conf.fetcher,
                                (const char *const *)&one->uri, 1, err);
    one->item = fetcher_want_look(e->conf.fetcher, uri, err);
    return one->item ? 0 : -1;
}

int errands_add(struct errands *e, const char *uri, const char *recording,
                struct err *err)
{
    if (hashset_has(&e->well, digest_xxh3(uri, strlen(uri))))
        return 0;
    if (e->n == e->conf.window && settle(e, err))
        return -1;
    e->n++;
    return begin(e, &e->ring[(e->first + e->n - 1) % e->conf.window], uri,
                 recording, err);
}

int errands_finish(struct errands *e, struct err *err)
{
    while (e->n > 0) {
        if (settle(e, err))
            return -1;
    }
    return 0;
}

void errands_close(struct errands *e)
{
    if (!e)
        return;
    while (e->n > 0)
        drop_first(e);
    hashset_release(&e->well);
    free(e->ring);
    free(e);
}
