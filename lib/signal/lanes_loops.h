/*
 * lanes_loops - the loops of lanes.c for one kind of register.
 *
 * No guard: lanes.c includes this once for each path, with
 *   PATH(name)  the path's name of a function or type
 *   TARGET      the attribute that allows its instructions
 *   VEC         floats of a vector, LANES_N a multiple of it
 *   LOW, HIGH   shuffles that interleave the lower, upper halves of two
 * and all of them are undefined again at the end. A vector holds the same
 * value of VEC frames.
 */

/* VEC floats at any address. */
typedef float PATH(vec)
    __attribute__((vector_size(VEC * sizeof(float)), aligned(4), may_alias));
/* Their bits, and what comparisons give. */
typedef int32_t PATH(ivec)
    __attribute__((vector_size(VEC * sizeof(float)), aligned(4), may_alias));
/* VEC doubles. */
typedef double PATH(dvec)
    __attribute__((vector_size(VEC * sizeof(double)), aligned(8), may_alias));

/* A complex number of each frame. */
struct PATH(cpx) {
    PATH(vec) re; /* real part */
    PATH(vec) im; /* imaginary part */
};

/* The larger of two, lane by lane; b where a is no number. */
TARGET INLINE PATH(vec) PATH(larger)(PATH(vec) a, PATH(vec) b)
{
    PATH(ivec) yes = a > b;

    return (PATH(vec))(((PATH(ivec))a & yes) | ((PATH(ivec))b & ~yes));
}

/* Transposes a tile in place. */
TARGET INLINE void PATH(transpose)(PATH(vec) *r)
{
    PATH(vec) t[VEC];
    int step, i;

#pragma GCC unroll 4
    for (step = 1; step < VEC; step *= 2) {
#pragma GCC unroll 8
        for (i = 0; i < VEC / 2; i++) {
            t[2 * i] = __builtin_shufflevector(r[i], r[i + VEC / 2], LOW);
            t[2 * i + 1] = __builtin_shufflevector(r[i], r[i + VEC / 2],
                                                   HIGH);
        }
#pragma GCC unroll 16
        for (i = 0; i < VEC; i++)
            r[i] = t[i];
    }
}

/* Samples of VEC frames to x (N, VEC), windowed unless that comes later. */
TARGET INLINE void PATH(load)(const struct lanes *l, const float *const *frame,
                              PATH(vec) *x)
{
    size_t W = l->s.win_len, N = l->s.n_fft, n = 0;
    PATH(vec) tile[VEC];
    int i;

    for (; n + VEC <= W; n += VEC) {
#pragma GCC unroll 16
        for (i = 0; i < VEC; i++)
            tile[i] = *(const PATH(vec) *)(frame[i] + n);
        PATH(transpose)(tile);
#pragma GCC unroll 16
        for (i = 0; i < VEC; i++)
            x[n + (size_t)i] = l->prepare ? tile[i] * l->s.scale
                               : tile[i] * (l->s.scale *
                                            l->s.window[n + (size_t)i]);
    }
    for (; n < W; n++)
        for (i = 0; i < VEC; i++)
            ((float *)(x + n))[i] = l->prepare ? frame[i][n] * l->s.scale
                                    : frame[i][n] * (l->s.scale *
                                                     l->s.window[n]);
    memset(x + W, 0, (N - W) * sizeof(*x));
}

/* Mean, energy, pre-emphasis and window. energy: (VEC) or not used. */
TARGET INLINE void PATH(prepare)(const struct lanes *l, PATH(vec) *x,
                                 float amin, float *energy)
{
    const struct config_features *conf = l->s.conf;
    float pre = (float)conf->audio_preemphasis;
    size_t W = l->s.win_len, n;
    PATH(dvec) sum = {0};
    PATH(vec) mean;
    int i;

    if (conf->audio_remove_dc) {
        for (n = 0; n < W; n++)
            sum += __builtin_convertvector(x[n], PATH(dvec));
        mean = __builtin_convertvector(sum / (double)W, PATH(vec));
        for (n = 0; n < W; n++)
            x[n] -= mean;
    }
    if (conf->audio_use_energy) {
        sum = (PATH(dvec)){0};
        for (n = 0; n < W; n++) {
            PATH(dvec) d = __builtin_convertvector(x[n], PATH(dvec));

            sum += d * d;
        }
        for (i = 0; i < VEC; i++)
            energy[i] = (float)log(fmax(sum[i], (double)amin));
    }
    for (n = W - 1; n > 0; n--)
        x[n] = (x[n] - pre * x[n - 1]) * l->s.window[n];
    x[0] = (x[0] - pre * x[0]) * l->s.window[0];
}

