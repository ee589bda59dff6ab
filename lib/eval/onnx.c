/*
 * onnx - protobuf by hand: a message is fields, a field is a varint of
 * (number << 3 | wire type), then a varint, or a length and bytes, or 4 bytes.
 *
 *   ModelProto      ir_version 1, producer_name 2, producer_version 3,
 *                   graph 7, opset_import 8, metadata_props 14
 *   GraphProto      node 1, name 2, initializer 5, input 11, output 12
 *   NodeProto       input 1, output 2, name 3, op_type 4, attribute 5
 *   AttributeProto  name 1, i 3, ints 8, type 20 (INT 2, INTS 7)
 *   TensorProto     dims 1, data_type 2 (FLOAT 1), name 8, raw_data 9
 *   ValueInfoProto  name 1, type 2 { tensor_type 1 { elem_type 1,
 *                   shape 2 { dim 1 { dim_value 1 | dim_param 2 } } } }
 *
 * Values flow channels first, (batch, channels, time), as ONNX's Conv wants
 * them; one Transpose at each end.
 */
#include "eval/onnx.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/norm.h"

/* Version of the file format, and of the set of operations. */
#define IR_VERSION 7
#define OPSET 13
/* FLOAT, INT and INTS of onnx.proto3. */
#define TYPE_FLOAT 1
#define TYPE_INT 2
#define TYPE_INTS 7

/* Room for a value's name. */
#define NAME_SIZE 128

/* A value of the graph. */
struct value {
    char name[NAME_SIZE]; /* as nodes call it */
};

/* A graph being built. */
struct graph {
    const struct model *m; /* what is exported */
    struct buf nodes;      /* node fields of the GraphProto */
    struct buf tensors;    /* initializer fields of it */
    size_t n_values;       /* values so far: makes names unique */
    struct err *err;       /* first failure */
    int failed;            /* err is set */
};

/* ---- protobuf ---- */

/* A base-128 varint. */
static void put_varint(struct buf *b, uint64_t v)
{
    unsigned char byte;

    do {
        byte = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        buf_put(b, &byte, 1);
        v >>= 7;
    } while (v);
}

/* A field that is a number. */
static void put_number(struct buf *b, unsigned field, uint64_t v)
{
    put_varint(b, (uint64_t)field << 3);
    put_varint(b, v);
}

/* A field that is bytes: text, or a message. */
static void put_bytes(struct buf *b, unsigned field, const void *bytes,
                      size_t n)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, n);
    buf_put(b, bytes, n);
}

