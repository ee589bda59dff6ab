/*
 * wino_loops - the transforms of wino.c for one kind of register.
 *
 * No guard: wino.c includes this once for each path, with what vec_path.h
 * wants; all is undefined again at the end.
 *
 * The points come in pairs +-p, so that a row of B^T or A is an even part
 * plus or minus an odd one. With s = x_i, rows of B^T are the coefficients of
 * the product of (s - q) over the other finite points q; the last, for
 * infinity, of the product over all.
 */
#include "nn/vec_path.h"

/* As many doubles. */
typedef double PATH(wide)
    __attribute__((vector_size(VEC * sizeof(double)), aligned(8), may_alias));

/* n floats, or as many as a vector has; 0 behind them. */
TARGET VEC_INLINE PATH(vec) PATH(load)(const float *x, size_t n)
{
    union {
        float lane[VEC];
        PATH(vec) all;
    } u = {.lane = {0}};

    if (n >= VEC)
        return *(const PATH(vec) *)x;
    memcpy(u.lane, x, n * sizeof(float));
    return u.all;
}

/* Stores n floats of a vector, or all. */
TARGET VEC_INLINE void PATH(store)(float *y, size_t n, PATH(vec) v)
{
    if (n >= VEC)
        *(PATH(vec) *)y = v;
    else
        memcpy(y, &v, n * sizeof(float));
}

/* The same number in every lane. */
TARGET VEC_INLINE PATH(vec) PATH(all)(float x)
{
    return x - (PATH(vec)){0};
}

/* v = B^T x. */
TARGET VEC_INLINE void PATH(to_points)(size_t points, const PATH(vec) * x,
                                       PATH(vec) * v)
{
    PATH(vec) even, odd;

    if (points == 4) {
        v[0] = x[2] - x[0];
        v[1] = x[2] + x[1];
        v[2] = x[2] - x[1];
        v[3] = x[3] - x[1];
    } else if (points == 6) {
        v[0] = PATH(fma)(PATH(all)(4), x[0],
                         PATH(fma)(PATH(all)(-5), x[2], x[4]));
        even = PATH(fma)(PATH(all)(-4), x[2], x[4]);
        odd = PATH(fma)(PATH(all)(-4), x[1], x[3]);
        v[1] = even + odd;
        v[2] = even - odd;
        even = x[4] - x[2];
        odd = x[3] - x[1];
        v[3] = PATH(fma)(PATH(all)(2), odd, even);
        v[4] = PATH(fma)(PATH(all)(-2), odd, even);
        v[5] = PATH(fma)(PATH(all)(4), x[1],
                         PATH(fma)(PATH(all)(-5), x[3], x[5]));
    } else {
        v[0] = PATH(fma)(PATH(all)(5.25f), x[2] - x[4], x[6] - x[0]);
        even = PATH(fma)(PATH(all)(-4.25f), x[4], x[6] + x[2]);
        odd = PATH(fma)(PATH(all)(-4.25f), x[3], x[5] + x[1]);
        v[1] = even + odd;
        v[2] = even - odd;
        even = PATH(fma)(PATH(all)(0.25f), x[2],
                         PATH(fma)(PATH(all)(-1.25f), x[4], x[6]));
        odd = PATH(fma)(PATH(all)(0.25f), x[1],
                        PATH(fma)(PATH(all)(-1.25f), x[3], x[5]));
        v[3] = PATH(fma)(PATH(all)(2), odd, even);
        v[4] = PATH(fma)(PATH(all)(-2), odd, even);
        even = PATH(fma)(PATH(all)(4), x[2],
                         PATH(fma)(PATH(all)(-5), x[4], x[6]));
        odd = PATH(fma)(PATH(all)(4), x[1],
                        PATH(fma)(PATH(all)(-5), x[3], x[5]));
        v[5] = PATH(fma)(PATH(all)(0.5f), odd, even);
        v[6] = PATH(fma)(PATH(all)(-0.5f), odd, even);
        v[7] = PATH(fma)(PATH(all)(5.25f), x[3] - x[5], x[7] - x[1]);
    }
}

