/*
 * test_csv - RFC 4180 rows and the layouts of electrodermal recordings.
 */
#include "signal/csv.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/rng.h"
#include "tap.h"

/* Reads all rows of text into one: fields in <>, rows ended by ;. */
static const char *rows(const char *text, size_t n, bool comments)
{
    static char out[1024];
    struct csv c = {0};
    struct err err;
    size_t i;
    int got;

    out[0] = '\0';
    csv_init(&c, text, n, "t.csv", comments);
    while ((got = csv_row(&c, &err)) > 0) {
        for (i = 0; i < c.n_fields; i++)
            sprintf(out + strlen(out), "<%s>", csv_field(&c, i));
        sprintf(out + strlen(out), "@%zu;", c.line);
    }
    if (got < 0)
        snprintf(out, sizeof out, "%s", err.text);
    csv_release(&c);
    return out;
}

/* rows() of a string without comments. */
static const char *plain(const char *text)
{
    return rows(text, strlen(text), false);
}

/* What RFC 4180 says. */
static void test_rows(void)
{
    tap_is(plain("a,b\r\nc,d\n"), "<a><b>@1;<c><d>@2;", "LF and CRLF");
    tap_is(plain("a,b"), "<a><b>@1;", "no line end at the end");
    tap_is(plain("a\rb"), "<a>@1;<b>@2;", "CR alone");
    tap_is(plain(",\n\n,x"), "<><>@1;<>@2;<><x>@3;",
           "empty fields and lines");
    tap_is(plain("\"a,\"\"b\"\"\",\"\"\n"), "<a,\"b\"><>@1;",
           "quotes, doubled quotes, commas");
    tap_is(plain("\"a\r\nb\",c\nd"), "<a\r\nb><c>@1;<d>@3;",
           "newlines in quotes are text and count as lines");
    tap_is(plain("\xef\xbb\xbf" "id,\xe5\x91\xa8\n"), "<id><\xe5\x91\xa8>@1;",
           "byte order mark dropped, UTF-8 kept");
    tap_is(plain("#a\n"), "<#a>@1;", "# is text");
    tap_is(rows("#a\n#b\n1\n#c\n", 11, true), "<1>@3;<#c>@4;",
           "# at the top is a comment where asked for");
    tap_is(plain("a\"b,c\n"), "<a\"b><c>@1;", "a quote inside is text");
    tap_is(plain(""), "", "nothing");
}

/* What RFC 4180 does not allow. */
static void test_bad_rows(void)
{
    tap_is(plain("a\nb,\"c\nd"), "t.csv: line 2, column 2: wanted a closing "
           "quote, got the end of the file", "open quote");
    tap_is(plain("\"a\"b,c\n"), "t.csv: line 1, column 1: wanted a comma "
           "behind the closing quote, got 'b'", "text behind a quote");
    tap_is(rows("a,b\0c\n", 6, false), "t.csv: line 1, column 2: wanted "
           "text, got a NUL byte", "NUL");
}

/* Finding a column by its name. */
static void test_find(void)
{
    static const char text[] = "musicId,fileName,title\n";
    struct csv c = {0};
    struct err err;

    csv_init(&c, text, strlen(text), "t.csv", false);
    tap_ok(csv_row(&c, &err) == 1 && csv_find(&c, "fileName") == 1,
           "a column is found");
    tap_ok(csv_find(&c, "filename") == 3, "another one is not");
    csv_release(&c);
}

/* Parses a recording file; prints it or the error. */
static const char *parse(struct csv_eda *e, const char *text)
{
    static char out[1024];
    struct err err;
    size_t i, j;

    if (csv_eda_parse(e, text, strlen(text), "e.csv", &err)) {
        snprintf(out, sizeof out, "%s", err.text);
        return out;
    }
    out[0] = '\0';
    if (e->rate_hz > 0)
        sprintf(out, "%g Hz ", e->rate_hz);
    for (i = 0; e->has_time && i < e->n_rows; i++)
        sprintf(out + strlen(out), "%g ", e->time_s[i]);
    for (j = 0; j < e->n_columns; j++) {
        sprintf(out + strlen(out), "| %s:", csv_eda_name(e, j));
        for (i = 0; i < e->n_rows; i++)
            sprintf(out + strlen(out), " %g", e->values[j * e->n_rows + i]);
    }
    return out;
}