/* a + b */
TARGET INLINE struct PATH(cpx) PATH(add)(struct PATH(cpx) a,
                                         struct PATH(cpx) b)
{
    return (struct PATH(cpx)){a.re + b.re, a.im + b.im};
}

/* a - b */
TARGET INLINE struct PATH(cpx) PATH(sub)(struct PATH(cpx) a,
                                         struct PATH(cpx) b)
{
    return (struct PATH(cpx)){a.re - b.re, a.im - b.im};
}

/* a - i b */
TARGET INLINE struct PATH(cpx) PATH(sub_i)(struct PATH(cpx) a,
                                           struct PATH(cpx) b)
{
    return (struct PATH(cpx)){a.re + b.im, a.im - b.re};
}

/* a + i b */
TARGET INLINE struct PATH(cpx) PATH(add_i)(struct PATH(cpx) a,
                                           struct PATH(cpx) b)
{
    return (struct PATH(cpx)){a.re - b.im, a.im + b.re};
}

/* Transform of 4 in place: a[0], a[step], ... */
TARGET INLINE void PATH(four)(struct PATH(cpx) *a, int step)
{
    struct PATH(cpx) t0 = PATH(add)(a[0], a[2 * step]);
    struct PATH(cpx) t1 = PATH(sub)(a[0], a[2 * step]);
    struct PATH(cpx) t2 = PATH(add)(a[step], a[3 * step]);
    struct PATH(cpx) t3 = PATH(sub)(a[step], a[3 * step]);

    a[0] = PATH(add)(t0, t2);
    a[step] = PATH(sub_i)(t1, t3);
    a[2 * step] = PATH(sub)(t0, t2);
    a[3 * step] = PATH(add_i)(t1, t3);
}

/* Transform of 8 in place: even and odd ones, then together. */
TARGET INLINE void PATH(eight)(struct PATH(cpx) *a)
{
    const float r = 0.70710678118654752f;
    struct PATH(cpx) e[4], o[4];
    int j;

    PATH(four)(a, 2);
    PATH(four)(a + 1, 2);
#pragma GCC unroll 4
    for (j = 0; j < 4; j++) {
        e[j] = a[2 * j];
        o[j] = a[2 * j + 1];
    }
    o[1] = (struct PATH(cpx)){(o[1].re + o[1].im) * r,
                              (o[1].im - o[1].re) * r};
    o[3] = (struct PATH(cpx)){(o[3].im - o[3].re) * r,
                              (o[3].re + o[3].im) * -r};
    a[0] = PATH(add)(e[0], o[0]);
    a[4] = PATH(sub)(e[0], o[0]);
    a[1] = PATH(add)(e[1], o[1]);
    a[5] = PATH(sub)(e[1], o[1]);
    a[2] = PATH(sub_i)(e[2], o[2]);
    a[6] = PATH(add_i)(e[2], o[2]);
    a[3] = PATH(add)(e[3], o[3]);
    a[7] = PATH(sub)(e[3], o[3]);
}

/* a + p b + q c */
TARGET INLINE struct PATH(cpx) PATH(blend)(struct PATH(cpx) a, float p,
                                           struct PATH(cpx) b, float q,
                                           struct PATH(cpx) c)
{
    return (struct PATH(cpx)){a.re + (p * b.re + q * c.re),
                              a.im + (p * b.im + q * c.im)};
}

/* Transform of 5 in place. */
TARGET INLINE void PATH(five)(struct PATH(cpx) *a)
{
    const float c1 = 0.30901699437494742f, c2 = -0.80901699437494742f;
    const float s1 = 0.95105651629515357f, s2 = 0.58778525229247313f;
    const struct PATH(cpx) zero = {{0}, {0}};
    struct PATH(cpx) t1 = PATH(add)(a[1], a[4]), t3 = PATH(sub)(a[1], a[4]);
    struct PATH(cpx) t2 = PATH(add)(a[2], a[3]), t4 = PATH(sub)(a[2], a[3]);
    struct PATH(cpx) m1 = PATH(blend)(a[0], c1, t1, c2, t2);
    struct PATH(cpx) m2 = PATH(blend)(a[0], c2, t1, c1, t2);
    struct PATH(cpx) n1 = PATH(blend)(zero, s1, t3, s2, t4);
    struct PATH(cpx) n2 = PATH(blend)(zero, s2, t3, -s1, t4);

    a[0] = PATH(add)(a[0], PATH(add)(t1, t2));
    a[1] = PATH(sub_i)(m1, n1);
    a[4] = PATH(add_i)(m1, n1);
    a[2] = PATH(sub_i)(m2, n2);
    a[3] = PATH(add_i)(m2, n2);
}

