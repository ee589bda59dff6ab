/*
 * test_onnx - exported models, read back and run by a small interpreter.
 *
 * The interpreter knows protobuf's wire format and the eleven operations of
 * our files, in double, one sequence at a time; it shares nothing with the
 * writer or with the engine.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "base/rng.h"
#include "eval/onnx.h"
#include "tap.h"

/* Most values, attributes and elements that a test graph has. */
enum { MAX_VALUES = 400, MAX_LIST = 8 };

/* Bytes of a message, and how far they were read. */
struct bytes {
    const unsigned char *at; /* next byte */
    size_t n;                /* bytes left */
};

/* A field of a message. */
struct field {
    unsigned number;    /* which */
    uint64_t value;     /* of a varint */
    struct bytes bytes; /* of a text or message */
};

/* A named array of up to two dimensions that matter: channels, time. */
struct array {
    char name[128];   /* as the graph has it */
    size_t rows, len; /* channels (or outputs), time (or inputs times taps) */
    double *v;        /* (rows, len), owned */
};

/* Everything computed so far. */
struct values {
    struct array a[MAX_VALUES]; /* n arrays */
    size_t n;                   /* how many */
};

/* A node as it is read. */
struct node {
    char in[3][128];              /* inputs, "" ends them */
    size_t n_in;                  /* how many */
    char out[128];                /* output */
    char op[32];                  /* operation */
    int64_t pads[MAX_LIST];       /* of a Conv */
    int64_t dilations[MAX_LIST];  /* of a Conv */
    int64_t kernel[MAX_LIST];     /* of a Conv */
};

/* A varint; ends the program on nonsense, which is a failed test. */
static uint64_t varint(struct bytes *b)
{
    uint64_t v = 0;
    int shift = 0;

    while (b->n) {
        unsigned char c = *b->at++;

        b->n--;
        v |= (uint64_t)(c & 0x7f) << shift;
        shift += 7;
        if (c < 0x80)
            return v;
    }
    exit(2);
}

/* The next field; false at the end of the message. */
static bool next(struct bytes *b, struct field *f)
{
    uint64_t tag;

    if (!b->n)
        return false;
    tag = varint(b);
    f->number = (unsigned)(tag >> 3);
    f->value = varint(b);
    f->bytes = (struct bytes){b->at, 0};
    if ((tag & 7) == 2) {
        if (f->value > b->n)
            exit(2);
        f->bytes.n = (size_t)f->value;
        b->at += f->value;
        b->n -= (size_t)f->value;
    }
    return true;
}

/* Copies a text field. */
static void text(const struct field *f, char *out, size_t size)
{
    size_t n = f->bytes.n < size - 1 ? f->bytes.n : size - 1;

    memcpy(out, f->bytes.at, n);
    out[n] = '\0';
}

/* A new array. */
static struct array *add(struct values *v, const char *name, size_t rows,
                         size_t len)
{
    struct array *a = &v->a[v->n++];

    if (v->n >= MAX_VALUES)
        exit(2);
    snprintf(a->name, sizeof a->name, "%s", name);
    a->rows = rows;
    a->len = len;
    a->v = calloc(rows * len + 1, sizeof *a->v);
    return a;
}

/* The array of a name; ends the program if there is none. */
static const struct array *get(const struct values *v, const char *name)
{
    size_t i;

    for (i = 0; i < v->n; i++) {
        if (!strcmp(v->a[i].name, name))
            return &v->a[i];
    }
    printf("# no value %s\n", name);
    exit(2);
}

/* Reads an initializer. */
static void read_tensor(struct values *v, struct bytes b)
{
    size_t dims[4] = {1, 1, 1, 1}, n_dims = 0, i;
    struct bytes raw = {0};
    struct field f;
    struct array *a;
    char name[128] = "";
    float x;

    while (next(&b, &f)) {
        if (f.number == 1)
            dims[n_dims++] = (size_t)f.value;
        else if (f.number == 8)
            text(&f, name, sizeof name);
        else if (f.number == 9)
            raw = f.bytes;
    }
    a = add(v, name, dims[0], dims[1] * dims[2]);
    if (raw.n != 4 * a->rows * a->len)
        exit(2);
    for (i = 0; i < a->rows * a->len; i++) {
        memcpy(&x, raw.at + 4 * i, 4);
        a->v[i] = (double)x;
    }
}

/* Reads an attribute of a node. */
static void read_attribute(struct node *node, struct bytes b)
{
    int64_t list[MAX_LIST] = {0};
    char name[32] = "";
    struct field f;
    size_t n = 0;

    while (next(&b, &f)) {
        if (f.number == 1)
            text(&f, name, sizeof name);
        else if (f.number == 8 && n < MAX_LIST)
            list[n++] = (int64_t)f.value;
    }
    if (!strcmp(name, "pads"))
        memcpy(node->pads, list, sizeof list);
    if (!strcmp(name, "dilations"))
        memcpy(node->dilations, list, sizeof list);
    if (!strcmp(name, "kernel_shape"))
        memcpy(node->kernel, list, sizeof list);
}

