/* test_gated - a WaveNet's layer gives the same bits on every path. */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "nn/gated.h"
#include "nn_run.h"

/* Frames, channels of the stream and of the skip sum. */
enum { T = 389, C = 21, S = 34 };

/* A convolution with its weights and gradients. */
struct part {
    struct conv conv;       /* packed */
    struct mem_arena arena; /* of conv */
    float *bias;            /* (c_out) */
    double *sums;           /* packed weight gradient */
    double *bias_sums;      /* (c_out) */
};

/* A convolution of K taps with drawn weights. */
static struct part part_of(size_t c_in, size_t c_out, size_t K, size_t d)
{
    struct ops_conv shape = {.c_in = c_in,
                             .c_out = c_out,
                             .kernel = K,
                             .dilation = d,
                             .left = conv1d_left(K, d, 0)};
    float *weight = noise(c_out * c_in * K, (uint32_t)(c_out + K));
    struct part p = {.bias = noise(c_out, 3)};
    struct err err;

    must(mem_arena_init(&p.arena, conv_size(&shape, 1), &err), &err);
    conv_init(&p.conv, &shape, 1, &p.arena);
    conv_pack(&p.conv, weight);
    p.sums = calloc(conv1d_packed_len(&p.conv.shape), sizeof(*p.sums));
    p.bias_sums = calloc(c_out, sizeof(*p.bias_sums));
    free(weight);
    return p;
}

/* Frees it, appending its gradients to `all`. */
static void part_end(struct part *p, struct buf *all)
{
    buf_put(all, p->sums, conv1d_packed_len(&p->conv.shape) * sizeof(double));
    buf_put(all, p->bias_sums, p->conv.shape.c_out * sizeof(double));
    mem_arena_release(&p->arena);
    free(p->bias), free(p->sums), free(p->bias_sums);
}

/* A layer forward and back on a path; appends all it gives to `all`. */
static void run(enum conv1d_path path, unsigned on, struct buf *all)
{
    size_t Z = on & 1 ? 2 * C : C;
    size_t len[8] = {T * C, T * C, T * S, T * C, T * Z, T * C, T * C, T * S};
    struct part dilated = part_of(C, Z, 3, 7), skip = part_of(C, S, 1, 1);
    struct part residual = part_of(C, C, 1, 1);
    float *v[8], *memory = floats(1 << 20), *scratch = floats(CONV_MOST * Z);
    struct gated l = {
        .dilated = {&dilated.conv, dilated.bias, dilated.sums,
                    dilated.bias_sums},
        .skip = {&skip.conv, skip.bias, skip.sums, skip.bias_sums},
        .split = on & 1,
        .at_gate = (on & 4) != 0,
        .first = 1,
        .relu = 1,
        .act = {.p = 0.3, .key = 99, .path = path}};
    struct gated_frames f;

    if (on & 2)
        l.residual = (struct gated_conv){&residual.conv, residual.bias,
                                         residual.sums, residual.bias_sums};
    for (size_t i = 0; i < 8; i++)
        v[i] = noise(len[i], (uint32_t)i);
    f = (struct gated_frames){.x = v[0],
                              .stream = v[1],
                              .dskip = v[2],
                              .dsum = v[3],
                              .slope = {.wide = v[4]},
                              .g = {.wide = v[5]},
                              .sum = v[6],
                              .skip = v[7],
                              .dx = v[3],
                              .add = 1,
                              .scratch = scratch,
                              .memory = memory};
    gated_forward(&l, T, &f);
    for (size_t i = 4; i < 8; i++)
        buf_put(all, v[i], len[i] * sizeof(float));
    gated_backward(&l, T, &f);
    for (size_t i = 0; i < 8; i++) {
        buf_put(all, v[i], len[i] * sizeof(float));
        free(v[i]);
    }
    part_end(&dilated, all), part_end(&skip, all), part_end(&residual, all);
    free(memory), free(scratch);
}

int main(void)
{
    for (unsigned on = 0; on < 8; on++) {
        struct buf want = {0};
        bool same = true;

        run(CONV1D_PLAIN, on, &want);
        for (int path = CONV1D_AVX2; path <= (int)conv1d_best_path(); path++) {
            struct buf got = {0};

            run((enum conv1d_path)path, on, &got);
            same = same && got.len == want.len &&
                   memcmp(got.data, want.data, want.len) == 0;
            buf_release(&got);
        }
        tap_ok(same, "switches %u: all paths give the same bits", on);
        buf_release(&want);
    }
    return tap_done();
}