/* y = A^T v. */
TARGET VEC_INLINE void PATH(from_points)(size_t points, size_t outputs,
                                         const PATH(vec) * v, PATH(vec) * y)
{
    PATH(vec) even[3], odd[3];
    size_t i, j, pairs = (points - 2) / 2;

#pragma GCC unroll 3
    for (i = 0; i < pairs; i++) {
        even[i] = v[1 + 2 * i] + v[2 + 2 * i];
        odd[i] = v[1 + 2 * i] - v[2 + 2 * i];
    }
#pragma GCC unroll 7
    for (j = 0; j < outputs; j++) {
        y[j] = j % 2 == 0 ? even[0] : odd[0];
        if (j == 0)
            y[j] += v[0];
        if (j == outputs - 1)
            y[j] += v[points - 1];
#pragma GCC unroll 2
        for (i = 1; i < pairs; i++)
            y[j] = PATH(fma)(PATH(all)(powers[i][j]),
                             j % 2 == 0 ? even[i] : odd[i], y[j]);
    }
}

/* v = A x. */
TARGET VEC_INLINE void PATH(expand)(size_t points, size_t outputs,
                                    const PATH(vec) * x, PATH(vec) * v)
{
    size_t i, j, pairs = (points - 2) / 2;

    v[0] = x[0];
    v[points - 1] = x[outputs - 1];
#pragma GCC unroll 3
    for (i = 0; i < pairs; i++) {
        PATH(vec) even = x[0], odd = PATH(all)(0);

#pragma GCC unroll 7
        for (j = 1; j < outputs; j++) {
            PATH(vec) p = PATH(all)(powers[i][j]);

            if (j == 1)
                odd = p * x[j];
            else if (j % 2 == 0)
                even = PATH(fma)(p, x[j], even);
            else
                odd = PATH(fma)(p, x[j], odd);
        }
        v[1 + 2 * i] = even + odd;
        v[2 + 2 * i] = even - odd;
    }
}

/*
 * One vector of a tile to points: B^T x, or A x if `outputs` is set. Constants
 * where this is inlined.
 */
TARGET VEC_INLINE void PATH(in_one)(size_t points, size_t outputs,
                                    const PATH(vec) * x, float *to,
                                    size_t plane)
{
    PATH(vec) v[WINO_POINTS];
    size_t a;

    if (outputs)
        PATH(expand)(points, outputs, x, v);
    else
        PATH(to_points)(points, x, v);
#pragma GCC unroll 8
    for (a = 0; a < points; a++)
        *(PATH(vec) *)(to + a * plane) = v[a];
}

/* A tile that reaches over an end of the sequence, or of odd channels. */
TARGET VEC_INLINE void PATH(in_edge)(const struct transform *f, size_t points,
                                     size_t outputs, size_t t, float *to)
{
    size_t n_rows = outputs ? outputs : points, i;
    const float *row[WINO_POINTS];

#pragma GCC unroll 8
    for (i = 0; i < n_rows; i++, t += f->dilation)
        row[i] = t >= f->left && t - f->left < f->T
                     ? f->x + (t - f->left) * f->channels
                     : f->zeros;
    for (size_t c = 0; c < f->row; c += VEC) {
        size_t n = c < f->channels ? f->channels - c : 0;
        PATH(vec) x[WINO_POINTS];

#pragma GCC unroll 8
        for (i = 0; i < n_rows; i++)
            x[i] = PATH(load)(row[i] + c, n);
        PATH(in_one)(points, outputs, x, to + c, f->plane);
    }
}

/* Frames of tiles to points, see in_one(). */
TARGET VEC_INLINE void PATH(in_all)(const struct transform *f, size_t points,
                                    size_t outputs)
{
    size_t n_rows = outputs ? outputs : points, i;
    size_t step = f->dilation * f->channels, plane = f->plane;
    size_t span = (n_rows - 1) * f->dilation, channels = f->channels;

    for (size_t tile = 0; tile < f->n_tiles; tile++) {
        float *to = f->points_at + tile * f->row;
        size_t t = f->first[tile];
        const float *from;

        if (t < f->left || t - f->left + span >= f->T ||
            channels != f->row) {
            PATH(in_edge)(f, points, outputs, t, to);
            continue;
        }
        from = f->x + (t - f->left) * channels;
        for (size_t c = 0; c < channels; c += VEC) {
            PATH(vec) x[WINO_POINTS];

#pragma GCC unroll 8
            for (i = 0; i < n_rows; i++)
                x[i] = *(const PATH(vec) *)(from + i * step + c);
            PATH(in_one)(points, outputs, x, to + c, plane);
        }
    }
}

/* One vector of a tile from points: y = A^T v + bias. */
TARGET VEC_INLINE void PATH(out_one)(const float *from, size_t plane,
                                     size_t points, size_t outputs,
                                     PATH(vec) bias, PATH(vec) * y)
{
    PATH(vec) v[WINO_POINTS];
    size_t a, j;

#pragma GCC unroll 8
    for (a = 0; a < points; a++)
        v[a] = *(const PATH(vec) *)(from + a * plane);
    PATH(from_points)(points, outputs, v, y);
#pragma GCC unroll 7
    for (j = 0; j < outputs; j++)
        y[j] += bias;
}