/* Reads a node. */
static struct node read_node(struct bytes b)
{
    struct node node = {0};
    struct field f;

    while (next(&b, &f)) {
        if (f.number == 1 && node.n_in < 3)
            text(&f, node.in[node.n_in++], sizeof node.in[0]);
        else if (f.number == 2)
            text(&f, node.out, sizeof node.out);
        else if (f.number == 4)
            text(&f, node.op, sizeof node.op);
        else if (f.number == 5)
            read_attribute(&node, f.bytes);
    }
    return node;
}

/* Conv: w is (outputs, inputs * taps), taps fastest. */
static void run_conv(struct values *v, const struct node *node)
{
    const struct array *x = get(v, node->in[0]), *w = get(v, node->in[1]);
    const struct array *b = node->n_in > 2 ? get(v, node->in[2]) : NULL;
    int64_t T = (int64_t)x->len, K = node->kernel[0], t, k, from;
    struct array *y;
    size_t o, c;
    double sum;

    if (T + node->pads[0] + node->pads[1] - (K - 1) * node->dilations[0] != T)
        exit(2);
    y = add(v, node->out, w->rows, x->len);
    for (o = 0; o < y->rows; o++) {
        for (t = 0; t < T; t++) {
            sum = b ? b->v[o] : 0;
            for (c = 0; c < x->rows; c++) {
                for (k = 0; k < K; k++) {
                    from = t + k * node->dilations[0] - node->pads[0];
                    if (from >= 0 && from < T)
                        sum += w->v[o * w->len + c * (size_t)K + (size_t)k] *
                               x->v[c * x->len + (size_t)from];
                }
            }
            y->v[o * y->len + (size_t)t] = sum;
        }
    }
}

/* What a one- or two-operand operation makes of its elements. */
static double apply(const char *op, double a, double b)
{
    switch (op[0]) {
    case 'A':
        return a + b;
    case 'M':
        return a * b;
    case 'D':
        return a / b;
    case 'R':
        return a > 0 ? a : 0;
    case 'T':
        return tanh(a);
    default:
        if (!strcmp(op, "Sub"))
            return a - b;
        return !strcmp(op, "Sqrt") ? sqrt(a) : 1 / (1 + exp(-a));
    }
}

/* Elementwise, b broadcast over rows, over time, or both, or along a row. */
static void run_elements(struct values *v, const struct node *node)
{
    const struct array *a = get(v, node->in[0]);
    const struct array *b = node->n_in > 1 ? get(v, node->in[1]) : NULL;
    struct array *y = add(v, node->out, a->rows, a->len);
    size_t r, t;

    for (r = 0; r < a->rows; r++) {
        for (t = 0; t < a->len; t++) {
            double other = 0;

            /* a vector (n) of before the transpose lies along the row */
            if (b && b->len == 1 && b->rows == a->len && b->rows != a->rows)
                other = b->v[t];
            else if (b)
                other = b->v[(b->rows > 1 ? r : 0) * b->len +
                             (b->len > 1 ? t : 0)];
            y->v[r * a->len + t] =
                apply(node->op, a->v[r * a->len + t], other);
        }
    }
}

/* Runs one node. */
static void run_node(struct values *v, const struct node *node)
{
    const struct array *a = get(v, node->in[0]);
    struct array *y;
    size_t r, t;

    if (!strcmp(node->op, "Conv")) {
        run_conv(v, node);
    } else if (!strcmp(node->op, "Transpose")) {
        y = add(v, node->out, a->len, a->rows);
        for (r = 0; r < a->rows; r++) {
            for (t = 0; t < a->len; t++)
                y->v[t * a->rows + r] = a->v[r * a->len + t];
        }
    } else if (!strcmp(node->op, "ReduceMean")) {
        y = add(v, node->out, 1, a->len);
        for (r = 0; r < a->rows; r++) {
            for (t = 0; t < a->len; t++)
                y->v[t] += a->v[r * a->len + t] / (double)a->rows;
        }
    } else {
        run_elements(v, node);
    }
}

