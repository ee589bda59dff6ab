/*
 * tcn - temporal convolutional network.
 *
 *   x (T, I)
 *   |   I = input_size, C = num_channels, K = kernel_size, O = output_size
 *   v
 *   block 0        d = 1
 *   block 1        d = base             base = dilation_base (2)
 *   ...
 *   block N-1      d = base^(N-1)       N = num_blocks
 *   |
 *   v
 *   linear C -> O, every frame alone
 *   |
 *   v
 *   y (T, O)
 *
 * Block i, with d = base^i; C_in is I in block 0, else C:
 *
 *   x (T, C_in) ----------------------------+
 *   |                                       |
 *   conv1  C_in -> C, K taps, d frames apart |
 *   [norm1]                                 |
 *   ReLU                                    |
 *   dropout p                               |
 *   |  u (T, C)                             |
 *   conv2  C -> C, K taps, d frames apart   s: identity, or downsample, a
 *   [norm2]                                 |  1x1 convolution C_in -> C,
 *   ReLU                                    |  if C_in is not C
 *   dropout p                               |
 *   |  v (T, C)                             |
 *   + <-------------------------------------+
 *   ReLU
 *   |
 *   y (T, C)
 *
 *   u = D(ReLU(n1(conv1 x))),  v = D(ReLU(n2(conv2 u))),  y = ReLU(v + s(x))
 *
 * Every convolution keeps T: P = (K-1) d zeros are thought around the
 * sequence, floor(P/2) before and the rest behind (padding same), or all
 * before (causal). All convolutions and linear have a bias.
 *
 * norm layer: n1 and n2 normalise each frame over its channels, then scale
 * and shift (norm.h); of other frames they know nothing, so no padding and no
 * neighbour in a batch changes them. norm weight: n1 and n2 are nothing, but
 * the weights of conv1 and conv2 are directions times lengths.
 *
 * Receptive field: 1 + 2 (K-1) sum_i d_i frames; past 2 sum_i left_i.
 * Parameters: (I C K + C) + (C C K + C) + [I != C] (I C + C)
 *             + (N-1) 2 (C C K + C) + C O + O
 *             + [norm weight] 2 N C + [norm layer] 4 N C.
 *
 * Names: network.{i}.conv1, [network.{i}.norm1], network.{i}.conv2,
 * [network.{i}.norm2], [network.{i}.downsample], linear. Dropout's layers are
 * 2 i and 2 i + 1.
 *
 * Backward keeps u, y and one bit an element for each of the two dropped
 * ReLUs, and what the layer norms made; forward alone keeps one u and two y.
 * Recomputing, blocks come in segments of k: backward keeps the y of each
 * segment's last block, and everything of one segment only, whose blocks are
 * computed again from the y before it when their turn comes.
 */
#include "nn/tcn.h"

#include <assert.h>
#include <stdio.h>

#include "nn/conv1d.h"
#include "nn/net.h"
#include "nn/relu.h"

/* Widest a dilation may get, in frames. */
#define MAX_DILATION 1073741824

/* The architecture's buffers; those of the block in slot i follow at BLOCKS +
   PER_BLOCK i, behind all slots those of the segments, the y of their last
   blocks. */
enum {
    SHORT = NET_OWN, /* (T, C) downsample's output */
    DY,              /* training: (T, C) gradient of a block's output */
    DU,              /* training: (T, C) gradient of u */
    BLOCKS,          /* training: first of the blocks' */
    EVAL_U = DY,     /* not training: (T, C) u of every block */
    EVAL_Y = DU,     /* not training: two (T, C), y of blocks in turn */
    EVAL_END = EVAL_Y + 2 /* how many there are */
};

/* A block's buffers when training. */
enum {
    U,     /* (T, C) */
    Y,     /* (T, C) */
    MASK1, /* (T, C) bits, behind conv1's ReLU */
    MASK2, /* (T, C) bits, behind conv2's */
    HAT1,  /* layer norm: (T, C) */
    HAT2,  /* layer norm: (T, C) */
    RSTD1, /* layer norm: (T) */
    RSTD2, /* layer norm: (T) */
    PER_BLOCK /* how many */
};