/* Both layouts and their variants. */
static void test_layouts(void)
{
    struct csv_eda e = {0};

    tap_is(parse(&e, "time(s),100083,100081\r\n0.00,1.5,-2\r\n0.02,,nan\r\n"),
           "0 0.02 | 100083: 1.5 nan| 100081: -2 nan",
           "PMEmo2019, CRLF, missing values");
    tap_is(parse(&e, "0.25\n-1e-3\n\n0.5\n\n\n"), "| 1: 0.25 -0.001 nan 0.5",
           "HKU956, an empty line between numbers is a missing value");
    tap_is(parse(&e, "\n\n7\n"), "| 1: nan nan 7", "also before them");
    tap_is(parse(&e, "# rate 1000\n# more\n2669.0\n2671.0\n"),
           "| 1: 2669 2671", "comments at the top");
    tap_is(parse(&e, "NaN\n 1 \n"), "| 1: nan 1",
           "nan first is no header, blanks are nothing");
    tap_is(parse(&e, "1500000000\n4.000000\n0.1\n0.2\n"), "4 Hz | 1: 0.1 0.2",
           "Empatica export: start time and rate");
    tap_is(parse(&e, "\xef\xbb\xbf\"Time (s)\",\"a,b\"\n0,1\n1,2\n"),
           "0 1 | a,b: 1 2", "byte order mark, quoted names");
    tap_is(parse(&e, "x,y\n1,2\n3,4\n"), "| x: 1 3| y: 2 4",
           "names without a time");
    csv_eda_release(&e);
}

/* Errors name line, column and what was wanted. */
static void test_bad_layouts(void)
{
    struct csv_eda e = {0};

    tap_is(parse(&e, "time(s),a\n0,1\n0.02,x7\n"), "e.csv: line 3, column 2: "
           "wanted a number or nothing, got 'x7'", "no number");
    tap_is(parse(&e, "time(s),a\n0,1\n0.02\n"),
           "e.csv: line 3: wanted 2 columns, got 1", "too few columns");
    tap_is(parse(&e, "time(s),a\n0.02,1\n0.01,1\n"), "e.csv: line 3, column "
           "1: wanted a time of at least 0.02 s, got 0.01 s", "time falls");
    tap_is(parse(&e, "time(s),a\n,1\n"), "e.csv: line 2, column 1: wanted a "
           "time in seconds, got none", "no time");
    tap_is(parse(&e, "time(ms),a\n0,1\n"), "e.csv: line 1, column 1: wanted "
           "time(s), got 'time(ms)'", "another unit of time");
    tap_is(parse(&e, "time(s),a,\n0,1,2\n"), "e.csv: line 1, column 3: "
           "wanted a subject, got an empty name", "a column without name");
    tap_is(parse(&e, "time(s)\n0\n"), "e.csv: line 1: wanted a column per "
           "subject behind the time, got none", "only a time");
    tap_is(parse(&e, "0,1\n2,3\n"), "e.csv: line 1: wanted a header "
           "(time(s), then subjects) or one number a line, got 2 numbers",
           "numbers without names");
    tap_is(parse(&e, "1\n2;3\n"), "e.csv: line 2, column 1: wanted a number "
           "or nothing, got '2;3'", "another separator");
    tap_is(parse(&e, "1\n1,5\n"), "e.csv: line 2: wanted 1 column, got 2",
           "a decimal comma");
    tap_is(parse(&e, "1\n1e300\n"), "e.csv: line 2, column 1: wanted a "
           "number or nothing, got '1e300'", "a number beyond all signals");
    tap_is(parse(&e, "inf\n"), "e.csv: wanted rows of numbers, got none",
           "infinity is no number");
    tap_is(parse(&e, "a,b\n"), "e.csv: wanted rows of numbers, got none",
           "a header alone");
    tap_is(parse(&e, "# x"), "e.csv: wanted rows of numbers, got none",
           "a comment alone");
    csv_eda_release(&e);
}

/* A parser that failed, or held a larger file, parses the next one. */
static void test_reuse(void)
{
    struct csv_eda e = {0};

    parse(&e, "time(s),a,b,c\n0,1,2,3\n1,4,5,6\n2,7,8,9\n");
    parse(&e, "time(s),a\n0,z\n");
    tap_is(parse(&e, "5\n6\n"), "| 1: 5 6", "nothing is left of the last");
    csv_eda_release(&e);
}

/* The column csv_eda_column() finds, or its error. */
static const char *column(const struct csv_eda *e, const char *id)
{
    static char out[1024];
    struct err err;
    size_t i;

    if (csv_eda_column(e, id, "e.csv", &i, &err))
        snprintf(out, sizeof out, "%s", err.text);
    else
        snprintf(out, sizeof out, "%zu", i);
    return out;
}

