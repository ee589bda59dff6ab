/*
 * onnxrun - reading an ONNX file back and running it.
 *
 * Wire format of protobuf: a message is fields, a field is a varint of
 * (number << 3 | wire type), then a varint (type 0) or a length and bytes
 * (type 2); the other types do not occur. Fields read (onnx.proto3):
 *
 *   ModelProto     graph 7
 *   GraphProto     node 1, initializer 5
 *   NodeProto      input 1, output 2, op_type 4, attribute 5
 *   AttributeProto name 1, ints 8
 *   TensorProto    dims 1, name 8, raw_data 9 (floats)
 *
 * A value is an array of rows and columns: (time, features) before the first
 * Transpose and behind the last, (channels, time) between them; the batch is
 * one sequence. A value is freed behind the last node that reads it.
 */
#include "eval/onnxrun.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* Most inputs of a node, and numbers in an attribute. */
enum { MAX_IN = 3, MAX_LIST = 8 };

/* Frames of the longest sequence that is compared. */
#define MAX_FRAMES 4096

/* A run of bytes, and how far it was read. */
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

/* A named array. */
struct array {
    struct bytes name; /* in the file */
    size_t rows;       /* first dimension */
    size_t len;        /* the others, multiplied */
    bool is_vector;    /* of one dimension, which is the last of others */
    double *v;         /* (rows, len), owned; NULL: not there (any more) */
    size_t n_uses;     /* nodes that will read it yet */
};

/* A node as it is read. */
struct node {
    struct bytes in[MAX_IN];     /* inputs */
    size_t n_in;                 /* how many */
    struct bytes out;            /* output */
    struct bytes op;             /* operation */
    int64_t pads[MAX_LIST];      /* of a Conv */
    int64_t dilations[MAX_LIST]; /* of a Conv */
    int64_t kernel[MAX_LIST];    /* of a Conv */
};

/* A run over one sequence. */
struct onnxrun {
    struct bytes graph; /* of the file */
    struct array *a;    /* n values, owned */
    size_t n;           /* how many */
    size_t cap;         /* room in a */
    struct err *err;    /* where failures go */
};

/* ---- reading ---- */

/* Fails: the file is no model of ours. */
static int bad(struct onnxrun *r, const char *what)
{
    return err_set(r->err, ERR_DATA, "ONNX file: %s", what);
}

/* A varint. -1 at the end of the bytes. */
static int varint(struct bytes *b, uint64_t *v)
{
    int shift = 0;

    for (*v = 0; b->n > 0 && shift < 64; shift += 7) {
        unsigned char c = *b->at++;

        b->n--;
        *v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return 0;
    }
    return -1;
}

/* The next field: 1, 0 at the end of the message, -1 for nonsense. */
static int next(struct bytes *b, struct field *f)
{
    uint64_t tag;

    if (b->n == 0)
        return 0;
    if (varint(b, &tag) || ((tag & 7) != 0 && (tag & 7) != 2) ||
        varint(b, &f->value))
        return -1;
    f->number = (unsigned)(tag >> 3);
    f->bytes = (struct bytes){b->at, 0};
    if ((tag & 7) == 2) {
        if (f->value > b->n)
            return -1;
        f->bytes.n = (size_t)f->value;
        b->at += f->bytes.n;
        b->n -= f->bytes.n;
    }
    return 1;
}

/* Whether bytes are this text. */
static bool is(struct bytes b, const char *text)
{
    return b.n == strlen(text) && !memcmp(b.at, text, b.n);
}

/* Reads an attribute of a node. */
static int read_attribute(struct node *node, struct bytes b)
{
    int64_t list[MAX_LIST] = {0};
    struct bytes name = {0};
    struct field f;
    size_t n = 0;
    int got;

    while ((got = next(&b, &f)) > 0) {
        if (f.number == 1)
            name = f.bytes;
        else if (f.number == 8 && n < MAX_LIST)
            list[n++] = (int64_t)f.value;
    }
    if (is(name, "pads"))
        memcpy(node->pads, list, sizeof list);
    if (is(name, "dilations"))
        memcpy(node->dilations, list, sizeof list);
    if (is(name, "kernel_shape"))
        memcpy(node->kernel, list, sizeof list);
    return got;
}

/* Reads a node. */
static int read_node(struct node *node, struct bytes b)
{
    struct field f;
    int got;

    *node = (struct node){0};
    while ((got = next(&b, &f)) > 0) {
        if (f.number == 1 && node->n_in < MAX_IN)
            node->in[node->n_in++] = f.bytes;
        else if (f.number == 2)
            node->out = f.bytes;
        else if (f.number == 4)
            node->op = f.bytes;
        else if (f.number == 5 && read_attribute(node, f.bytes))
            return -1;
    }
    return got;
}

