/*
 * comm - what processes tell one another, over link.h.
 *
 * A frame travels as a description (a struct frame_head, then for each
 * tensor a struct tensor_head, then all names, keys and values with their
 * NULs), and then tensor by tensor.
 *
 * Gradients, n floats each: process r adds floats [n r / size,
 * n (r + 1) / size) of all nodes of all processes, in the order of rows, into
 * the tree that one process would build; then the parts are put together.
 */
#include "train/comm.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A frame on its way: what is not in its strings. */
struct frame_head {
    uint64_t n_meta;     /* keys and values */
    uint64_t n_tensors;  /* tensor_heads that follow */
    uint64_t index;      /* as in struct frame, and all below */
    uint64_t offset;     /* byte in the input */
    uint64_t size;       /* bytes in the input */
    uint64_t digest;     /* of its bytes */
    uint64_t has_digest; /* 0 or 1 */
};

/* A tensor of a frame on its way. */
struct tensor_head {
    uint64_t dtype;                  /* enum tensor_dtype */
    uint64_t n_dims;                 /* dimensions */
    uint64_t shape[TENSOR_MAX_DIMS]; /* of them */
};

/* A node of some process's sum. */
struct comm_node {
    uint64_t rank;  /* who has it */
    uint64_t level; /* as in struct reduce_node */
    uint64_t index; /* as in struct reduce_node */
};

/* What a comm_agree() comes to. */
struct verdict {
    int64_t most; /* the greatest number */
    int64_t bad;  /* lowest process that failed; -1: none */
};

/* Notes that the processes are out of step; returns -1. */
static int broke(struct comm *c)
{
    c->broken = true;
    return -1;
}

int comm_open(struct comm *c, int launched, struct err *err)
{
    memset(c, 0, sizeof *c);
    c->size = 1;
    if (launched == 0 || (launched == 1 && !link_built()))
        return 0;
    c->link = link_open(&c->rank, &c->size, err);
    if (!c->link)
        return -1;
    if (launched > 0 && launched != c->size)
        return err_set(err, ERR_USAGE,
                       "the launcher started %d processes, but MPI sees %d: "
                       "is it the launcher of another MPI?",
                       launched, c->size);
    c->ends = mem_alloc((size_t)c->size, sizeof *c->ends, err);
    return c->ends ? 0 : -1;
}

void comm_close(struct comm *c)
{
    link_close(c->link);
    buf_release(&c->pack);
    reduce_release(&c->shard);
    buf_release(&c->nodes);
    buf_release(&c->sends);
    buf_release(&c->receives);
    free(c->ends);
    memset(c, 0, sizeof *c);
}

void comm_watch(struct comm *c, int seconds,
                void (*late)(void *ctx, int peer, int seconds), void *ctx)
{
    if (c->link)
        link_set_watch(c->link,
                       &(struct link_watch){late ? seconds : 0, late, ctx});
}

/* Where part r of n begins when it is cut into `size` parts. */
static size_t cut(size_t n, int r, int size)
{
    size_t rank = (size_t)r, parts = (size_t)size;

    /* floor(r n / size) without its overflow */
    return rank * (n / parts) + rank * (n % parts) / parts;
}

void comm_rows(const struct comm *c, size_t n_rows, size_t *first, size_t *end)
{
    *first = cut(n_rows, c->rank, c->size);
    *end = cut(n_rows, c->rank + 1, c->size);
}

/* Completes a table of one entry of `size` bytes a process. */
static int gather_one(struct comm *c, void *table, size_t size,
                      struct err *err)
{
    int r;

    for (r = 0; r < c->size; r++)
        c->ends[r] = ((size_t)r + 1) * size;
    return link_gather(c->link, table, c->ends, err) ? broke(c) : 0;
}

/* Gives every process the failure of process r; returns -1. */
static int learn(struct comm *c, int r, struct err *err)
{
    if (c->rank == r)
        comm_blame(c, err);
    if (link_broadcast(c->link, r, err, sizeof *err, err))
        return broke(c);
    c->together = true;
    return -1;
}

/* What all statements come to. */
static struct verdict judge(const struct comm *c, const int64_t *all)
{
    struct verdict v = {0, -1};
    int r;

    for (r = c->size; r-- > 0;) {
        if (all[r] < 0)
            v.bad = r;
        else if (all[r] > v.most)
            v.most = all[r];
    }
    return v;
}