/* Ids are matched exactly first, then behind a prefix. */
static void test_column(void)
{
    struct csv_eda e = {0};

    parse(&e, "time(s),S_100083,100081,T100081,X1100085,a,P7_100090,"
              "Q8_100090,a\n0,1,2,3,4,5,6,7,8\n");
    tap_is(column(&e, "100081"), "1", "exact beats prefixed");
    tap_is(column(&e, "100083"), "0", "a prefix is tolerated");
    tap_is(column(&e, "100085"), "e.csv: wanted column '100085', got "
           "'S_100083' and 7 more", "not in front of more digits");
    tap_is(column(&e, "00083"), "e.csv: wanted column '00083', got "
           "'S_100083' and 7 more", "and only for 6 digits");
    tap_is(column(&e, "100090"), "e.csv: wanted one column '100090', got 2",
           "two prefixes are ambiguous");
    tap_is(column(&e, "a"), "e.csv: wanted one column 'a', got 2",
           "so are two equal names");
    tap_is(column(&e, NULL), "e.csv: wanted the name of one of its 8 "
           "columns, got none", "no name");
    parse(&e, "1\n2\n");
    tap_is(column(&e, NULL), "0", "no name for the only column");
    tap_is(column(&e, "1"), "0", "which is called 1");
    csv_eda_release(&e);
}

/* Numbers of all lengths are those that strtod() reads, bit for bit. */
static void test_numbers(void)
{
    static char text[20000][32];
    struct csv_eda e = {0};
    struct buf file = {0};
    struct err err;
    struct rng r;
    size_t i, same = 0, n = sizeof text / sizeof *text;

    rng_init(&r, 3, RNG_TEST, 0, 0);
    for (i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "%.*f",
                 (int)rng_below(&r, 16),
                 (rng_uniform(&r) - 0.5) * pow(10, rng_below(&r, 7)));
        buf_puts(&file, text[i]);
        buf_puts(&file, "\n");
    }
    if (!csv_eda_parse(&e, buf_text(&file), file.len, "t.csv", &err))
        for (i = 0; i < n && e.n_rows == n; i++) {
            double want = strtod(text[i], NULL);

            same += memcmp(&want, &e.values[i], sizeof want) == 0;
        }
    tap_ok(same == n, "%zu of %zu numbers are strtod's", same, n);
    csv_eda_release(&e);
    buf_release(&file);
}

/* Decimal commas between semicolons, where they were asked for. */
static void test_decimal_comma(void)
{
    static const char text[] = "time(s);1;2\n0,00;0,5;nan\n0,02;-1,25e1;\n";
    static const char points[] = "time(s);1\n0.5;1\n";
    static const char plain_column[] = "0,5\n1,5\n7\n";
    struct csv_eda e = {.decimal_comma = true};
    struct err err = {0};

    tap_ok(!csv_eda_parse(&e, text, sizeof text - 1, "t.csv", &err) &&
               e.n_columns == 2 && e.n_rows == 2 && e.has_time &&
               e.time_s[1] == 0.02 && e.values[0] == 0.5 &&
               e.values[1] == -12.5 && isnan(e.values[2]) &&
               isnan(e.values[3]), "decimal commas between semicolons");
    tap_ok(!csv_eda_parse(&e, plain_column, sizeof plain_column - 1, "t.csv",
                          &err) &&
               e.n_rows == 3 && e.values[0] == 0.5 && e.values[2] == 7,
           "one number a line");
    tap_ok(csv_eda_parse(&e, points, sizeof points - 1, "t.csv", &err) == -1,
           "a point is an error");
    tap_is(err.text, "t.csv: line 2, column 1: wanted a number like 0,5 or "
           "nothing, got '0.5'", "that names the cell");
    tap_ok(csv_eda_parse(&e, "4\n1,2,3\n", 8, "t.csv", &err) == -1,
           "two commas are an error");
    e.decimal_comma = false;
    tap_ok(csv_eda_parse(&e, text, sizeof text - 1, "t.csv", &err) == -1,
           "and not without asking");
    csv_eda_release(&e);
}

int main(void)
{
    test_rows();
    test_bad_rows();
    test_find();
    test_layouts();
    test_bad_layouts();
    test_reuse();
    test_column();
    test_decimal_comma();
    test_numbers();
    return tap_done();
}