/* Runs a file on x (T, C) and returns the array "y" (T, O) in v. */
static const struct array *run_file(const struct buf *file, const float *x,
                                    size_t T, size_t C, struct values *v)
{
    struct bytes model = {(const unsigned char *)file->data, file->len};
    struct bytes graph = {0}, again;
    struct array *in;
    struct field f;
    struct node node;
    size_t i;

    v->n = 0;
    in = add(v, "x", T, C);
    for (i = 0; i < T * C; i++)
        in->v[i] = (double)x[i];
    while (next(&model, &f)) {
        if (f.number == 7)
            graph = f.bytes;
    }
    for (again = graph; next(&again, &f);) {
        if (f.number == 5)
            read_tensor(v, f.bytes);
    }
    for (again = graph; next(&again, &f);) {
        if (f.number == 1) {
            node = read_node(f.bytes);
            run_node(v, &node);
        }
    }
    return get(v, "y");
}

/* Frees all arrays. */
static void drop(struct values *v)
{
    while (v->n)
        free(v->a[--v->n].v);
}

/* Exports a model, runs it both ways at several lengths, and compares. */
static void compare(const struct config_model *conf, const char *name)
{
    static const size_t lengths[] = {1, 2, 7, 40};
    static struct values v;
    struct model_work *work;
    struct buf file = {0};
    struct model m = {0};
    float x[40 * 3], mean[3] = {0.5f, -1, 2}, std[3] = {2, 0.5f, 1};
    double worst = 0;
    const float *y;
    struct err err;
    struct rng r;
    size_t i, k;

    if (model_init(&m, conf, &err)) {
        tap_ok(false, "%s: %s", name, err.text);
        return;
    }
    model_init_weights(&m, 7);
    model_set_input(&m, mean, std);
    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (i = 0; i < 40 * 3; i++)
        x[i] = (float)rng_normal(&r);
    work = model_work_open(&m, 40, 0, &err);
    if (!work || onnx_put(&file, &m, "1", NULL, 0, &err))
        exit(2);
    for (k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        const struct array *out =
            run_file(&file, x, lengths[k], m.input_size, &v);

        if (model_forward(&m, work, x, lengths[k], NULL, &y, &err))
            exit(2);
        if (out->rows != lengths[k] || out->len != m.output_size)
            worst = INFINITY;
        for (i = 0; i < lengths[k] * m.output_size && i < out->rows * out->len;
             i++) {
            double d = fabs(out->v[i] - (double)y[i]);

            worst = d > worst || isnan(d) ? d : worst;
        }
        drop(&v);
    }
    tap_ok(worst < 1e-5, "%s: %.2g", name, worst);
    model_work_close(work);
    model_release(&m);
    buf_release(&file);
}

/* The TCN with every switch. */
static void test_tcn(void)
{
    struct config_model conf = {
        .architecture = CONFIG_TCN,
        .tcn = {3, 2, 3, 5, 3, 0.1, 2, CONFIG_PAD_SAME, CONFIG_NORM_NONE}};

    compare(&conf, "tcn");
    conf.tcn.padding = CONFIG_PAD_CAUSAL;
    compare(&conf, "tcn causal");
    conf.tcn.kernel_size = 2;
    conf.tcn.padding = CONFIG_PAD_SAME;
    compare(&conf, "tcn with an even kernel");
    conf.tcn.norm = CONFIG_NORM_LAYER;
    compare(&conf, "tcn norm layer");
    conf.tcn.norm = CONFIG_NORM_WEIGHT;
    compare(&conf, "tcn norm weight");
    conf.tcn.num_channels = 3;
    conf.tcn.dilation_base = 3;
    compare(&conf, "tcn without downsample, base 3");
}

/* The WaveNet with every switch. */
static void test_wavenet(void)
{
    struct config_model conf = {.architecture = CONFIG_WAVENET,
                                .wavenet = {.num_stacks = 2,
                                            .num_layers_per_stack = 3,
                                            .residual_channels = 4,
                                            .skip_channels = 6,
                                            .kernel_size = 3,
                                            .dilation_base = 2,
                                            .dropout_rate = 0.1,
                                            .input_channels = 3,
                                            .output_channels = 1,
                                            .use_bias = true,
                                            .head_bias = true}};

    compare(&conf, "wavenet");
    conf.wavenet.gate = CONFIG_GATE_SPLIT;
    compare(&conf, "wavenet gate split");
    conf.wavenet.residual_conv = true;
    compare(&conf, "wavenet residual_conv");
    conf.wavenet.head = CONFIG_HEAD_CHAINED;
    compare(&conf, "wavenet head chained");
    conf.wavenet.weight_norm = true;
    compare(&conf, "wavenet weight_norm");
    conf.wavenet.use_bias = false;
    conf.wavenet.padding = CONFIG_PAD_CAUSAL;
    compare(&conf, "wavenet without bias, causal");
    conf.wavenet.residual_channels = 3;
    conf.wavenet.head_bias = false;
    compare(&conf, "wavenet without projection and head bias");
}

int main(void)
{
    test_tcn();
    test_wavenet();
    return tap_done();
}