int comm_agree(struct comm *c, int said, struct err *err)
{
    struct verdict v = {0};
    int64_t one = said;
    int r;

    if (!c->link || c->broken)
        return said;
    buf_clear(&c->nodes);
    for (r = 0; r < c->size; r++)
        buf_put(&c->nodes, &one, sizeof one);
    if (buf_check(&c->nodes, err) ||
        link_collect(c->link, c->nodes.data, sizeof one, err))
        return broke(c);
    if (c->rank == 0)
        v = judge(c, (const void *)c->nodes.data);
    if (comm_broadcast(c, &v, sizeof v, err))
        return -1;
    return v.bad >= 0 ? learn(c, (int)v.bad, err) : (int)v.most;
}

int comm_broadcast(struct comm *c, void *bytes, size_t n, struct err *err)
{
    if (!c->link)
        return 0;
    return link_broadcast(c->link, 0, bytes, n, err) ? broke(c) : 0;
}

/* Makes b n bytes long. */
static int resize(struct buf *b, size_t n, struct err *err)
{
    static const char zeros[4096];

    buf_clear(b);
    while (b->len < n && !b->failed)
        buf_put(b, zeros,
                n - b->len < sizeof zeros ? n - b->len : sizeof zeros);
    return buf_check(b, err);
}

int comm_text(struct comm *c, struct buf *b, struct err *err)
{
    uint64_t n = b->len;

    if (!c->link)
        return 0;
    if (comm_broadcast(c, &n, sizeof n, err))
        return -1;
    if (c->rank && resize(b, (size_t)n, err))
        return broke(c);
    return comm_broadcast(c, b->data, (size_t)n, err);
}

/* Describes a frame in c->pack. */
static int describe(struct comm *c, const struct frame *f, struct err *err)
{
    struct frame_head head = {f->n_meta, f->n_tensors, f->index, f->offset,
                              f->size,   f->digest,    f->has_digest};
    const char *key, *value;
    size_t i, d;

    buf_clear(&c->pack);
    buf_put(&c->pack, &head, sizeof head);
    for (i = 0; i < f->n_tensors; i++) {
        const struct tensor *t = &f->tensors[i];
        struct tensor_head th = {(uint64_t)t->dtype, t->n_dims, {0}};

        for (d = 0; d < t->n_dims; d++)
            th.shape[d] = t->shape[d];
        buf_put(&c->pack, &th, sizeof th);
    }
    for (i = 0; i < f->n_tensors; i++)
        buf_put(&c->pack, f->tensors[i].name,
                strlen(f->tensors[i].name) + 1);
    for (i = 0; i < f->n_meta; i++) {
        frame_meta_at(f, i, &key, &value);
        buf_put(&c->pack, key, strlen(key) + 1);
        buf_put(&c->pack, value, strlen(value) + 1);
    }
    return buf_check(&c->pack, err);
}

/* Adds the tensors c->pack describes, with room for their data. */
static int unpack_tensors(const struct comm *c, struct frame *f, uint64_t n,
                          const char **text, struct err *err)
{
    const struct tensor_head *th =
        (const void *)(c->pack.data + sizeof(struct frame_head));
    size_t shape[TENSOR_MAX_DIMS], total = 0, at = 0, i, d;
    char *data;

    for (i = 0; i < n; i++) {
        for (d = 0; d < th[i].n_dims; d++)
            shape[d] = (size_t)th[i].shape[d];
        if (frame_add(f, *text, (enum tensor_dtype)th[i].dtype,
                      (size_t)th[i].n_dims, shape, NULL, err))
            return -1;
        total += mem_arena_room(tensor_size(&f->tensors[i]), 1);
        *text += strlen(*text) + 1;
    }
    data = mem_grow(f->data, &f->data_cap, total, 1, err);
    if (!data)
        return -1;
    f->data = data;
    for (i = 0; i < n; i++) {
        f->tensors[i].data = data + at;
        at += mem_arena_room(tensor_size(&f->tensors[i]), 1);
    }
    return 0;
}