/* A field that is text. */
static void put_text(struct buf *b, unsigned field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

/* A field that is the message in `inner`, which is emptied. */
static void put_message(struct buf *b, unsigned field, struct buf *inner)
{
    b->failed = b->failed || inner->failed;
    put_bytes(b, field, buf_text(inner), inner->len);
    buf_release(inner);
}

/* ---- tensors and nodes ---- */

/* An attribute: one integer (n is 0: value v[0]) or a list of n. */
static void put_attribute(struct buf *node, const char *name,
                          const int64_t *v, size_t n)
{
    struct buf a = {0};
    size_t i;

    put_text(&a, 1, name);
    if (n == 0)
        put_number(&a, 3, (uint64_t)v[0]);
    for (i = 0; i < n; i++)
        put_number(&a, 8, (uint64_t)v[i]);
    put_number(&a, 20, n == 0 ? TYPE_INT : TYPE_INTS);
    put_message(node, 5, &a);
}

/* An initializer of n_dims dimensions. */
static void put_tensor(struct graph *g, const char *name, const float *data,
                       const size_t *dims, size_t n_dims)
{
    struct buf t = {0};
    size_t n = 1, i;

    for (i = 0; i < n_dims; i++) {
        put_number(&t, 1, dims[i]);
        n *= dims[i];
    }
    put_number(&t, 2, TYPE_FLOAT);
    put_text(&t, 8, name);
    put_bytes(&t, 9, data, n * sizeof *data);
    put_message(&g->tensors, 5, &t);
}

/* Names a new value. */
static struct value new_value(struct graph *g, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

static struct value new_value(struct graph *g, const char *fmt, ...)
{
    struct value v;
    va_list ap;
    int n = snprintf(v.name, sizeof v.name, "v%zu.", g->n_values++);

    va_start(ap, fmt);
    vsnprintf(v.name + n, sizeof v.name - (size_t)n, fmt, ap);
    va_end(ap);
    return v;
}

/* Begins a node: its inputs (NULL ends them early) and its output. */
static void start_node(struct buf *node, const char *op, const char *a,
                       const char *b, const char *c, const struct value *out)
{
    put_text(node, 1, a);
    if (b)
        put_text(node, 1, b);
    if (c)
        put_text(node, 1, c);
    put_text(node, 2, out->name);
    put_text(node, 3, out->name);
    put_text(node, 4, op);
}

/* A node of one or two inputs without attributes. */
static struct value put_op(struct graph *g, const char *op, const char *a,
                           const char *b)
{
    struct value out = new_value(g, "%s", op);
    struct buf node = {0};

    start_node(&node, op, a, b, NULL, &out);
    put_message(&g->nodes, 1, &node);
    return out;
}

/* Exchanges the last two dimensions. */
static struct value put_transpose(struct graph *g, const char *a,
                                  const char *name)
{
    static const int64_t perm[] = {0, 2, 1};
    struct value out = new_value(g, "Transpose");
    struct buf node = {0};

    if (name)
        snprintf(out.name, sizeof out.name, "%s", name);
    start_node(&node, "Transpose", a, NULL, NULL, &out);
    put_attribute(&node, "perm", perm, 3);
    put_message(&g->nodes, 1, &node);
    return out;
}

/* The mean over channels, kept as a dimension. */
static struct value put_mean(struct graph *g, const char *a)
{
    static const int64_t axes[] = {1}, keep[] = {1};
    struct value out = new_value(g, "ReduceMean");
    struct buf node = {0};

    start_node(&node, "ReduceMean", a, NULL, NULL, &out);
    put_attribute(&node, "axes", axes, 1);
    put_attribute(&node, "keepdims", keep, 0);
    put_message(&g->nodes, 1, &node);
    return out;
}

/* ---- the model's parts ---- */

/* A parameter by name; NULL if the model has none. */
static const struct model_param *find(const struct graph *g, const char *name)
{
    size_t i;

    for (i = 0; i < g->m->n_params; i++) {
        if (!strcmp(g->m->params[i].name, name))
            return &g->m->params[i];
    }
    return NULL;
}

/* Shape of a convolution. */
struct shape {
    size_t rows; /* outputs */
    size_t in;   /* inputs of one tap */
    size_t taps; /* K */
};

/*
 * The weights of `prefix`, weight norm folded, or NULL with g failed.
 * Caller frees.
 */
static float *weights_of(struct graph *g, const char *prefix,
                         struct shape *shape)
{
    char name[NAME_SIZE];
    const struct model_param *w, *len;
    float *out;

    snprintf(name, sizeof name, "%s.weight", prefix);
    w = find(g, name);
    snprintf(name, sizeof name, "%s.weight_v", prefix);
    if (!w)
        w = find(g, name);
    snprintf(name, sizeof name, "%s.weight_g", prefix);
    len = find(g, name);
    if (!w) {
        g->failed = 1;
        err_set(g->err, ERR_FAILED, "the model has no %s", prefix);
        return NULL;
    }
    *shape = (struct shape){w->shape[0], w->shape[1],
                            w->n_dims > 2 ? w->shape[2] : 1};
    out = mem_alloc(w->count, sizeof *out, g->err);
    if (!out) {
        g->failed = 1;
        return NULL;
    }
    if (len)
        norm_weight_forward(g->m->weights + len->offset,
                            g->m->weights + w->offset, shape->rows,
                            shape->in * shape->taps, out);
    else
        memcpy(out, g->m->weights + w->offset, w->count * sizeof *out);
    return out;
}

/*
 * A convolution: rows [first, first + rows) of the weights called prefix
 * (rows 0: all), dilation d, padding as the model's.
 */
static struct value put_conv(struct graph *g, const char *a,
                             const char *prefix, size_t first, size_t rows,
                             size_t d, enum config_padding padding)
{
    struct value out = new_value(g, "%s", prefix), w, b;
    char name[NAME_SIZE];
    const struct model_param *bias;
    struct shape shape = {0};
    struct buf node = {0};
    size_t dims[3];
    int64_t pads[2], dilations[1], kernel[1];
    float *weights = g->failed ? NULL : weights_of(g, prefix, &shape);

    if (!weights)
        return out;
    rows = rows ? rows : shape.rows;
    dims[0] = rows;
    dims[1] = shape.in;
    dims[2] = shape.taps;
    w = new_value(g, "%s.weight", prefix);
    put_tensor(g, w.name, weights + first * shape.in * shape.taps, dims, 3);
    free(weights);
    snprintf(name, sizeof name, "%s.bias", prefix);
    bias = find(g, name);
    if (bias) {
        b = new_value(g, "%s.bias", prefix);
        put_tensor(g, b.name, g->m->weights + bias->offset + first, dims, 1);
    }
    kernel[0] = (int64_t)shape.taps;
    dilations[0] = (int64_t)d;
    pads[0] = (kernel[0] - 1) * dilations[0];
    pads[1] = padding == CONFIG_PAD_CAUSAL ? 0 : pads[0] - pads[0] / 2;
    pads[0] -= pads[1];
    start_node(&node, "Conv", a, w.name, bias ? b.name : NULL, &out);
    put_attribute(&node, "dilations", dilations, 1);
    put_attribute(&node, "kernel_shape", kernel, 1);
    put_attribute(&node, "pads", pads, 2);
    put_message(&g->nodes, 1, &node);
    return out;
}

/* A parameter as a tensor that scales or shifts channels, (C, 1). */
static struct value put_channels(struct graph *g, const char *prefix,
                                 const char *what)
{
    struct value out = new_value(g, "%s.%s", prefix, what);
    char name[NAME_SIZE];
    const struct model_param *p;
    size_t dims[2] = {0, 1};

    snprintf(name, sizeof name, "%s.%s", prefix, what);
    p = find(g, name);
    if (!p) {
        g->failed = 1;
        err_set(g->err, ERR_FAILED, "the model has no %s", name);
        return out;
    }
    dims[0] = p->count;
    put_tensor(g, out.name, g->m->weights + p->offset, dims, 2);
    return out;
}

/* Layer norm over channels, in operations that opset 13 has. */
static struct value put_norm(struct graph *g, const char *a,
                             const char *prefix)
{
    static const float eps = (float)NORM_EPS;
    struct value e = new_value(g, "eps"), v, centred, scale, shift;

    put_tensor(g, e.name, &eps, NULL, 0);
    v = put_mean(g, a);
    centred = put_op(g, "Sub", a, v.name);
    v = put_op(g, "Mul", centred.name, centred.name);
    v = put_mean(g, v.name);
    v = put_op(g, "Add", v.name, e.name);
    v = put_op(g, "Sqrt", v.name, NULL);
    v = put_op(g, "Div", centred.name, v.name);
    scale = put_channels(g, prefix, "weight");
    shift = put_channels(g, prefix, "bias");
    v = put_op(g, "Mul", v.name, scale.name);
    return put_op(g, "Add", v.name, shift.name);
}

/* One convolution of a TCN block with its norm and ReLU. */
static struct value put_half(struct graph *g, const char *a, int64_t block,
                             int half, size_t d)
{
    const struct config_tcn *c = &g->m->conf.tcn;
    char prefix[NAME_SIZE];
    struct value v;

    snprintf(prefix, sizeof prefix, "network.%d.conv%d", (int)block, half);
    v = put_conv(g, a, prefix, 0, 0, d, c->padding);
    snprintf(prefix, sizeof prefix, "network.%d.norm%d", (int)block, half);
    if (c->norm == CONFIG_NORM_LAYER)
        v = put_norm(g, v.name, prefix);
    return v;
}

/* The TCN of tcn.c, from x (batch, I, time) to (batch, O, time). */
static struct value put_tcn(struct graph *g, struct value x)
{
    const struct config_tcn *c = &g->m->conf.tcn;
    char prefix[NAME_SIZE];
    struct value u, s;
    size_t d = 1;
    int64_t i;

    for (i = 0; i < c->num_blocks; i++) {
        u = put_half(g, x.name, i, 1, d);
        u = put_op(g, "Relu", u.name, NULL);
        u = put_half(g, u.name, i, 2, d);
        u = put_op(g, "Relu", u.name, NULL);
        s = x;
        snprintf(prefix, sizeof prefix, "network.%d.downsample", (int)i);
        if (i == 0 && c->input_size != c->num_channels)
            s = put_conv(g, x.name, prefix, 0, 0, 1, c->padding);
        u = put_op(g, "Add", u.name, s.name);
        x = put_op(g, "Relu", u.name, NULL);
        d *= (size_t)c->dilation_base;
    }
    return put_conv(g, x.name, "linear", 0, 0, 1, c->padding);
}

/* The gate's output of one layer. */
static struct value put_gate(struct graph *g, const char *x,
                             const char *prefix, size_t d)
{
    const struct config_wavenet *c = &g->m->conf.wavenet;
    size_t R = (size_t)c->residual_channels;
    bool split = c->gate == CONFIG_GATE_SPLIT;
    struct value a, b;

    a = put_conv(g, x, prefix, 0, R, d, c->padding);
    b = split ? put_conv(g, x, prefix, R, R, d, c->padding) : a;
    a = put_op(g, "Tanh", a.name, NULL);
    b = put_op(g, "Sigmoid", b.name, NULL);
    return put_op(g, "Mul", a.name, b.name);
}

/* The head on a skip sum; the names of its convolutions begin with prefix. */
static struct value put_head(struct graph *g, struct value skip,
                             const char *prefix)
{
    enum config_padding padding = g->m->conf.wavenet.padding;
    char name[NAME_SIZE];

    skip = put_op(g, "Relu", skip.name, NULL);
    snprintf(name, sizeof name, "%sconv_out1", prefix);
    skip = put_conv(g, skip.name, name, 0, 0, 1, padding);
    skip = put_op(g, "Relu", skip.name, NULL);
    snprintf(name, sizeof name, "%sconv_out2", prefix);
    return put_conv(g, skip.name, name, 0, 0, 1, padding);
}

/*
 * One layer: adds to the skip sum and moves x on, unless nothing comes behind
 * it.
 */
static void put_layer(struct graph *g, int64_t s, int64_t n, size_t d,
                      struct value *x, struct value *skip, bool *has_skip,
                      bool moves_on)
{
    const struct config_wavenet *c = &g->m->conf.wavenet;
    char prefix[NAME_SIZE];
    struct value gate, v;

    snprintf(prefix, sizeof prefix, "stacks.%d.layers.%d", (int)s, (int)n);
    gate = put_gate(g, x->name, prefix, d);
    snprintf(prefix, sizeof prefix, "stacks.%d.skip_connections.%d", (int)s,
             (int)n);
    v = put_conv(g, gate.name, prefix, 0, 0, 1, c->padding);
    *skip = *has_skip ? put_op(g, "Add", skip->name, v.name) : v;
    *has_skip = true;
    if (!moves_on)
        return;
    snprintf(prefix, sizeof prefix, "stacks.%d.residual_connections.%d",
             (int)s, (int)n);
    if (c->residual_conv)
        gate = put_conv(g, gate.name, prefix, 0, 0, 1, c->padding);
    snprintf(prefix, sizeof prefix, "stacks.%d.residual_projection", (int)s);
    v = *x;
    if (s == 0 && n == 0 && c->input_channels != c->residual_channels)
        v = put_conv(g, x->name, prefix, 0, 0, 1, c->padding);
    *x = put_op(g, "Add", v.name, gate.name);
}

/* The WaveNet of wavenet.c, from x (batch, I, time) to (batch, O, time). */
static struct value put_wavenet(struct graph *g, struct value x)
{
    const struct config_wavenet *c = &g->m->conf.wavenet;
    bool chained = c->head == CONFIG_HEAD_CHAINED, has_skip = false;
    struct value skip = x;
    char prefix[NAME_SIZE];
    int64_t s, n;
    size_t d;

    for (s = 0; s < c->num_stacks; s++) {
        for (n = 0, d = 1; n < c->num_layers_per_stack; n++) {
            bool last = n + 1 == c->num_layers_per_stack;

            put_layer(g, s, n, d, &x, &skip, &has_skip,
                      !last || (!chained && s + 1 < c->num_stacks));
            d *= (size_t)c->dilation_base;
        }
        if (!chained)
            continue;
        snprintf(prefix, sizeof prefix, "stacks.%d.", (int)s);
        x = put_head(g, skip, prefix);
        has_skip = false;
    }
    return chained ? x : put_head(g, skip, "");
}

/* ---- the file ---- */

/* Appends "x" or "y": (batch, time, n). */
static void put_port(struct buf *graph, unsigned field, const char *name,
                     size_t n)
{
    struct buf dim = {0}, shape = {0}, tensor = {0}, type = {0}, port = {0};

    put_text(&dim, 2, "batch");
    put_message(&shape, 1, &dim);
    put_text(&dim, 2, "time");
    put_message(&shape, 1, &dim);
    put_number(&dim, 1, n);
    put_message(&shape, 1, &dim);
    put_number(&tensor, 1, TYPE_FLOAT);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&port, 1, name);
    put_message(&port, 2, &type);
    put_message(graph, field, &port);
}

/* Builds the graph and appends it as a field. */
static void put_graph(struct graph *g, struct buf *model)
{
    const struct model *m = g->m;
    struct value mean = new_value(g, "input_mean"), v;
    struct value std = new_value(g, "input_std");
    struct buf graph = {0};

    put_tensor(g, mean.name, m->input_mean, &m->input_size, 1);
    put_tensor(g, std.name, m->input_std, &m->input_size, 1);
    v = put_op(g, "Sub", "x", mean.name);
    v = put_op(g, "Div", v.name, std.name);
    v = put_transpose(g, v.name, NULL);
    v = m->conf.architecture == CONFIG_TCN ? put_tcn(g, v)
                                           : put_wavenet(g, v);
    put_transpose(g, v.name, "y");
    buf_put(&graph, buf_text(&g->nodes), g->nodes.len);
    put_text(&graph, 2, config_architecture_name(m->conf.architecture));
    buf_put(&graph, buf_text(&g->tensors), g->tensors.len);
    graph.failed = graph.failed || g->nodes.failed || g->tensors.failed;
    put_port(&graph, 11, "x", m->input_size);
    put_port(&graph, 12, "y", m->output_size);
    put_message(model, 7, &graph);
}

int onnx_put(struct buf *out, const struct model *m, const char *version,
             const struct onnx_fact *facts, size_t n_facts, struct err *err)
{
    struct graph g = {.m = m, .err = err};
    struct buf part = {0};
    size_t i;

    put_number(out, 1, IR_VERSION);
    put_text(out, 2, "a2b");
    put_text(out, 3, version);
    put_graph(&g, out);
    put_text(&part, 1, "");
    put_number(&part, 2, OPSET);
    put_message(out, 8, &part);
    for (i = 0; i < n_facts; i++) {
        put_text(&part, 1, facts[i].key);
        put_text(&part, 2, facts[i].value);
        put_message(out, 14, &part);
    }
    buf_release(&g.nodes);
    buf_release(&g.tensors);
    return g.failed ? -1 : buf_check(out, err);
}
