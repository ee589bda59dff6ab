/*
 * wavenet - stacks of gated dilated convolutions.
 *
 *   x (T, I)     I = input_channels, R = residual_channels,
 *   |            S = skip_channels, K = kernel_size, O = output_channels,
 *   v            M = num_stacks, N = num_layers_per_stack
 *   stack 0   layers d = 1, base, ..., base^(N-1)   base = dilation_base
 *   stack 1   layers d = 1, base, ..., base^(N-1)
 *   ...
 *   stack M-1
 *
 * Layer n of a stack, with d = base^n; C_in is I in layer 0 of stack 0, else
 * R:
 *
 *   x (T, C_in) ---------------------------+
 *   |                                      |
 *   layers.n  C_in -> R (2 R if split),    r: identity, or
 *   |         K taps, d frames apart       |  residual_projection, a 1x1
 *   |  z                                   |  convolution C_in -> R, if C_in
 *   gate: tanh(z) sigmoid(z), or split:    |  is not R
 *   |     tanh of z's first R channels,    |
 *   |     sigmoid of the other R           |
 *   [dropout, if dropout_at is gate]       |
 *   |  g (T, R)                            |
 *   +--> skip_connections.n, 1x1 R -> S,   |
 *   |    added to the skip sum (T, S)      |
 *   [residual_connections.n, 1x1 R -> R,   |
 *   |  if residual_conv]                   |
 *   + <------------------------------------+
 *   [dropout, if dropout_at is residual]
 *   |
 *   x of the next layer (T, R)
 *
 * Head, on a skip sum:
 *
 *   ReLU - conv_out1, 1x1 S -> S - ReLU - conv_out2, 1x1 S -> O
 *
 * head shared: there is one, on the sum of all layers of all stacks; stacks
 * hand their x on. head chained: every stack ends in a head of its own, on
 * the sum of its own layers; its conv_out2 has R outputs that are the next
 * stack's x, in the last stack O outputs. What the residual stream holds
 * behind the last layer before its end is never computed; with residual_conv
 * that layer has weights all the same, so that names are regular, and their
 * gradient is 0.
 *
 * padding as in tcn.c. use_bias is for all convolutions but the head's, which
 * go by head_bias. weight_norm holds for every convolution.
 *
 * Receptive field: 1 + M (K-1) sum_n base^n frames; past M sum_n left_n.
 * Parameters, with G = 2 if split, else 1, and m = M N layers:
 *
 *   I R K G + R G + (m-1) (R R K G + R G) + m (R S + S)
 *   + [residual_conv] m (R R + R) + [I != R] (I R + R)
 *   + heads: S S + S + S O + O, and chained (M-1) (S S + S + S R + R)
 *
 * less the biases that are off; with weight_norm as many more as there are
 * outputs of convolutions.
 *
 * Names: in stack s stacks.{s}.layers.{n}, stacks.{s}.skip_connections.{n},
 * [stacks.{s}.residual_connections.{n}], [stacks.{s}.residual_projection];
 * conv_out1 and conv_out2 behind all stacks, or stacks.{s}.conv_out1 and
 * stacks.{s}.conv_out2. Dropout's layer is s N + n.
 *
 * Backward keeps x, g and the gate's derivative of every layer, two (T, S)
 * for every head; forward alone keeps two x, one g and one head's. A layer
 * and its 1x1 convolutions are one operation, see gated.h.
 * Recomputing, the layers of a stack come in segments of k: backward keeps
 * the x behind each segment, and everything of one segment only, whose layers
 * are computed again, but for their skips, when their turn comes.
 */
#include "nn/wavenet.h"

#include <assert.h>
#include <stdio.h>

#include "nn/conv1d.h"
#include "nn/net.h"

/* Widest a dilation may get, in frames. */
#define MAX_DILATION 1073741824

/* The architecture's buffers; heads' and layers' follow, then the x behind
   each segment. */
enum {
    PROJECTED = NET_OWN, /* (T, R) residual_projection's output */
    DX,                  /* training: (T, R) gradient of the residual stream */
    DSKIP,               /* training: (T, S) gradient of a skip sum */
    DHIDDEN,             /* training: (T, S) gradient of a head's middle */
    HEADS                /* first of the heads' */
};