/* Whether block 0 needs a 1x1 convolution beside it. */
static int has_downsample(const struct config_tcn *c)
{
    return c->input_size != c->num_channels;
}

/* Layer of conv1 (0), conv2 (1) or downsample (2, block 0 only). */
static size_t layer_of(const struct model *m, size_t block, size_t which)
{
    size_t extra = block > 0 && has_downsample(&m->conf.tcn);

    return 2 * block + extra + which;
}

/* Blocks of a segment, one slot each: all, if they stay in memory. */
static size_t segment(const struct model *m, int training)
{
    size_t N = (size_t)m->conf.tcn.num_blocks;

    return training == MODEL_RECOMPUTE ? net_segment(N, 2.5) : N;
}

/* How many buffers there are. */
static size_t n_bufs(const struct model *m, int training)
{
    size_t k = segment(m, training);

    return training ? BLOCKS + PER_BLOCK * k +
                          (size_t)m->conf.tcn.num_blocks / k
                    : EVAL_END;
}

/* Bytes a frame of buffer i takes. */
static size_t frame_size(const struct model *m, size_t i, int training)
{
    const struct config_tcn *c = &m->conf.tcn;
    size_t row = (size_t)c->num_channels * sizeof(float);
    size_t slots = BLOCKS + PER_BLOCK * segment(m, training);

    if (i == NET_IN)
        return m->input_size * sizeof(float);
    if (i == NET_OUT)
        return m->output_size * sizeof(float);
    if (i == NET_DOUT)
        return training ? m->output_size * sizeof(float) : 0;
    if (i == SHORT)
        return has_downsample(c) ? row : 0;
    if (!training || i < BLOCKS || i >= slots)
        return row;
    if (i == slots - PER_BLOCK + Y)
        return 0;
    switch ((i - BLOCKS) % PER_BLOCK) {
    case MASK1:
    case MASK2:
        return relu_row((size_t)c->num_channels);
    case HAT1:
    case HAT2:
        return c->norm == CONFIG_NORM_LAYER ? row : 0;
    case RSTD1:
    case RSTD2:
        return c->norm == CONFIG_NORM_LAYER ? sizeof(float) : 0;
    default:
        return row;
    }
}

/* Buffer of a block. */
static struct ops_buf *block_buf(const struct model *m,
                                 const struct model_work *w, size_t block,
                                 size_t which)
{
    size_t k = segment(m, w->training);

    if (w->training && which == Y && (block + 1) % k == 0)
        return w->bufs[BLOCKS + PER_BLOCK * k + block / k];
    if (w->training)
        return w->bufs[BLOCKS + PER_BLOCK * (block % k) + which];
    if (which == U)
        return w->bufs[EVAL_U];
    return which == Y ? w->bufs[EVAL_Y + block % 2] : NULL;
}

/* Input of a block. */
static struct ops_buf *block_in(const struct model *m,
                                const struct model_work *w, size_t block)
{
    return block == 0 ? w->bufs[NET_IN] : block_buf(m, w, block - 1, Y);
}

/* What follows conv1 (0) or conv2 (1) of a block. */
static struct ops_epilogue epilogue(const struct model *m,
                                    const struct model_work *w, size_t block,
                                    size_t which)
{
    struct ops_epilogue e = {
        .relu = 1,
        .dropout = w->dropping ? m->conf.tcn.dropout : 0,
        .seed = w->drop.seed,
        .step = w->drop.step,
        .layer = (uint32_t)(2 * block + which),
        .mask = block_buf(m, w, block, which == 0 ? MASK1 : MASK2)};

    if (m->conf.tcn.norm == CONFIG_NORM_LAYER) {
        e.hat = block_buf(m, w, block, which == 0 ? HAT1 : HAT2);
        e.rstd = block_buf(m, w, block, which == 0 ? RSTD1 : RSTD2);
    }
    if (which == 1) {
        e.relu_sum = 1;
        e.residual = block == 0 && has_downsample(&m->conf.tcn)
                         ? w->bufs[SHORT]
                         : block_in(m, w, block);
    }
    return e;
}