/*
 * One butterfly: inputs `far` complex vectors apart, outputs `near` apart.
 * w: R - 1 twiddles, NULL: all are 1. R is a constant where this is inlined.
 */
TARGET INLINE void PATH(butterfly)(const PATH(vec) *x, size_t far,
                                   PATH(vec) *y, size_t near, const float *w,
                                   int R)
{
    struct PATH(cpx) a[8];
    int j;

#pragma GCC unroll 8
    for (j = 0; j < R; j++)
        a[j] = (struct PATH(cpx)){x[2 * far * (size_t)j],
                                  x[2 * far * (size_t)j + 1]};
    if (R == 4)
        PATH(four)(a, 1);
    else if (R == 5)
        PATH(five)(a);
    else
        PATH(eight)(a);
    y[0] = a[0].re;
    y[1] = a[0].im;
#pragma GCC unroll 8
    for (j = 1; j < R; j++) {
        PATH(vec) *to = y + 2 * near * (size_t)j;

        if (w) {
            float c = w[2 * j - 2], s = w[2 * j - 1];

            to[0] = a[j].re * c - a[j].im * s;
            to[1] = a[j].re * s + a[j].im * c;
        } else {
            to[0] = a[j].re;
            to[1] = a[j].im;
        }
    }
}

/* One stage of radix R of a transform of n, stride s. */
TARGET INLINE void PATH(stage)(const PATH(vec) *x, PATH(vec) *y, size_t n,
                               size_t s, const float *w, int R)
{
    size_t m = n / (size_t)R, p, q;

    for (q = 0; q < s; q++)
        PATH(butterfly)(x + 2 * q, s * m, y + 2 * q, s, NULL, R);
    for (p = 1; p < m; p++) {
        w += 2 * (R - 1);
        for (q = 0; q < s; q++)
            PATH(butterfly)(x + 2 * (q + s * p), s * m,
                            y + 2 * (q + s * (size_t)R * p), s, w, R);
    }
}

/* A stage of radix 4, one of 5 and one of 8: a function each. */
TARGET static void PATH(stage4)(const PATH(vec) *x, PATH(vec) *y, size_t n,
                                size_t s, const float *w)
{
    PATH(stage)(x, y, n, s, w, 4);
}

/* See stage4. */
TARGET static void PATH(stage5)(const PATH(vec) *x, PATH(vec) *y, size_t n,
                                size_t s, const float *w)
{
    PATH(stage)(x, y, n, s, w, 5);
}

/* See stage4. */
TARGET static void PATH(stage8)(const PATH(vec) *x, PATH(vec) *y, size_t n,
                                size_t s, const float *w)
{
    PATH(stage)(x, y, n, s, w, 8);
}

/* Transform of N / 2 complex values in l->a; returns the buffer it is in. */
TARGET INLINE const PATH(vec) *PATH(transform)(const struct lanes *l)
{
    PATH(vec) *x = (PATH(vec) *)l->a, *y = (PATH(vec) *)l->b, *swap;
    size_t n = l->s.n_fft / 2, s = 1, i;

    for (i = 0; i < l->n_stages; i++) {
        if (l->radix[i] == 4)
            PATH(stage4)(x, y, n, s, l->twiddle[i]);
        else if (l->radix[i] == 5)
            PATH(stage5)(x, y, n, s, l->twiddle[i]);
        else
            PATH(stage8)(x, y, n, s, l->twiddle[i]);
        n /= (size_t)l->radix[i];
        s *= (size_t)l->radix[i];
        swap = x;
        x = y;
        y = swap;
    }
    return x;
}