/* A head's buffers. */
enum {
    SUM,    /* (T, S) the skip sum, in the end its ReLU */
    HIDDEN, /* (T, S) ReLU of conv_out1 */
    PER_HEAD /* how many */
};

/* A layer's buffers. */
enum {
    X,     /* (T, R) the residual stream behind it, or its stack's output */
    G,     /* (T, R) its gate */
    SLOPE, /* (T, R or 2 R) the gate's derivative */
    PER_LAYER /* how many */
};

/* Kinds of layers in a stack, in the order of registration. */
enum kind { DILATED, TO_SKIP, TO_RESIDUAL, PROJECTION, OUT1, OUT2 };

/* Settings of a wavenet. */
static const struct config_wavenet *conf_of(const struct model *m)
{
    return &m->conf.wavenet;
}

/* Layers of a stack. */
static size_t depth(const struct model *m)
{
    return (size_t)m->conf.wavenet.num_layers_per_stack;
}

/* Whether every stack has a head. */
static int is_chained(const struct model *m)
{
    return m->conf.wavenet.head == CONFIG_HEAD_CHAINED;
}

/* How many heads there are. */
static size_t n_heads(const struct model *m)
{
    return is_chained(m) ? (size_t)m->conf.wavenet.num_stacks : 1;
}

/* Whether anything reads the residual stream behind a layer. */
static int goes_on(const struct config_wavenet *c, size_t stack, size_t n)
{
    size_t last = (size_t)c->num_stacks - 1;

    return n + 1 < (size_t)c->num_layers_per_stack ||
           (c->head == CONFIG_HEAD_SHARED && stack < last);
}

/* Whether a stack's input has other channels than the residual stream. */
static int is_wider(const struct config_wavenet *c, size_t stack)
{
    return stack == 0 && c->input_channels != c->residual_channels;
}

/* Whether a stack begins with a 1x1 convolution beside its first layer. */
static int has_projection(const struct config_wavenet *c, size_t stack)
{
    return is_wider(c, stack) && goes_on(c, stack, 0);
}

/* Residual convolutions of a stack that are used. */
static size_t n_residual(const struct model *m, size_t stack)
{
    const struct config_wavenet *c = conf_of(m);
    size_t N = depth(m);

    return c->residual_conv ? N - 1 + (size_t)goes_on(c, stack, N - 1) : 0;
}

/* Position of a layer among all of the model; n only for the first three. */
static size_t layer_of(const struct model *m, size_t stack, enum kind kind,
                       size_t n)
{
    size_t i = 0, N = depth(m);

    for (size_t s = 0; s < stack; s++)
        i += 2 * N + n_residual(m, s) +
             (size_t)has_projection(conf_of(m), s) +
             (is_chained(m) ? 2 : 0);
    if (kind == DILATED)
        return i + n;
    if (kind == TO_SKIP)
        return i + N + n;
    if (kind == TO_RESIDUAL)
        return i + 2 * N + n;
    i += 2 * N + n_residual(m, stack);
    if (kind == PROJECTION)
        return i;
    i += (size_t)has_projection(conf_of(m), stack);
    return kind == OUT1 ? i : i + 1;
}

/* Layers of a segment, of one stack, when they are computed again. */
static size_t segment(const struct model *m)
{
    size_t layers = (size_t)conf_of(m)->num_stacks * depth(m);
    size_t k = net_segment(layers, PER_LAYER);

    return k < depth(m) ? k : depth(m);
}

/* Segments of a stack. */
static size_t n_segments(const struct model *m)
{
    return (depth(m) + segment(m) - 1) / segment(m);
}

/* Layers whose buffers are there at once. */
static size_t n_slots(const struct model *m, int training)
{
    if (training == MODEL_RECOMPUTE)
        return segment(m);
    return training ? (size_t)conf_of(m)->num_stacks * depth(m) : 2;
}

/* First of the layers' buffers. */
static size_t slots_at(const struct model *m, int training)
{
    return HEADS + PER_HEAD * (training ? n_heads(m) : 1);
}

/* How many buffers there are. */
static size_t n_bufs(const struct model *m, int training)
{
    size_t n = slots_at(m, training) + PER_LAYER * n_slots(m, training);

    if (training == MODEL_RECOMPUTE)
        n += (size_t)conf_of(m)->num_stacks * n_segments(m);
    return n;
}