/* Blocks [i, end). */
static void blocks_fwd(const struct model *m, struct model_work *w, size_t i,
                       size_t end)
{
    for (; i < end; i++) {
        struct ops_epilogue e1 = epilogue(m, w, i, 0);
        struct ops_epilogue e2 = epilogue(m, w, i, 1);
        struct ops_buf *u = block_buf(m, w, i, U);

        w->ops->conv_fwd(w->plan, layer_of(m, i, 0), &w->batch,
                         block_in(m, w, i), u, &e1);
        w->ops->conv_fwd(w->plan, layer_of(m, i, 1), &w->batch, u,
                         block_buf(m, w, i, Y), &e2);
    }
}

/* NET_OUT from NET_IN. */
static void forward(const struct model *m, struct model_work *w)
{
    const struct ops_epilogue none = {0};
    size_t N = (size_t)m->conf.tcn.num_blocks;

    if (has_downsample(&m->conf.tcn))
        w->ops->conv_fwd(w->plan, layer_of(m, 0, 2), &w->batch,
                         w->bufs[NET_IN], w->bufs[SHORT], &none);
    blocks_fwd(m, w, 0, N);
    w->ops->conv_fwd(w->plan, layer_of(m, N, 0), &w->batch, block_in(m, w, N),
                     w->bufs[NET_OUT], &none);
}

/* One layer back. */
static int layer_back(struct model_work *w, size_t layer, struct ops_buf *x,
                      struct ops_buf *y, struct ops_buf *dy, struct ops_buf *dx,
                      int add, const struct ops_epilogue *e, struct err *err)
{
    const struct ops_grads g = {x, y, dy, dx, add, w->dweights};

    return w->ops->conv_bwd(w->plan, layer, &w->batch, &g, e, err);
}

/* One block back: DY from its output's gradient to its input's. */
static int block_back(const struct model *m, struct model_work *w, size_t block,
                      struct err *err)
{
    const struct ops_epilogue none = {0};
    struct ops_epilogue e1 = epilogue(m, w, block, 0);
    struct ops_epilogue e2 = epilogue(m, w, block, 1);
    struct ops_buf *x = block_in(m, w, block), *u = block_buf(m, w, block, U);
    struct ops_buf *dy = w->bufs[DY], *du = w->bufs[DU];

    if (layer_back(w, layer_of(m, block, 1), u, block_buf(m, w, block, Y), dy,
                   du, 0, &e2, err))
        return -1;
    /* dy is now the gradient of the sum, hence of the shortcut */
    if (block == 0 && has_downsample(&m->conf.tcn) &&
        layer_back(w, layer_of(m, 0, 2), x, NULL, dy, NULL, 0, &none, err))
        return -1;
    return layer_back(w, layer_of(m, block, 0), x, u, du, block > 0 ? dy : NULL,
                      1, &e1, err);
}

/* All weights' gradients from NET_DOUT. */
static int backward(const struct model *m, struct model_work *w,
                    struct err *err)
{
    const struct ops_epilogue none = {0};
    size_t N = (size_t)m->conf.tcn.num_blocks, k = segment(m, w->training);

    assert(w->training);
    if (layer_back(w, layer_of(m, N, 0), block_in(m, w, N), w->bufs[NET_OUT],
                   w->bufs[NET_DOUT], w->bufs[DY], 0, &none, err))
        return -1;
    for (size_t i = N; i-- > 0;) {
        if (i + 1 < N && (i + 1) % k == 0) /* another segment's turn */
            blocks_fwd(m, w, i + 1 - k, i + 1);
        if (block_back(m, w, i, err))
            return -1;
    }
    return 0;
}

