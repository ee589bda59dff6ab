/*
 * plot - a script with its data inside, sent to gnuplot.
 */
#include "tool/plot.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/num.h"

/* Appends text as a gnuplot string; nothing in it is interpreted. */
static void put_quoted(struct buf *b, const char *text)
{
    buf_puts(b, "'");
    for (; *text; text++) {
        if (*text == '\'')
            buf_puts(b, "''");
        else if ((unsigned char)*text >= 0x20 && *text != 0x7f)
            buf_put(b, text, 1);
    }
    buf_puts(b, "'");
}

/* Appends one curve's points and the line that ends them. */
static void put_points(struct buf *b, const struct plot_curve *c, double t0_s,
                       double step_s)
{
    char t[NUM_SIZE], y[NUM_SIZE];
    bool drawing = false, valid;
    size_t k;

    for (k = 0; k < c->n; k++, drawing = valid) {
        valid = !c->valid || c->valid[k];
        if (valid)
            buf_printf(b, "%s %s\n",
                       num_double(t, t0_s + (double)k * step_s),
                       num_float(y, c->y[k]));
        else if (drawing)
            buf_puts(b, "\n"); /* breaks the curve; two begin another */
    }
    buf_puts(b, "e\n");
}

/* Gives the script to gnuplot and waits for it. path: for messages. */
static int run_script(const struct buf *script, const char *path,
                      struct err *err)
{
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    FILE *p = popen("gnuplot -d 2>/dev/null", "w");
    int status;

    if (!p) {
        signal(SIGPIPE, before);
        return err_errno(err, "gnuplot");
    }
    fwrite(buf_text(script), 1, script->len, p);
    status = pclose(p);
    signal(SIGPIPE, before);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ERR_FAILED, "gnuplot is not installed");
    if (status)
        return err_set(err, ERR_FAILED, "%s: gnuplot could not draw it",
                       path);
    return 0;
}

/* A way to draw. */
struct terminal {
    const char *suffix; /* of the file */
    const char *name;   /* gnuplot's words for it */
};

/* The ways, the one for images first. */
static const struct terminal terminals[] = {
    {"png", "pngcairo noenhanced"}, {"svg", "svg noenhanced"}};

/* How many there are. */
#define N_TERMINALS (sizeof terminals / sizeof terminals[0])

/* What is drawn: body is owned by whoever draws. */
struct drawing {
    const char *folder; /* made if it is missing */
    const char *name;   /* of the file, without its suffix */
    const char *title;  /* shown above */
    const char *x;      /* label of the horizontal axis */
    size_t height;      /* pixels */
    bool pixels;        /* an image */
};

/* Draws body in one way, aside and renamed. */
static int draw_as(const struct drawing *d, const struct terminal *as,
                   const struct buf *body, struct err *err)
{
    struct buf script = {0}, path = {0}, temp = {0};
    int got = -1;

    buf_printf(&path, "%s/%s.%s", d->folder, d->name, as->suffix);
    buf_printf(&temp, "%s.tmp.%ld", buf_text(&path), (long)getpid());
    buf_printf(&script, "set terminal %s size 1000,%zu\nset output ",
               as->name, d->height);
    put_quoted(&script, buf_text(&temp));
    buf_puts(&script, "\nset title ");
    put_quoted(&script, d->title);
    buf_puts(&script, "\nset xlabel ");
    put_quoted(&script, d->x);
    buf_puts(&script, "\n");
    buf_put(&script, buf_text(body), body->len);
    if (buf_check(&script, err) || buf_check(&path, err) ||
        buf_check(&temp, err))
        goto out;
    got = run_script(&script, buf_text(&path), err);
    if (!got && rename(buf_text(&temp), buf_text(&path)))
        got = err_errno(err, "%s", buf_text(&path));
    if (got)
        unlink(buf_text(&temp));
out:
    buf_release(&script);
    buf_release(&path);
    buf_release(&temp);
    return got;
}

/* Draws body in every way that suits it, and frees it. */
static int draw(const struct drawing *d, struct buf *body, struct err *err)
{
    size_t n = d->pixels ? 1 : N_TERMINALS, i;
    int got = buf_check(body, err);

    if (!got && mkdir(d->folder, 0777) && errno != EEXIST)
        got = err_errno(err, "%s", d->folder);
    for (i = 0; i < n && !got; i++)
        got = draw_as(d, &terminals[i], body, err);
    buf_release(body);
    return got;
}

