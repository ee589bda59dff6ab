/*
 * rows - curves over time as CSV or JSON Lines.
 */
#include "tool/rows.h"

#include <string.h>

#include "base/num.h"
#include "core/json.h"

void rows_head(struct buf *out, enum rows_format format, bool has_file,
               bool has_sd)
{
    if (format == ROWS_CSV)
        buf_printf(out, "%stime_s,eda%s\n", has_file ? "file," : "",
                   has_sd ? ",eda_sd" : "");
}

void rows_file(struct buf *out, enum rows_format format, const char *path)
{
    if (format == ROWS_JSON) {
        buf_puts(out, "\"file\":");
        json_put_text(out, path);
    } else if (!strpbrk(path, ",\"\r\n")) {
        buf_puts(out, path);
    } else {
        buf_puts(out, "\"");
        for (; *path; path++)
            buf_puts(out, *path == '"' ? "\"\"" : (char[]){*path, '\0'});
        buf_puts(out, "\"");
    }
    buf_puts(out, ",");
}

void rows_line(struct buf *out, enum rows_format format, const char *file,
               double time_s, float eda, const float *sd)
{
    char t[NUM_SIZE], y[NUM_SIZE];

    if (format == ROWS_CSV) {
        buf_printf(out, "%s%s,%s", file, num_double(t, time_s),
                   num_float(y, eda));
        if (sd)
            buf_printf(out, ",%s", num_float(y, *sd));
        buf_puts(out, "\n");
        return;
    }
    buf_printf(out, "{%s\"time_s\":", file);
    json_put_num(out, time_s);
    buf_puts(out, ",\"eda\":");
    json_put_float(out, eda);
    if (sd) {
        buf_puts(out, ",\"eda_sd\":");
        json_put_float(out, *sd);
    }
    buf_puts(out, "}\n");
}
