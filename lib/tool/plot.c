/*
 * plot - a script with its data inside, sent to gnuplot.
 */
#include "tool/plot.h"

#include <errno.h>
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
        return err_set(err, ERR_FAILED, "%s: gnuplot is not installed", path);
    if (status)
        return err_set(err, ERR_FAILED, "%s: gnuplot could not draw it",
                       path);
    return 0;
}

/* Appends the script that draws the curves into a file. */
static void put_script(struct buf *b, const char *file, const char *title,
                       double t0_s, double step_s,
                       const struct plot_curve *curves, size_t n_curves)
{
    size_t i;

    buf_puts(b, "set terminal pngcairo noenhanced size 1000,400\n"
                "set output ");
    put_quoted(b, file);
    buf_puts(b, "\nset title ");
    put_quoted(b, title);
    buf_puts(b, "\nset xlabel 'time (s)'\nset ylabel 'EDA'\n"
                "set grid\nset key below\nplot ");
    for (i = 0; i < n_curves; i++) {
        buf_puts(b, i ? ", '-' with lines lw 2 title "
                      : "'-' with lines lw 2 title ");
        put_quoted(b, curves[i].name);
    }
    buf_puts(b, "\n");
    for (i = 0; i < n_curves; i++)
        put_points(b, &curves[i], t0_s, step_s);
}

int plot_curves(const char *folder, const char *name, const char *title,
                double t0_s, double step_s, const struct plot_curve *curves,
                size_t n_curves, struct err *err)
{
    struct buf script = {0}, path = {0}, temp = {0};
    int got = -1;

    if (mkdir(folder, 0777) && errno != EEXIST)
        return err_errno(err, "%s", folder);
    buf_printf(&path, "%s/%s.png", folder, name);
    buf_printf(&temp, "%s.tmp.%ld", buf_text(&path), (long)getpid());
    put_script(&script, buf_text(&temp), title, t0_s, step_s, curves,
               n_curves);
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
