/*
 * plot - a script with its data inside, sent to gnuplot.
 */
#include "tool/plot.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
    size_t k;

    for (k = 0; k < c->n; k++) {
        if (c->valid && !c->valid[k])
            buf_puts(b, "\n"); /* an empty line breaks the curve */
        else
            buf_printf(b, "%s %s\n",
                       num_double(t, t0_s + (double)k * step_s),
                       num_float(y, c->y[k]));
    }
    buf_puts(b, "e\n");
}

/* Writes the script to a running gnuplot and waits for it. */
static int send(const struct buf *script, const char *path, struct err *err)
{
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    FILE *p = popen("gnuplot 2>/dev/null", "w");
    int status;

    if (!p)
        return err_errno(err, "gnuplot");
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

int plot_curves(const char *folder, const char *name, const char *title,
                double t0_s, double step_s, const struct plot_curve *curves,
                size_t n_curves, struct err *err)
{
    struct buf script = {0}, path = {0};
    size_t i;
    int got;

    mkdir(folder, 0777); /* if that fails, drawing says why */
    buf_printf(&path, "%s/%s.png", folder, name);
    buf_puts(&script, "set terminal pngcairo noenhanced size 1000,400\n"
                      "set output ");
    put_quoted(&script, buf_text(&path));
    buf_puts(&script, "\nset title ");
    put_quoted(&script, title);
    buf_puts(&script, "\nset xlabel 'time (s)'\nset ylabel 'EDA'\n"
                      "set grid\nset key below\nplot ");
    for (i = 0; i < n_curves; i++) {
        buf_puts(&script, i ? ", '-' with lines lw 2 title "
                            : "'-' with lines lw 2 title ");
        put_quoted(&script, curves[i].name);
    }
    buf_puts(&script, "\n");
    for (i = 0; i < n_curves; i++)
        put_points(&script, &curves[i], t0_s, step_s);
    got = buf_check(&script, err) || buf_check(&path, err) ||
          send(&script, buf_text(&path), err);
    buf_release(&script);
    buf_release(&path);
    return got ? -1 : 0;
}