/* Makes of c->pack a frame whose data are still to come. */
static int unpack(const struct comm *c, struct frame *f, struct err *err)
{
    struct frame_head head;
    const char *text, *key;
    uint64_t i;

    frame_clear(f);
    memcpy(&head, c->pack.data, sizeof head);
    text = c->pack.data + sizeof head +
           (size_t)head.n_tensors * sizeof(struct tensor_head);
    if (unpack_tensors(c, f, head.n_tensors, &text, err))
        return -1;
    for (i = 0; i < head.n_meta; i++) {
        key = text;
        text += strlen(text) + 1;
        if (frame_set(f, key, text, err))
            return -1;
        text += strlen(text) + 1;
    }
    f->index = head.index;
    f->offset = head.offset;
    f->size = head.size;
    f->digest = head.digest;
    f->has_digest = head.has_digest != 0;
    return 0;
}

/* The rows of x that process r owns, and the bytes of one. */
static struct link_piece rows_of(const struct comm *c, int r,
                                 const struct tensor *x, size_t base,
                                 size_t n_rows)
{
    size_t S = x->shape[0], row = S ? tensor_size(x) / S : 0;
    size_t first = cut(n_rows, r, c->size);
    size_t end = cut(n_rows, r + 1, c->size);

    first = first < base ? 0 : first - base < S ? first - base : S;
    end = end < base ? 0 : end - base < S ? end - base : S;
    return (struct link_piece){r, (char *)x->data + first * row,
                               (end - first) * row};
}

/* Gives every process its rows of x. */
static int scatter_rows(struct comm *c, const struct tensor *x, size_t base,
                        size_t n_rows, struct err *err)
{
    struct link_piece mine = rows_of(c, c->rank, x, base, n_rows), one;
    size_t n = 0;
    int r;

    if (c->rank) {
        memset((void *)x->data, 0, tensor_size(x));
        mine.peer = 0;
        return link_exchange(c->link, NULL, 0, &mine, 1, err);
    }
    buf_clear(&c->sends);
    for (r = 1; r < c->size; r++, n++) {
        one = rows_of(c, r, x, base, n_rows);
        buf_put(&c->sends, &one, sizeof one);
    }
    if (buf_check(&c->sends, err))
        return -1;
    return link_exchange(c->link, (const void *)c->sends.data, n, NULL, 0,
                         err);
}

int comm_scatter(struct comm *c, struct frame *f, size_t base, size_t n_rows,
                 struct err *err)
{
    const struct tensor *t;
    size_t i;
    int rc;

    if (!c->link)
        return 0;
    if (c->rank == 0 && describe(c, f, err))
        return broke(c);
    if (comm_text(c, &c->pack, err))
        return -1;
    if (c->rank && unpack(c, f, err))
        return broke(c);
    for (i = 0; i < f->n_tensors; i++) {
        t = &f->tensors[i];
        if (n_rows && strcmp(t->name, "x") == 0)
            rc = scatter_rows(c, t, base, n_rows, err);
        else
            rc = link_broadcast(c->link, 0, (void *)t->data, tensor_size(t),
                                err);
        if (rc)
            return broke(c);
    }
    return 0;
}

int comm_gather(struct comm *c, double *values, size_t n_rows, size_t width,
                struct err *err)
{
    int r;

    if (!c->link)
        return 0;
    for (r = 0; r < c->size; r++)
        c->ends[r] = cut(n_rows, r + 1, c->size) * width * sizeof *values;
    return link_gather(c->link, values, c->ends, err) ? broke(c) : 0;
}

/*
 * Lists the nodes of all processes, in the order of rows, in c->nodes.
 * Returns 0; -1 with err set.
 */
static int list_nodes(struct comm *c, const struct reduce *r, size_t *n,
                      struct err *err)
{
    size_t first = 0, k;
    struct comm_node node;
    int q;

    if (resize(&c->nodes, (size_t)c->size * sizeof(uint64_t), err))
        return -1;
    ((uint64_t *)(void *)c->nodes.data)[c->rank] = r->n_nodes;
    if (gather_one(c, c->nodes.data, sizeof(uint64_t), err))
        return -1;
    for (q = 0, *n = 0; q < c->size; q++) {
        if (q == c->rank)
            first = *n;
        *n += (size_t)((const uint64_t *)(const void *)c->nodes.data)[q];
        c->ends[q] = *n * sizeof node;
    }
    if (resize(&c->nodes, *n * sizeof node, err))
        return -1;
    for (k = 0; k < r->n_nodes; k++) {
        node = (struct comm_node){(uint64_t)c->rank, r->nodes[k].level,
                                  r->nodes[k].index};
        memcpy(c->nodes.data + (first + k) * sizeof node, &node, sizeof node);
    }
    return *n ? link_gather(c->link, c->nodes.data, c->ends, err) : 0;
}