/* How many inputs of nodes are called so. */
static size_t count_uses(const struct onnxrun *r, struct bytes name)
{
    struct bytes b = r->graph;
    struct node node;
    struct field f;
    size_t n = 0, i;

    while (next(&b, &f) > 0) {
        if (f.number != 1 || read_node(&node, f.bytes))
            continue;
        for (i = 0; i < node.n_in; i++)
            n += node.in[i].n == name.n &&
                 !memcmp(node.in[i].at, name.at, name.n);
    }
    return n;
}

/* A new array of zeros; NULL with err set. */
static struct array *add(struct onnxrun *r, struct bytes name, size_t rows,
                         size_t len)
{
    struct array *grown = mem_grow(r->a, &r->cap, r->n + 1, sizeof *grown,
                                   r->err);

    if (!grown)
        return NULL;
    r->a = grown;
    if (len && rows > SIZE_MAX / len) {
        bad(r, "a tensor that fits no memory");
        return NULL;
    }
    grown[r->n] = (struct array){.name = name,
                                 .rows = rows,
                                 .len = len,
                                 .n_uses = count_uses(r, name)};
    grown[r->n].v = mem_alloc(rows * len, sizeof(double), r->err);
    return grown[r->n].v ? &grown[r->n++] : NULL;
}

/* The array of a name; NULL if there is none. */
static struct array *find(const struct onnxrun *r, struct bytes name)
{
    size_t i;

    for (i = r->n; i-- > 0;) {
        if (r->a[i].v && r->a[i].name.n == name.n &&
            !memcmp(r->a[i].name.at, name.at, name.n))
            return &r->a[i];
    }
    return NULL;
}

/* Reads an initializer. */
static int read_tensor(struct onnxrun *r, struct bytes b)
{
    size_t dims[3] = {1, 1, 1}, n_dims = 0, i;
    struct bytes raw = {0}, name = {0};
    struct array *a;
    struct field f;
    float x;
    int got;

    while ((got = next(&b, &f)) > 0) {
        if (f.number == 1 && n_dims < 3 && f.value <= SIZE_MAX / 8)
            dims[n_dims++] = (size_t)f.value;
        else if (f.number == 1)
            return bad(r, "an initializer of another shape");
        else if (f.number == 8)
            name = f.bytes;
        else if (f.number == 9)
            raw = f.bytes;
    }
    if (got < 0 || (dims[1] && dims[2] > SIZE_MAX / 8 / dims[1]))
        return bad(r, "an initializer that cannot be read");
    if (raw.n / sizeof x / (dims[0] ? dims[0] : 1) < dims[1] * dims[2])
        return bad(r, "an initializer with too little data");
    a = add(r, name, dims[0], dims[1] * dims[2]);
    if (!a)
        return -1;
    a->is_vector = n_dims == 1;
    for (i = 0; i < a->rows * a->len; i++) {
        memcpy(&x, raw.at + sizeof x * i, sizeof x);
        a->v[i] = (double)x;
    }
    return 0;
}

/* ---- running ---- */

/* Conv: w is (outputs, inputs * taps), taps fastest. */
static int run_conv(struct onnxrun *r, const struct node *node,
                    const struct array *in)
{
    size_t T = in[0].len, K = (size_t)node->kernel[0], o, c, k;
    int64_t d = node->dilations[0], left = node->pads[0], from, to, t;
    const double *w, *x;
    struct array *y;
    double *sum;

    if (node->kernel[0] < 1 || d < 1 || left < 0 || node->pads[1] < 0 ||
        (int64_t)(K - 1) > (left + node->pads[1]) / d ||
        left + node->pads[1] != (int64_t)(K - 1) * d)
        return bad(r, "a Conv that does not keep the length");
    if (in[1].len != in[0].rows * K ||
        (node->n_in > 2 && in[2].rows * in[2].len != in[1].rows))
        return bad(r, "a Conv whose weights do not fit");
    y = add(r, node->out, in[1].rows, T);
    if (!y)
        return -1;
    for (o = 0; o < y->rows; o++) {
        sum = y->v + o * T;
        for (t = 0; t < (int64_t)T && node->n_in > 2; t++)
            sum[t] = in[2].v[o];
        for (c = 0; c < in[0].rows; c++)
            for (k = 0; k < K; k++) {
                int64_t shift = (int64_t)k * d - left;

                w = in[1].v + o * in[1].len + c * K + k;
                x = in[0].v + c * T;
                from = shift < 0 ? -shift : 0;
                to = shift > 0 ? (int64_t)T - shift : (int64_t)T;
                for (t = from; t < to; t++)
                    sum[t] += *w * x[t + shift];
            }
    }
    return 0;
}