/* Bytes a frame of a layer's buffer takes. */
static size_t layer_size(const struct model *m, size_t buf, int training)
{
    const struct config_wavenet *c = conf_of(m);
    enum ops_algorithm how = m->net->convs[0].algorithm;
    size_t R = (size_t)c->residual_channels, row = R * sizeof(float);
    size_t i = buf - slots_at(m, training), slots = n_slots(m, training);

    if (i >= PER_LAYER * slots) /* behind a segment; none behind the last */
        return buf + 1 < n_bufs(m, training) ? row : 0;
    switch (i % PER_LAYER) {
    case X:
        return training && i / PER_LAYER + 1 == slots ? 0 : row;
    case G:
        return training || i < PER_LAYER ? m->net->ops->kept_size(R, how) : 0;
    default:
        if (!training)
            return 0;
        return m->net->ops->kept_size(c->gate == CONFIG_GATE_SPLIT ? 2 * R : R,
                                      how);
    }
}

/* Bytes a frame of buffer i takes. */
static size_t frame_size(const struct model *m, size_t i, int training)
{
    const struct config_wavenet *c = conf_of(m);
    size_t row = (size_t)c->residual_channels * sizeof(float);
    size_t skip = (size_t)c->skip_channels * sizeof(float);

    if (i >= slots_at(m, training))
        return layer_size(m, i, training);
    switch (i) {
    case NET_IN:
        return m->input_size * sizeof(float);
    case NET_OUT:
        return m->output_size * sizeof(float);
    case NET_DOUT:
        return training ? m->output_size * sizeof(float) : 0;
    case PROJECTED:
        return has_projection(c, 0) ? row : 0;
    case DX:
        return training ? row : 0;
    case DSKIP:
    case DHIDDEN:
        return training ? skip : 0;
    default:
        return skip;
    }
}

/* Whether layer n is the last of its segment. */
static int ends_segment(const struct model *m, size_t n)
{
    return (n + 1) % segment(m) == 0 || n + 1 == depth(m);
}

/* Buffer of layer n of a stack. */
static struct ops_buf *layer_buf(const struct model *m,
                                 const struct model_work *w, size_t stack,
                                 size_t n, size_t which)
{
    size_t i = stack * depth(m) + n, at = slots_at(m, w->training);

    if (w->training == MODEL_RECOMPUTE) {
        if (which == X && ends_segment(m, n))
            return w->bufs[at + PER_LAYER * segment(m) +
                           stack * n_segments(m) + n / segment(m)];
        i = n % segment(m);
    } else if (!w->training) {
        i = which == X ? i % 2 : 0; /* all layers share one gate */
    }
    return w->bufs[at + PER_LAYER * i + which];
}

/* Input of layer n of a stack. */
static struct ops_buf *layer_in(const struct model *m,
                                const struct model_work *w, size_t stack,
                                size_t n)
{
    if (n > 0)
        return layer_buf(m, w, stack, n - 1, X);
    return stack > 0 ? layer_buf(m, w, stack - 1, depth(m) - 1, X)
                     : w->bufs[NET_IN];
}

/* Buffer of the head that a stack's skips are for. */
static struct ops_buf *head_buf(const struct model *m,
                                const struct model_work *w, size_t stack,
                                size_t which)
{
    size_t head = is_chained(m) && w->training ? stack : 0;

    return w->bufs[HEADS + PER_HEAD * head + which];
}

/* The residual stream as layer n of a stack adds to it. */
static struct ops_buf *residual_of(const struct model *m,
                                   const struct model_work *w, size_t stack,
                                   size_t n)
{
    return n == 0 && has_projection(conf_of(m), stack)
               ? w->bufs[PROJECTED]
               : layer_in(m, w, stack, n);
}

/* Whether layer n is the first (0) or last (1) that a head sums. */
static int at_end(const struct model *m, size_t stack, size_t n, int last)
{
    size_t end = last ? (size_t)conf_of(m)->num_stacks - 1 : 0;

    return n == (last ? depth(m) - 1 : 0) && (is_chained(m) || stack == end);
}