/* Settings no network can have. */
static int check(const struct config_tcn *c, struct err *err)
{
    const struct {
        const char *name; /* key */
        int64_t value;    /* what it is set to */
    } sizes[] = {
        {"input_size", c->input_size},   {"output_size", c->output_size},
        {"num_blocks", c->num_blocks},   {"num_channels", c->num_channels},
        {"kernel_size", c->kernel_size}, {"dilation_base", c->dilation_base}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        if (sizes[i].value < 1 || sizes[i].value > 1048576)
            return err_set(err, ERR_USAGE,
                           "model.params.%s: want 1 to 1048576, got %lld",
                           sizes[i].name, (long long)sizes[i].value);
    if (!(c->dropout >= 0 && c->dropout < 1))
        return err_set(err, ERR_USAGE,
                       "model.params.dropout: want 0 <= p < 1, got %g",
                       c->dropout);
    return 0;
}

/* A convolution of a block, with its zeros on the left. */
static struct ops_conv conv_of(const struct config_tcn *c, size_t block,
                               size_t c_in, size_t kernel, size_t dilation)
{
    struct ops_conv conv = {.c_in = c_in,
                            .c_out = (size_t)c->num_channels,
                            .kernel = kernel,
                            .dilation = dilation};

    conv.left = conv1d_left(kernel, dilation, c->padding == CONFIG_PAD_CAUSAL);
    conv.first = block == 0 && c_in == (size_t)c->input_size;
    return conv;
}

/* Registers conv1 or conv2 of a block, with its norm. */
static int add_conv(struct model *m, size_t block, int which,
                    struct ops_conv conv, struct err *err)
{
    enum config_norm norm = m->conf.tcn.norm;
    unsigned flags =
        norm == CONFIG_NORM_WEIGHT ? NET_BIAS | NET_WEIGHT_NORM : NET_BIAS;
    char name[64];

    snprintf(name, sizeof(name), "network.%zu.conv%d", block, which);
    if (net_conv(m, name, conv, flags, err))
        return -1;
    snprintf(name, sizeof(name), "network.%zu.norm%d", block, which);
    return norm == CONFIG_NORM_LAYER ? net_layer_norm(m, name, err) : 0;
}

/* Registers one block. */
static int add_block(struct model *m, size_t block, size_t dilation,
                     struct err *err)
{
    const struct config_tcn *c = &m->conf.tcn;
    size_t C = (size_t)c->num_channels, K = (size_t)c->kernel_size;
    size_t c_in = block == 0 ? (size_t)c->input_size : C;
    struct ops_conv conv1 = conv_of(c, block, c_in, K, dilation);
    struct ops_conv conv2 = conv_of(c, block, C, K, dilation);

    conv2.first = 0;
    if (add_conv(m, block, 1, conv1, err) || add_conv(m, block, 2, conv2, err))
        return -1;
    if (block == 0 && has_downsample(c) &&
        net_conv(m, "network.0.downsample", conv_of(c, 0, c_in, 1, 1), NET_BIAS,
                 err))
        return -1;
    m->net->past += 2 * conv1.left;
    m->net->future += 2 * ((K - 1) * dilation - conv1.left);
    return 0;
}

int tcn_init(struct model *m, struct err *err)
{
    const struct config_tcn *c = &m->conf.tcn;
    struct ops_conv head = {.kernel = 1, .dilation = 1};
    size_t base, dilation = 1;

    if (check(c, err))
        return -1;
    base = (size_t)c->dilation_base;
    m->input_size = (size_t)c->input_size;
    m->output_size = (size_t)c->output_size;
    m->net->n_bufs = n_bufs;
    m->net->frame_size = frame_size;
    m->net->forward = forward;
    m->net->backward = backward;
    for (size_t i = 0; i < (size_t)c->num_blocks; i++) {
        if (i > 0 && dilation > MAX_DILATION / base)
            return err_set(err, ERR_USAGE,
                           "model.params.num_blocks: block %zu would have "
                           "dilation %zu^%zu, over %d frames",
                           i, base, i, MAX_DILATION);
        dilation *= i > 0 ? base : 1;
        if (add_block(m, i, dilation, err))
            return -1;
    }
    head.c_in = (size_t)c->num_channels;
    head.c_out = m->output_size;
    return net_conv(m, "linear", head, NET_BIAS | NET_LINEAR, err);
}