/* What an operation makes of its elements. */
static double apply(char op, double a, double b)
{
    switch (op) {
    case '+':
        return a + b;
    case '-':
        return a - b;
    case '*':
        return a * b;
    case '/':
        return a / b;
    case 'r':
        return a > 0 ? a : 0;
    case 't':
        return tanh(a);
    case 'q':
        return sqrt(a);
    default:
        return 1 / (1 + exp(-a));
    }
}

/*
 * Elementwise, b broadcast over rows, over columns or both; a vector lies
 * along the last dimension.
 */
static int run_elements(struct onnxrun *r, const struct node *node, char op,
                        const struct array *in)
{
    const struct array *a = &in[0], *b = node->n_in > 1 ? &in[1] : NULL;
    size_t row_step = 0, step = 0, i, t;
    struct array *y;

    if (b && b->is_vector) {
        if (b->rows != a->len)
            return bad(r, "a vector that does not fit");
        step = 1;
    } else if (b) {
        if ((b->rows != 1 && b->rows != a->rows) ||
            (b->len != 1 && b->len != a->len))
            return bad(r, "shapes that cannot be combined");
        row_step = b->rows > 1 ? b->len : 0;
        step = b->len > 1;
    }
    y = add(r, node->out, a->rows, a->len);
    if (!y)
        return -1;
    for (i = 0; i < a->rows; i++)
        for (t = 0; t < a->len; t++)
            y->v[i * a->len + t] =
                apply(op, a->v[i * a->len + t],
                      b ? b->v[i * row_step + t * step] : 0);
    return 0;
}

/* Transpose: rows become columns. */
static int run_transpose(struct onnxrun *r, const struct node *node,
                         const struct array *a)
{
    struct array *y = add(r, node->out, a->len, a->rows);
    size_t i, t;

    if (!y)
        return -1;
    for (i = 0; i < a->rows; i++)
        for (t = 0; t < a->len; t++)
            y->v[t * a->rows + i] = a->v[i * a->len + t];
    return 0;
}

/* ReduceMean over rows, kept as one. */
static int run_mean(struct onnxrun *r, const struct node *node,
                    const struct array *a)
{
    struct array *y = add(r, node->out, 1, a->len);
    size_t i, t;

    if (!y)
        return -1;
    for (i = 0; i < a->rows; i++)
        for (t = 0; t < a->len; t++)
            y->v[t] += a->v[i * a->len + t] / (double)a->rows;
    return 0;
}

/* Runs one node on its inputs. */
static int run_op(struct onnxrun *r, const struct node *node,
                  const struct array *in)
{
    static const struct {
        const char *name; /* op_type */
        size_t n_in;      /* inputs */
        char op;          /* of apply() */
    } ops[] = {{"Add", 2, '+'}, {"Sub", 2, '-'},  {"Mul", 2, '*'},
               {"Div", 2, '/'}, {"Relu", 1, 'r'}, {"Tanh", 1, 't'},
               {"Sqrt", 1, 'q'}, {"Sigmoid", 1, 's'}};
    size_t i;

    if (is(node->op, "Conv") && node->n_in >= 2)
        return run_conv(r, node, in);
    if (is(node->op, "Transpose") && node->n_in == 1)
        return run_transpose(r, node, in);
    if (is(node->op, "ReduceMean") && node->n_in == 1)
        return run_mean(r, node, in);
    for (i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (is(node->op, ops[i].name) && node->n_in == ops[i].n_in)
            return run_elements(r, node, ops[i].op, in);
    }
    return err_set(r->err, ERR_DATA, "ONNX file: unknown operation %.*s of "
                   "%zu inputs", node->op.n < 64 ? (int)node->op.n : 64,
                   (const char *)node->op.at, node->n_in);
}

/* Runs one node and frees what nobody reads any more. */
static int run_node(struct onnxrun *r, struct bytes b)
{
    struct array in[MAX_IN], *a;
    struct node node;
    size_t i;

    if (read_node(&node, b))
        return bad(r, "a node that cannot be read");
    for (i = 0; i < node.n_in; i++) {
        a = find(r, node.in[i]);
        if (!a)
            return bad(r, "a node reads a value that is not there");
        in[i] = *a;
    }
    if (run_op(r, &node, in))
        return -1;
    for (i = 0; i < node.n_in; i++) {
        a = find(r, node.in[i]);
        if (a && --a->n_uses == 0) {
            free(a->v);
            a->v = NULL;
        }
    }
    return 0;
}

/* ---- the whole ---- */