/* Layer n of a stack, with its dropout if values are dropped. */
static struct ops_gated gated_of(const struct model *m,
                                 const struct model_work *w, size_t stack,
                                 size_t n)
{
    const struct config_wavenet *c = conf_of(m);
    int on = goes_on(c, stack, n), split = c->gate == CONFIG_GATE_SPLIT;

    return (struct ops_gated){
        .dilated = layer_of(m, stack, DILATED, n),
        .skip = layer_of(m, stack, TO_SKIP, n),
        .residual = on && c->residual_conv ? layer_of(m, stack, TO_RESIDUAL, n)
                                           : OPS_NONE,
        .gate = split ? OPS_GATE_SPLIT : OPS_GATE_TIED,
        .dropout = w->dropping ? c->dropout_rate : 0,
        .at_gate = c->dropout_at == CONFIG_DROPOUT_GATE,
        .seed = w->drop.seed,
        .step = w->drop.step,
        .layer = (uint32_t)(stack * depth(m) + n),
        .first = at_end(m, stack, n, 0),
        .last = at_end(m, stack, n, 1),
        .x = layer_in(m, w, stack, n),
        .stream = residual_of(m, w, stack, n),
        .sum = on ? layer_buf(m, w, stack, n, X) : NULL,
        .g = layer_buf(m, w, stack, n, G),
        .slope = w->training ? layer_buf(m, w, stack, n, SLOPE) : NULL,
        .skips = head_buf(m, w, stack, SUM)};
}

/* One stack, up to its skip sum. */
static void stack_fwd(const struct model *m, struct model_work *w, size_t stack)
{
    const struct config_wavenet *c = conf_of(m);
    const struct ops_epilogue none = {0};

    if (has_projection(c, stack))
        w->ops->conv_fwd(w->plan, layer_of(m, stack, PROJECTION, 0), &w->batch,
                         layer_in(m, w, stack, 0), w->bufs[PROJECTED], &none);
    for (size_t n = 0; n < depth(m); n++) {
        struct ops_gated layer = gated_of(m, w, stack, n);

        w->ops->gated_fwd(w->plan, &w->batch, &layer);
    }
}

/* Layer n's segment up to it once more; skip sums and heads stand. */
static void segment_fwd(const struct model *m, struct model_work *w,
                        size_t stack, size_t n)
{
    for (size_t i = n / segment(m) * segment(m); i <= n; i++) {
        struct ops_gated layer = gated_of(m, w, stack, i);

        layer.skips = NULL;
        w->ops->gated_fwd(w->plan, &w->batch, &layer);
    }
}

/* Whether a head follows a stack. */
static int has_head(const struct model *m, size_t stack)
{
    return is_chained(m) || stack + 1 == (size_t)conf_of(m)->num_stacks;
}

/* Where the head behind a stack writes. */
static struct ops_buf *head_out(const struct model *m,
                                const struct model_work *w, size_t stack)
{
    return stack + 1 == (size_t)conf_of(m)->num_stacks
               ? w->bufs[NET_OUT]
               : layer_buf(m, w, stack, depth(m) - 1, X);
}

/* NET_OUT from NET_IN. */
static void forward(const struct model *m, struct model_work *w)
{
    const struct ops_epilogue none = {0}, relu = {.relu_sum = 1};

    for (size_t s = 0; s < (size_t)conf_of(m)->num_stacks; s++) {
        struct ops_buf *hidden = head_buf(m, w, s, HIDDEN);

        stack_fwd(m, w, s);
        if (!has_head(m, s))
            continue;
        w->ops->conv_fwd(w->plan, layer_of(m, s, OUT1, 0), &w->batch,
                         head_buf(m, w, s, SUM), hidden, &relu);
        w->ops->conv_fwd(w->plan, layer_of(m, s, OUT2, 0), &w->batch, hidden,
                         head_out(m, w, s), &none);
    }
}

/* One layer back. */
static int layer_back(struct model_work *w, size_t layer, struct ops_grads g,
                      const struct ops_epilogue *e, struct err *err)
{
    g.dweights = w->dweights;
    return w->ops->conv_bwd(w->plan, layer, &w->batch, &g, e, err);
}