/* A vector of a tile that reaches over the end, or of few channels. */
TARGET VEC_INLINE void PATH(out_edge)(const struct transform *f,
                                      size_t outputs, size_t t, size_t n,
                                      const PATH(vec) * y, float *to)
{
    size_t j;

#pragma GCC unroll 7
    for (j = 0; j < outputs; j++, t += f->dilation) {
        PATH(vec) v = y[j];

        if (t >= f->T)
            return;
        if (f->add)
            v += PATH(load)(to, n);
        PATH(store)(to, n, v);
        to += f->y_step * f->channels;
    }
}

/* Points of tiles to frames, see out_one(); add as f->add. */
TARGET VEC_INLINE void PATH(out_all)(const struct transform *f, size_t points,
                                     size_t outputs, int add)
{
    size_t n = f->n_lanes, step = f->y_step * f->channels, plane = f->plane;
    size_t span = (outputs - 1) * f->dilation, channels = f->channels, j;

    for (size_t c = 0; c < n; c += VEC) {
        PATH(vec) bias = PATH(all)(0);

        if (f->bias)
            bias = PATH(load)(f->bias + c, n - c);
        for (size_t tile = 0; tile < f->n_tiles; tile++) {
            const float *from = f->points_at + tile * f->row + c;
            size_t t = f->first[tile], row = f->y_first + t - f->first[0];
            float *to = f->y + row * channels + c;
            PATH(vec) y[WINO_OUTPUTS];

            PATH(out_one)(from, plane, points, outputs, bias, y);
            if (t + span >= f->T || n - c < VEC) {
                PATH(out_edge)(f, outputs, t, n - c, y, to);
                continue;
            }
#pragma GCC unroll 7
            for (j = 0; j < outputs; j++) {
                PATH(vec) *at = (PATH(vec) *)(to + j * step);

                if (add)
                    y[j] += *at;
                *at = y[j];
            }
        }
    }
}

/* Adds G^T sums of some elements, see struct collect. */
TARGET VEC_INLINE void PATH(collect_all)(const struct collect *c,
                                         size_t points)
{
    size_t a;

    for (size_t e = 0; e < c->len; e += VEC) {
        PATH(vec) v[WINO_POINTS];

#pragma GCC unroll 8
        for (a = 0; a < points; a++)
            v[a] = *(const PATH(vec) *)(c->from + a * c->len + e);
        for (size_t k = 0; k < c->kernel; k++) {
            PATH(vec) sum = v[0] * PATH(all)(c->g[k][0]);
            double *to = c->to + (c->kernel - 1 - k) * c->len + e;

#pragma GCC unroll 8
            for (a = 1; a < points; a++)
                sum = PATH(fma)(v[a], PATH(all)(c->g[k][a]), sum);
            *(PATH(wide) *)to += __builtin_convertvector(sum, PATH(wide));
        }
    }
}

/* collect_all() with its points known when it is compiled. */
TARGET static void PATH(collect)(const struct collect *c, size_t points)
{
    if (points == 4)
        PATH(collect_all)(c, 4);
    else if (points == 6)
        PATH(collect_all)(c, 6);
    else
        PATH(collect_all)(c, 8);
}

/* A transform with its algorithm known when it is compiled. */
TARGET static void PATH(transform)(enum transform_kind kind, size_t points,
                                   size_t outputs, const struct transform *f)
{
#define CASE(p, m)                                                            \
    if (points == p && outputs == m) {                                        \
        if (kind == EXPAND)                                                   \
            PATH(in_all)(f, p, m);                                            \
        else if (f->add)                                                      \
            PATH(out_all)(f, p, m, 1);                                        \
        else                                                                  \
            PATH(out_all)(f, p, m, 0);                                        \
    }
    if (kind == TO_POINTS) {
        if (points == 4)
            PATH(in_all)(f, 4, 0);
        else if (points == 6)
            PATH(in_all)(f, 6, 0);
        else
            PATH(in_all)(f, 8, 0);
        return;
    }
    CASE(4, 2)
    CASE(4, 3)
    CASE(6, 2)
    CASE(6, 3)
    CASE(6, 4)
    CASE(6, 5)
    CASE(8, 2)
    CASE(8, 3)
    CASE(8, 4)
#undef CASE
}

#undef PATH
#undef TARGET
#undef VEC