/* Step 3: |X_b|^2 or |X_b|, b = 0..N/2, of z. */
TARGET INLINE void PATH(power)(const struct lanes *l, const PATH(vec) *z,
                               PATH(vec) *power)
{
    size_t H = l->s.n_fft / 2, k;
    PATH(vec) sum = z[0] + z[1], difference = z[0] - z[1];

    power[0] = sum * sum;
    power[H] = difference * difference;
    for (k = 1; k <= H / 2; k++) {
        const PATH(vec) *u = z + 2 * k, *v = z + 2 * (H - k);
        float c = l->split[2 * k], s = l->split[2 * k + 1];
        PATH(vec) er = u[0] + v[0], ei = u[1] - v[1];
        PATH(vec) or = u[1] + v[1], oi = v[0] - u[0];
        PATH(vec) tr = or * c + oi * s, ti = oi * c - or * s;
        PATH(vec) pr = er + tr, pi = ei + ti, mr = er - tr, mi = ei - ti;

        power[k] = (pr * pr + pi * pi) * 0.25f;
        power[H - k] = (mr * mr + mi * mi) * 0.25f;
    }
    if (l->s.conf->audio_power == 1)
        for (k = 0; k < (H + 1) * VEC; k++)
            ((float *)power)[k] = sqrtf(((float *)power)[k]);
}

/* Logarithm of normal positive numbers. */
TARGET INLINE PATH(vec) PATH(log)(const struct log_scale *scale, PATH(vec) x)
{
    /* bits of sqrt 1/2: what m is at least */
    PATH(ivec) bits = (PATH(ivec))x - 0x3f3504f3;
    PATH(vec) e = __builtin_convertvector(bits >> 23, PATH(vec));
    PATH(vec) m = (PATH(vec))((bits & 0x7fffff) + 0x3f3504f3);
    PATH(vec) f = m - 1.0f, f2 = f * f, p;

    p = f * 7.0376836292e-2f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    p = f + (p * f * f2 - 0.5f * f2);
    return e * scale->high + (e * scale->low + p * scale->ln);
}

/* Filters and logarithms; `most` is the largest so far and after. */
TARGET INLINE void PATH(mels)(const struct lanes *l, const PATH(vec) *power,
                              float amin, float *logs, PATH(vec) *most)
{
    const struct mel *mel = l->s.mel;
    bool offset = l->s.conf->audio_log == CONFIG_LOG_LN_OFFSET;
    PATH(vec) low = (PATH(vec)){0} + amin;
    size_t j, b;

    for (j = 0; j < l->n_mels; j++) {
        const float *weight = mel->weight + mel->at[j];
        const PATH(vec) *bin = power + mel->first[j];
        PATH(vec) sum = {0};

        for (b = 0; b < mel->n_bins[j]; b++)
            sum += bin[b] * weight[b];
        if (offset)
            sum += low;
        else
            sum = PATH(larger)(sum, low);
        sum = PATH(log)(&l->log, sum);
        *most = PATH(larger)(sum, *most);
        *(PATH(vec) *)(logs + j * LANES_N) = sum;
    }
}

/* Steps 1 to 4 of a block; see lanes_logs(). */
TARGET static float PATH(logs_all)(const struct lanes *l,
                                   const float *const *frame, float amin,
                                   float *logs, float *energy)
{
    PATH(vec) most = (PATH(vec)){0} - INFINITY;
    float largest = -INFINITY;
    const PATH(vec) *z;
    PATH(vec) *power;
    int part, i;

    for (part = 0; part < LANES_N; part += VEC) {
        PATH(load)(l, frame + part, (PATH(vec) *)l->a);
        if (l->prepare)
            PATH(prepare)(l, (PATH(vec) *)l->a, amin, energy + part);
        z = PATH(transform)(l);
        power = (PATH(vec) *)((const float *)z == l->a ? l->b : l->a);
        PATH(power)(l, z, power);
        PATH(mels)(l, power, amin, logs + part, &most);
    }
    for (i = 0; i < VEC; i++)
        if (most[i] > largest)
            largest = most[i];
    return largest;
}

/* Sums and differences of mirrored filters, to l->fold. */
TARGET INLINE void PATH(mirror)(const struct lanes *l, const float *logs,
                                float low, float more)
{
    PATH(vec) *fold = (PATH(vec) *)l->fold, floor = (PATH(vec)){0} + low;
    size_t M = l->n_mels, n;

    for (n = 0; n < (M + 1) / 2; n++, fold += 2) {
        PATH(vec) p = *(const PATH(vec) *)(logs + n * LANES_N);
        PATH(vec) q = *(const PATH(vec) *)(logs + (M - 1 - n) * LANES_N);

        p = PATH(larger)(p, floor) + more;
        q = PATH(larger)(q, floor) + more;
        /* The middle filter of an odd number is its own mirror. */
        fold[0] = p + q * (n == M - 1 - n ? 0.0f : 1.0f);
        fold[1] = p - q;
    }
}