/* The head behind a stack back: DSKIP from dy. */
static int head_back(const struct model *m, struct model_work *w, size_t stack,
                     struct ops_buf *dy, struct err *err)
{
    const struct ops_epilogue none = {0}, relu = {.relu_sum = 1};
    struct ops_buf *sum = head_buf(m, w, stack, SUM);
    struct ops_buf *hidden = head_buf(m, w, stack, HIDDEN);
    struct ops_grads out2 = {.x = hidden, .dy = dy, .dx = w->bufs[DHIDDEN]};
    struct ops_grads out1 = {.x = sum, .y = hidden, .dy = w->bufs[DHIDDEN],
                             .dx = w->bufs[DSKIP]};

    if (layer_back(w, layer_of(m, stack, OUT2, 0), out2, &none, err))
        return -1;
    return layer_back(w, layer_of(m, stack, OUT1, 0), out1, &relu, err);
}

/* Layer n back: DX from the residual stream behind it to the one before. */
static int gated_back(const struct model *m, struct model_work *w, size_t stack,
                      size_t n, struct err *err)
{
    const struct ops_epilogue none = {0};
    struct ops_gated layer = gated_of(m, w, stack, n);
    struct ops_buf *dx = w->bufs[DX];
    int first = stack == 0 && n == 0;
    struct ops_gated_grads g = {.dskips = w->bufs[DSKIP],
                                .dsum = layer.sum ? dx : NULL,
                                .dx = first ? NULL : dx,
                                .add = layer.sum != NULL,
                                .dweights = w->dweights};
    struct ops_grads projection = {.x = layer.x, .dy = dx};

    w->ops->gated_bwd(w->plan, &w->batch, &layer, &g);
    if (!first || !has_projection(conf_of(m), stack))
        return 0;
    return layer_back(w, layer_of(m, stack, PROJECTION, 0), projection, &none,
                      err);
}

/* Whether layer n's activations are no longer there when its turn comes. */
static int is_gone(const struct model *m, const struct model_work *w,
                   size_t stack, size_t n)
{
    return w->training == MODEL_RECOMPUTE && ends_segment(m, n) &&
           !(n + 1 == depth(m) &&
             stack + 1 == (size_t)conf_of(m)->num_stacks);
}

/* All weights' gradients from NET_DOUT. */
static int backward(const struct model *m, struct model_work *w,
                    struct err *err)
{
    struct ops_buf *dy = w->bufs[NET_DOUT];

    assert(w->training);
    for (size_t s = (size_t)conf_of(m)->num_stacks; s-- > 0;) {
        if (has_head(m, s) && head_back(m, w, s, dy, err))
            return -1;
        for (size_t n = depth(m); n-- > 0;) {
            if (is_gone(m, w, s, n))
                segment_fwd(m, w, s, n);
            if (gated_back(m, w, s, n, err))
                return -1;
        }
        dy = w->bufs[DX];
    }
    return 0;
}