int plot_lines(const char *folder, const char *name, const char *title,
               const struct plot_axes *axes, double x0, double step,
               const struct plot_curve *curves, size_t n_curves,
               struct err *err)
{
    const struct drawing d = {folder, name, title, axes->x, 400, false};
    struct buf body = {0};
    size_t i;

    buf_puts(&body, "set ylabel ");
    put_quoted(&body, axes->y);
    buf_puts(&body, "\nset grid\nset key below\nplot ");
    for (i = 0; i < n_curves; i++) {
        buf_puts(&body, i ? ", '-' with lines lw 2 title "
                          : "'-' with lines lw 2 title ");
        put_quoted(&body, curves[i].name);
    }
    buf_puts(&body, "\n");
    for (i = 0; i < n_curves; i++)
        put_points(&body, &curves[i], x0, step);
    return draw(&d, &body, err);
}

int plot_curves(const char *folder, const char *name, const char *title,
                double t0_s, double step_s, const struct plot_curve *curves,
                size_t n_curves, struct err *err)
{
    static const struct plot_axes axes = {"time (s)", "EDA"};

    return plot_lines(folder, name, title, &axes, t0_s, step_s, curves,
                      n_curves, err);
}

/* Narrows [lo, hi] to the twentieths of it that hold all n values. */
static void narrow(const double *values, size_t n, double *lo, double *hi)
{
    double part = (*hi - *lo) / 20, first = 20, end = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        double at = (values[i] - *lo) / part;

        if (!(at >= 0 && at <= 20))
            continue;
        first = fmin(first, floor(at));
        end = fmax(end, floor(at) + 1);
    }
    if (end <= first)
        return;
    *hi = end >= 20 ? *hi : *lo + end * part;
    *lo += first >= 20 ? 19 * part : first * part;
}

int plot_histogram(const char *folder, const char *name, const char *title,
                   const struct plot_axes *axes, const double *values,
                   size_t n, double lo, double hi, struct err *err)
{
    const struct drawing d = {folder, name, title, axes->x, 400, false};
    size_t counts[PLOT_BARS] = {0}, i;
    struct buf body = {0};
    char x[NUM_SIZE], from[NUM_SIZE], to[NUM_SIZE];
    double width;

    narrow(values, n, &lo, &hi);
    width = (hi - lo) / PLOT_BARS;
    for (i = 0; i < n; i++) {
        if (values[i] >= lo && values[i] < hi)
            counts[(size_t)fmin((values[i] - lo) / width, PLOT_BARS - 1)]++;
        else if (values[i] == hi)
            counts[PLOT_BARS - 1]++;
    }
    buf_puts(&body, "set ylabel ");
    put_quoted(&body, axes->y);
    buf_printf(&body, "\nset grid y\nunset key\nset xrange [%s:%s]\n"
               "set yrange [0:*]\nset boxwidth 0.9 relative\n"
               "set style fill solid 0.6\nplot '-' with boxes\n",
               num_double(from, lo), num_double(to, hi));
    for (i = 0; i < PLOT_BARS; i++)
        buf_printf(&body, "%s %zu\n",
                   num_double(x, lo + ((double)i + 0.5) * width), counts[i]);
    buf_puts(&body, "e\n");
    return draw(&d, &body, err);
}

/* Sets the horizontal axis to what all panels need. */
static void put_span(struct buf *body, const struct plot_panel *panels,
                     size_t n)
{
    char from[NUM_SIZE], to[NUM_SIZE];
    double first = 0, last = 0, end;
    size_t i;

    for (i = 0; i < n; i++) {
        end = panels[i].t0_s + (double)panels[i].curve.n * panels[i].step_s;
        first = i ? fmin(first, panels[i].t0_s) : panels[i].t0_s;
        last = i ? fmax(last, end) : end;
    }
    if (last > first)
        buf_printf(body, "set xrange [%s:%s]\n", num_double(from, first),
                   num_double(to, last));
}