/* Lists our part of the own nodes' sums for the processes that add them. */
static void list_sends(struct comm *c, const struct reduce *r)
{
    size_t k, first, end;
    int q;

    buf_clear(&c->sends);
    for (q = 0; q < c->size; q++) {
        first = cut(r->n, q, c->size);
        end = cut(r->n, q + 1, c->size);
        for (k = 0; q != c->rank && k < r->n_nodes; k++)
            buf_put(&c->sends,
                    &(struct link_piece){q, r->nodes[k].sum + first,
                                         (end - first) * sizeof(float)},
                    sizeof(struct link_piece));
    }
}

/*
 * Takes a buffer for our part of every node and lists what others send.
 * own nodes are copied. parts: c->pack, (n) pointers
 */
static int list_receives(struct comm *c, const struct reduce *r, size_t n,
                         struct err *err)
{
    const struct comm_node *nodes = (const void *)c->nodes.data;
    size_t first = cut(r->n, c->rank, c->size), k, own = 0;
    float *part;

    buf_clear(&c->receives);
    buf_clear(&c->pack);
    for (k = 0; k < n; k++) {
        part = reduce_buffer(&c->shard, err);
        if (!part)
            return -1;
        buf_put(&c->pack, &part, sizeof part);
        if (nodes[k].rank == (uint64_t)c->rank)
            memcpy(part, r->nodes[own++].sum + first,
                   c->shard.n * sizeof *part);
        else
            buf_put(&c->receives,
                    &(struct link_piece){(int)nodes[k].rank, part,
                                         c->shard.n * sizeof *part},
                    sizeof(struct link_piece));
    }
    return buf_check(&c->receives, err) || buf_check(&c->pack, err) ? -1 : 0;
}

/* Adds our part of all nodes into the tree. */
static float *add_nodes(struct comm *c, size_t n)
{
    const struct comm_node *nodes = (const void *)c->nodes.data;
    float *const *parts = (float *const *)(const void *)c->pack.data;
    size_t k;

    for (k = 0; k < n; k++)
        reduce_push(&c->shard, (unsigned)nodes[k].level, nodes[k].index,
                    parts[k]);
    return reduce_finish(&c->shard);
}

/* Exchanges and adds the parts; sum (r->n) gets ours at its place. */
static int combine(struct comm *c, const struct reduce *r, size_t n,
                   float *sum, struct err *err)
{
    size_t first = cut(r->n, c->rank, c->size);
    size_t piece = sizeof(struct link_piece);
    int rc;

    list_sends(c, r);
    rc = buf_check(&c->sends, err) || list_receives(c, r, n, err);
    if (rc ||
        link_exchange(c->link, (const void *)c->sends.data,
                      c->sends.len / piece, (const void *)c->receives.data,
                      c->receives.len / piece, err))
        return -1;
    memcpy(sum + first, add_nodes(c, n), c->shard.n * sizeof *sum);
    reduce_clear(&c->shard);
    return 0;
}

int comm_combine(struct comm *c, struct reduce *r, float **sum,
                 struct err *err)
{
    size_t n, part;
    int q;

    if (!c->link) {
        *sum = reduce_finish(r);
        return 0;
    }
    *sum = NULL;
    part = cut(r->n, c->rank + 1, c->size) - cut(r->n, c->rank, c->size);
    if (c->shard.n != part) {
        reduce_release(&c->shard);
        reduce_init(&c->shard, part);
    }
    if (list_nodes(c, r, &n, err))
        return broke(c);
    if (n == 0)
        return 0;
    *sum = reduce_buffer(r, err);
    if (!*sum || combine(c, r, n, *sum, err))
        return broke(c);
    for (q = 0; q < c->size; q++)
        c->ends[q] = cut(r->n, q + 1, c->size) * sizeof **sum;
    reduce_clear(r);
    reduce_push(r, 0, 0, *sum);
    return link_gather(c->link, *sum, c->ends, err) ? broke(c) : 0;
}

void comm_blame(const struct comm *c, struct err *err)
{
    char host[LINK_HOST_SIZE];

    if (c->rank)
        err_prefix(err, "process %d of %d (%s)", c->rank, c->size,
                   link_host(host));
}

void comm_abort(const struct comm *c, int status)
{
    if (c->link)
        link_abort(status);
}