/* Settings no network can have. */
static int check(const struct config_wavenet *c, struct err *err)
{
    const struct {
        const char *name; /* key */
        int64_t value;    /* what it is set to */
    } sizes[] = {{"num_stacks", c->num_stacks},
                 {"num_layers_per_stack", c->num_layers_per_stack},
                 {"residual_channels", c->residual_channels},
                 {"skip_channels", c->skip_channels},
                 {"kernel_size", c->kernel_size},
                 {"dilation_base", c->dilation_base},
                 {"input_channels", c->input_channels},
                 {"output_channels", c->output_channels}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        if (sizes[i].value < 1 || sizes[i].value > 1048576)
            return err_set(err, ERR_USAGE,
                           "model.params.%s: want 1 to 1048576, got %lld",
                           sizes[i].name, (long long)sizes[i].value);
    if (!(c->dropout_rate >= 0 && c->dropout_rate < 1))
        return err_set(err, ERR_USAGE,
                       "model.params.dropout_rate: want 0 <= p < 1, got %g",
                       c->dropout_rate);
    return 0;
}

/* Registers a 1x1 convolution, named by a format of a stack and a number. */
static int add_1x1(struct model *m, const char *format, size_t stack, size_t n,
                   size_t c_in, size_t c_out, unsigned flags, struct err *err)
{
    struct ops_conv conv = {
        .c_in = c_in, .c_out = c_out, .kernel = 1, .dilation = 1};
    char name[64];

    if (m->conf.wavenet.weight_norm)
        flags |= NET_WEIGHT_NORM;
    snprintf(name, sizeof(name), format, stack, n);
    return net_conv(m, name, conv, flags, err);
}

/* Registers the dilated convolutions of a stack. */
static int add_dilated(struct model *m, size_t stack, struct err *err)
{
    const struct config_wavenet *c = conf_of(m);
    size_t R = (size_t)c->residual_channels, base = (size_t)c->dilation_base;
    unsigned flags = (c->use_bias ? NET_BIAS : 0u) |
                     (c->weight_norm ? NET_WEIGHT_NORM : 0u);
    struct ops_conv conv = {.c_out = c->gate == CONFIG_GATE_SPLIT ? 2 * R : R,
                            .kernel = (size_t)c->kernel_size,
                            .dilation = 1};
    char name[64];

    for (size_t n = 0; n < depth(m); n++) {
        conv.first = stack == 0 && n == 0;
        conv.c_in = conv.first ? (size_t)c->input_channels : R;
        if (n > 0 && conv.dilation > MAX_DILATION / base)
            return err_set(err, ERR_USAGE,
                           "model.params.num_layers_per_stack: layer %zu would "
                           "have dilation %zu^%zu, over %d frames",
                           n, base, n, MAX_DILATION);
        conv.dilation *= n > 0 ? base : 1;
        conv.left = conv1d_left(conv.kernel, conv.dilation,
                                c->padding == CONFIG_PAD_CAUSAL);
        snprintf(name, sizeof(name), "stacks.%zu.layers.%zu", stack, n);
        if (net_conv(m, name, conv, flags, err))
            return -1;
        m->net->past += conv.left;
        m->net->future += (conv.kernel - 1) * conv.dilation - conv.left;
    }
    return 0;
}

/* Registers the head behind a stack, named by formats of the stack. */
static int add_head(struct model *m, const char *out1, const char *out2,
                    size_t stack, size_t outputs, struct err *err)
{
    size_t S = (size_t)conf_of(m)->skip_channels;
    unsigned flags = conf_of(m)->head_bias ? NET_BIAS : 0u;

    if (add_1x1(m, out1, stack, 0, S, S, flags, err))
        return -1;
    return add_1x1(m, out2, stack, 0, S, outputs, flags, err);
}

/* Registers one stack. */
static int add_stack(struct model *m, size_t stack, struct err *err)
{
    const struct config_wavenet *c = conf_of(m);
    size_t R = (size_t)c->residual_channels, S = (size_t)c->skip_channels;
    unsigned flags = c->use_bias ? NET_BIAS : 0u;

    if (add_dilated(m, stack, err))
        return -1;
    for (size_t n = 0; n < depth(m); n++)
        if (add_1x1(m, "stacks.%zu.skip_connections.%zu", stack, n, R, S, flags,
                    err))
            return -1;
    for (size_t n = 0; n < depth(m) && c->residual_conv; n++)
        if (add_1x1(m, "stacks.%zu.residual_connections.%zu", stack, n, R, R,
                    goes_on(c, stack, n) ? flags : flags | NET_UNUSED, err))
            return -1;
    if (is_wider(c, stack) &&
        add_1x1(m, "stacks.%zu.residual_projection", stack, 0, m->input_size, R,
                goes_on(c, stack, 0) ? flags : flags | NET_UNUSED, err))
        return -1;
    if (!is_chained(m))
        return 0;
    return add_head(m, "stacks.%zu.conv_out1", "stacks.%zu.conv_out2", stack,
                    stack + 1 == (size_t)c->num_stacks ? m->output_size : R,
                    err);
}

int wavenet_init(struct model *m, struct err *err)
{
    const struct config_wavenet *c = &m->conf.wavenet;

    if (check(c, err))
        return -1;
    m->input_size = (size_t)c->input_channels;
    m->output_size = (size_t)c->output_channels;
    m->net->n_bufs = n_bufs;
    m->net->frame_size = frame_size;
    m->net->forward = forward;
    m->net->backward = backward;
    for (size_t s = 0; s < (size_t)c->num_stacks; s++)
        if (add_stack(m, s, err))
            return -1;
    if (is_chained(m))
        return 0;
    return add_head(m, "conv_out1", "conv_out2", 0, m->output_size, err);
}