int plot_panels(const char *folder, const char *name, const char *title,
                const struct plot_panel *panels, size_t n_panels,
                struct err *err)
{
    const struct drawing d = {folder, name, title, "time (s)",
                              300 * n_panels, false};
    struct buf body = {0};
    size_t i;

    buf_printf(&body, "set grid\nset key above\nset lmargin 12\n"
               "set multiplot layout %zu,1\n", n_panels);
    put_span(&body, panels, n_panels);
    for (i = 0; i < n_panels; i++) {
        buf_puts(&body, i ? "unset title\nset ylabel " : "set ylabel ");
        put_quoted(&body, panels[i].label);
        buf_puts(&body, "\nplot '-' with lines lw 2 title ");
        put_quoted(&body, panels[i].curve.name);
        buf_puts(&body, "\n");
        put_points(&body, &panels[i].curve, panels[i].t0_s,
                   panels[i].step_s);
    }
    buf_puts(&body, "unset multiplot\n");
    return draw(&d, &body, err);
}

/* Mean and deviation of coefficient c over T frames of C. */
static void measure(const float *x, size_t T, size_t C, size_t c,
                    double *mean, double *std)
{
    double sum = 0;
    size_t t;

    for (t = 0; t < T; t++)
        sum += (double)x[t * C + c];
    *mean = sum / (double)T;
    for (t = 0, sum = 0; t < T; t++)
        sum += ((double)x[t * C + c] - *mean) *
               ((double)x[t * C + c] - *mean);
    *std = sqrt(sum / (double)T);
    if (!(*std > 0))
        *std = 1;
}

/* Appends coefficient c of all frames as one row of the image. */
static void put_row(struct buf *body, const float *x, size_t T, size_t C,
                    size_t c, size_t stride)
{
    double mean, std, sum;
    size_t t, k;

    measure(x, T, C, c, &mean, &std);
    for (t = 0; t < T; t += stride) {
        for (sum = 0, k = t; k < t + stride && k < T; k++)
            sum += (double)x[k * C + c];
        buf_printf(body, "%.3f ", (sum / (double)(k - t) - mean) / std);
    }
    buf_puts(body, "\n");
}

int plot_image(const char *folder, const char *name, const char *title,
               double t0_s, double step_s, const float *x, size_t T,
               size_t C, struct err *err)
{
    const struct drawing d = {folder, name, title, "time (s)", 400, true};
    size_t stride = (T + PLOT_MAX_COLUMNS - 1) / PLOT_MAX_COLUMNS, c;
    struct buf body = {0};
    char from[NUM_SIZE], step[NUM_SIZE];

    if (!T || !C)
        return err_set(err, ERR_DATA, "%s: wanted frames to draw, got none",
                       title);
    buf_printf(&body, "set ylabel 'coefficient'\nset cblabel 'z-score'\n"
               "set cbrange [-3:3]\nunset key\nset autoscale fix\n"
               "plot '-' matrix using (%s+$1*%s):2:3 with image pixels\n",
               num_double(from, t0_s),
               num_double(step, step_s * (double)stride));
    for (c = 0; c < C; c++)
        put_row(&body, x, T, C, c, stride);
    buf_puts(&body, "e\n");
    return draw(&d, &body, err);
}

int plot_read(const char *folder, const char *name, struct buf *svg,
              struct err *err)
{
    struct buf path = {0};
    char block[4096];
    int got = -1;
    size_t n;
    FILE *f;

    buf_printf(&path, "%s/%s.svg", folder, name);
    if (buf_check(&path, err))
        return -1;
    f = fopen(buf_text(&path), "r");
    while (f && (n = fread(block, 1, sizeof block, f)) > 0)
        buf_put(svg, block, n);
    if (!f || ferror(f))
        err_errno(err, "%s", buf_text(&path));
    else
        got = buf_check(svg, err);
    if (f)
        fclose(f);
    buf_release(&path);
    return got;
}

void plot_name(struct buf *name, size_t number, const char *key)
{
    char letter;

    buf_printf(name, "%04zu-", number);
    for (; *key; key++) {
        letter = isalnum((unsigned char)*key) || *key == '.' ? *key : '-';
        buf_put(name, &letter, 1);
    }
}
