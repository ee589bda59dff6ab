/*
 * csvlog - one row a line. No field needs quotes: names and numbers.
 */
#include "train/csvlog.h"

#include "base/num.h"
#include "core/json.h"
#include "eval/metric.h"

/* The columns before the metrics. */
static const char *const columns[] = {"step", "epoch", "split",
                                      "loss", "lr",    "grad_norm"};

/* How many. */
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* The name of column i. */
static const char *name_of(size_t i)
{
    return i < N_COLUMNS ? columns[i]
                         : metric_name((enum metric)(i - N_COLUMNS));
}

/* Appends a member of a line. */
static void put_field(struct buf *out, const struct json *value)
{
    char text[NUM_SIZE];

    switch (json_kind(value)) {
    case JSON_KIND_TEXT:
        buf_puts(out, json_text(value));
        break;
    case JSON_KIND_NUMBER:
        buf_puts(out, num_double(text, json_num(value, 0)));
        break;
    default:
        buf_puts(out, "nan");
        break;
    }
}

void csvlog_put_head(struct buf *out)
{
    size_t i;

    for (i = 0; i < N_COLUMNS + METRIC_N; i++)
        buf_printf(out, "%s%s", i ? "," : "", name_of(i));
    buf_puts(out, "\n");
}

int csvlog_put_line(struct buf *out, const char *line, size_t n,
                    struct err *err)
{
    struct json *j = json_parse(line, n, err);
    size_t i;

    if (!j)
        return -1;
    for (i = 0; i < N_COLUMNS + METRIC_N; i++) {
        const struct json *value = json_member(j, name_of(i));

        buf_puts(out, i ? "," : "");
        if (value)
            put_field(out, value);
    }
    buf_puts(out, "\n");
    json_close(j);
    return 0;
}