/* The graph in a model's bytes. */
static int find_graph(struct onnxrun *r, struct bytes model)
{
    struct field f;
    int got;

    while ((got = next(&model, &f)) > 0) {
        if (f.number == 7)
            r->graph = f.bytes;
    }
    return got < 0 || r->graph.n == 0 ? bad(r, "no graph in it") : 0;
}

/* The input as the value "x". */
static int put_input(struct onnxrun *r, const float *x, size_t T, size_t C)
{
    static const unsigned char name[] = "x";
    struct array *in = add(r, (struct bytes){name, 1}, T, C);
    size_t i;

    if (!in)
        return -1;
    for (i = 0; i < T * C; i++)
        in->v[i] = (double)x[i];
    return 0;
}

/* Reads the initializers, then runs the nodes. */
static int run_graph(struct onnxrun *r)
{
    struct bytes b = r->graph;
    struct field f;
    int got;

    while ((got = next(&b, &f)) > 0) {
        if (f.number == 5 && read_tensor(r, f.bytes))
            return -1;
    }
    if (got < 0)
        return bad(r, "a graph that cannot be read");
    for (b = r->graph; next(&b, &f) > 0;) {
        if (f.number == 1 && run_node(r, f.bytes))
            return -1;
    }
    return 0;
}

int onnxrun_forward(const void *bytes, size_t n, const float *x, size_t T,
                    size_t C, double **y, size_t *O, struct err *err)
{
    static const unsigned char name[] = "y";
    struct onnxrun r = {.err = err};
    struct array *out = NULL;
    size_t i;
    int got = find_graph(&r, (struct bytes){bytes, n}) ||
              put_input(&r, x, T, C) || run_graph(&r)
                  ? -1
                  : 0;

    if (!got) {
        out = find(&r, (struct bytes){name, 1});
        if (!out || out->rows != T)
            got = bad(&r, "no output y of as many frames");
    }
    if (!got) {
        *y = out->v;
        *O = out->len;
        out->v = NULL;
    }
    for (i = 0; i < r.n; i++)
        free(r.a[i].v);
    free(r.a);
    return got;
}

void onnxrun_input(const struct model *m, size_t T, float *x)
{
    size_t C = m->input_size, t, c;
    struct rng rng;

    rng_init(&rng, 0, RNG_VERIFY, 0, 0);
    for (t = 0; t < T; t++)
        for (c = 0; c < C; c++)
            x[t * C + c] = (float)((double)m->input_mean[c] +
                                   (double)m->input_std[c] *
                                       (4 * rng_uniform(&rng) - 2));
}

/* Adds the largest difference at T frames to worst. */
static int compare(const void *bytes, size_t n, const struct model *m,
                   struct model_work *work, const float *x, size_t T,
                   double *worst, struct err *err)
{
    size_t O, i;
    const float *want;
    double *y, d;

    if (model_forward(m, work, x, T, NULL, &want, err) ||
        onnxrun_forward(bytes, n, x, T, m->input_size, &y, &O, err))
        return -1;
    if (O != m->output_size) {
        free(y);
        return err_set(err, ERR_FAILED, "ONNX file: %zu outputs, the model "
                       "has %zu", O, m->output_size);
    }
    for (i = 0; i < T * O; i++) {
        d = fabs(y[i] - (double)want[i]) / fmax(1, fabs((double)want[i]));
        d = isnan(d) ? INFINITY : d;
        *worst = d > *worst ? d : *worst;
    }
    free(y);
    return 0;
}

int onnxrun_verify(const void *bytes, size_t n, const struct model *m,
                   double *worst, struct err *err)
{
    size_t lengths[] = {1, 2, 7, 40, m->input_size, 0}, past, future, k, T;
    struct model_work *work = model_work_open(m, 1, 0, err);
    float *x = NULL;
    int got = -1;

    *worst = 0;
    model_receptive_field(m, &past, &future, &lengths[5]);
    lengths[5] += 3;
    if (work)
        x = mem_alloc(MAX_FRAMES * m->input_size, sizeof *x, err);
    if (!x)
        goto out;
    onnxrun_input(m, MAX_FRAMES, x);
    for (k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        T = lengths[k] < MAX_FRAMES ? lengths[k] : MAX_FRAMES;
        if (compare(bytes, n, m, work, x, T, worst, err))
            goto out;
    }
    got = *worst <= ONNXRUN_MAX_DIFFERENCE
              ? 0
              : err_set(err, ERR_FAILED, "the ONNX file computes something "
                        "else than the model: they differ by %.3g, want at "
                        "most %g", *worst, ONNXRUN_MAX_DIFFERENCE);
out:
    free(x);
    model_work_close(work);
    return got;
}