/* Step 5 of a block; see lanes_cepstra(). */
TARGET static void PATH(cepstra_all)(const struct lanes *l, const float *logs,
                                     float low, float more)
{
    size_t half = (l->n_mels + 1) / 2, C = l->s.n_ceps, part, n, t, c, i;
    const PATH(vec) *fold = (const PATH(vec) *)l->fold;

    for (part = 0; part < LANES_N; part += VEC) {
        const float *d = l->dct;

        PATH(mirror)(l, logs + part, low, more);
        for (t = 0; t < l->n_tiles; t++) {
            PATH(vec) sum[TILE] = {{0}};
            float lane[TILE][VEC];

            for (n = 0; n < half; n++, d += TILE)
#pragma GCC unroll 8
                for (i = 0; i < TILE; i++)
                    sum[i] += fold[2 * n + i % 2] * d[i];
            for (i = 0; i < TILE; i++)
                *(PATH(vec) *)lane[i] = sum[i];
            for (c = 0; c < VEC; c++)
                for (i = 0; i < TILE && t * TILE + i < C; i++)
                    l->rows[(part + c) * C + t * TILE + i] = lane[i][c];
        }
    }
}

/* Packed values of VEC floats. */
TARGET INLINE PATH(ivec) PATH(pack)(const struct packing *p, PATH(vec) x)
{
    PATH(vec) base = (PATH(vec)){0} + p->base, v = PATH(larger)(x, base);
    PATH(ivec) up = __builtin_convertvector((v - base) * p->per_coarse,
                                            PATH(ivec));
    PATH(vec) rest = v - (__builtin_convertvector(up, PATH(vec)) * p->coarse +
                          base);

    return (up << 16) + __builtin_convertvector(rest * p->per_fine + 0.5f,
                                                PATH(ivec));
}

/* VEC floats of packed values. */
TARGET INLINE PATH(vec) PATH(unpack)(const struct packing *p, PATH(ivec) k)
{
    PATH(vec) up = __builtin_convertvector(k >> 16, PATH(vec));
    PATH(vec) low = __builtin_convertvector(k & 0xffff, PATH(vec));

    return (up * p->coarse + p->base) + low * p->fine;
}

/* See lanes_pack(). */
TARGET static void PATH(pack_all)(const struct packing *packing,
                                  const float *x, size_t n, float *out)
{
    const struct packing p = *packing;
    size_t quarter = n / 4, i;

    for (i = 0; i < quarter; i += VEC) {
        const float *from = x + i;
        PATH(ivec) *to = (PATH(ivec) *)(out + i / VEC * (3 * VEC)), k[4];
        int j;

#pragma GCC unroll 4
        for (j = 0; j < 4; j++, from += quarter)
            k[j] = PATH(pack)(&p, *(const PATH(vec) *)from);
        to[0] = k[0] | k[3] << 24;
        to[1] = k[1] | (k[3] >> 8) << 24;
        to[2] = k[2] | (k[3] >> 16) << 24;
    }
}

/* See lanes_unpack(). */
TARGET static void PATH(unpack_all)(const struct packing *packing,
                                    const float *packed, size_t n, float *x)
{
    const struct packing p = *packing;
    size_t quarter = n / 4, i;

    for (i = 0; i < quarter; i += VEC) {
        const PATH(ivec) *from =
            (const PATH(ivec) *)(packed + i / VEC * (3 * VEC));
        PATH(ivec) k[4] = {from[0], from[1], from[2], {0}};
        int j;

#pragma GCC unroll 3
        for (j = 0; j < 3; j++) {
            k[3] |= (k[j] >> 24 & 0xff) << 8 * j;
            k[j] &= 0xffffff;
        }
#pragma GCC unroll 4
        for (j = 0; j < 4; j++)
            *(PATH(vec) *)(x + (size_t)j * quarter + i) =
                PATH(unpack)(&p, k[j]);
    }
}

#undef PATH
#undef TARGET
#undef VEC
#undef LOW
#undef HIGH
