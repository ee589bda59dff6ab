/*
 * test_edastats - statistics of subjects over recordings, and their file.
 */
#include "signal/edastats.h"

#include "base/err.h"
#include "tap.h"

/* Mean and population standard deviation of a few values. */
static struct eda_moments of(const double *x, size_t n)
{
    struct eda_moments m = {n, 0, 0};
    size_t i;

    for (i = 0; i < n; i++)
        m.mean += x[i] / (double)n;
    for (i = 0; i < n; i++)
        m.std += (x[i] - m.mean) * (x[i] - m.mean) / (double)n;
    m.std = sqrt(m.std);
    return m;
}

/* Parts together are what the whole is. */
static void test_combine(struct edastats *s)
{
    static const double x[7] = {3, 1, 4, 1, 5, 9, 2};
    struct eda_moments a = of(x, 3), b = of(x + 3, 4), all = of(x, 7);
    const struct eda_moments *got;
    struct err err;

    tap_ok(!edastats_add(s, "d/2", "d/s/2", &a, &err) &&
               !edastats_add(s, "d/1", "d/s/1", &a, &err) &&
               !edastats_add(s, "d/2", "d/t/2", &b, &err) &&
               !edastats_add(s, "d/2", "d/t/2", &b, &err),
           "recordings are added, one of them twice");
    got = edastats_find(s, "d/2");
    tap_ok(got && got->n == 7, "a subject's samples are counted once");
    tap_near(got->mean, all.mean, 1e-15, "mean");
    tap_near(got->std, all.std, 1e-15, "std");
    tap_ok(!edastats_find(s, "d/3"), "an unknown subject has none");
}

/* What is written reads back, whatever shape it has. */
static void test_file(const struct edastats *s,
                      const struct config_features *conf)
{
    static const char list[] =
        " [{\"subject\":\"d/1\",\"n\":3,\"mean\":1,\"std\":0}]\n";
    struct edastats back;
    struct buf text = {0};
    struct err err;

    edastats_put(s, &text);
    tap_ok(strncmp(buf_text(&text), "{\"subject\":\"d/1\",\"n\":3,\"mean\":",
                   30) == 0, "lines are sorted by subject");
    tap_ok(!edastats_init(&back, conf, &err) &&
               !edastats_parse(&back, text.data, text.len, "s.json", &err) &&
               back.subjects.n == 2 &&
               edastats_find(&back, "d/2")->std ==
                   edastats_find(s, "d/2")->std,
           "the file reads back bit for bit");
    tap_ok(edastats_parse(&back, text.data, text.len, "s.json", &err) == -1,
           "a subject twice is refused");
    edastats_release(&back);
    tap_ok(!edastats_init(&back, conf, &err) &&
               !edastats_parse(&back, list, strlen(list), "s", &err) &&
               edastats_find(&back, "d/1")->mean == 1,
           "a JSON list is as good");
    edastats_release(&back);
    buf_release(&text);
}

/* Files that do not fit are refused by line. */
static void test_bad_file(const struct config_features *conf)
{
    static const struct {
        const char *text; /* the file */
        const char *want; /* the message begins so */
    } cases[] = {
        {"", "s: wanted statistics of subjects, got none"},
        {"{\"subject\":\"a\",\"n\":1,\"mean\":0,\"std\":1}\n{}\n",
         "s: line 2: wanted an object with subject, n, mean and std"},
        {"{\"subject\":\"a\",\"n\":1,\"mean\":0,\"std\":-1}\n",
         "s: line 1: wanted an object with subject, n, mean and std"},
        {"nonsense\n", "s: line 1: "},
        {"{\"subject\":\"a\",\"n\":1,\"mean\":0,\"std\":1,"
         "\"settings\":\"x\"}\n",
         "s: line 1: wanted statistics of the EDA settings "}};
    struct edastats s;
    struct err err;
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        tap_ok(!edastats_init(&s, conf, &err) &&
                   edastats_parse(&s, cases[i].text, strlen(cases[i].text),
                                  "s", &err) == -1 &&
                   err.status == ERR_DATA &&
                   strncmp(err.text, cases[i].want, strlen(cases[i].want)) ==
                       0, "refused: %s", cases[i].want);
        edastats_release(&s);
    }
}

/* The settings that matter change the digest, the normalisation does not. */
static void test_settings(struct config_features conf)
{
    struct edastats a, b, c;
    struct err err;
    bool ok = !edastats_init(&a, &conf, &err);

    conf.eda_normalize = CONFIG_NORMALIZE_ROBUST;
    ok = ok && !edastats_init(&b, &conf, &err);
    conf.eda_lowpass_hz = 3;
    ok = ok && !edastats_init(&c, &conf, &err);
    tap_ok(ok && strcmp(a.settings, b.settings) == 0,
           "statistics do not depend on the normalisation");
    tap_ok(ok && strcmp(a.settings, c.settings) != 0,
           "they do on the filters");
    edastats_release(&a);
    edastats_release(&b);
    edastats_release(&c);
}

int main(void)
{
    struct config config;
    struct edastats s;
    struct err err;

    if (config_init(&config, &err) || config_settle(&config, NULL, &err) ||
        edastats_init(&s, &config.features, &err))
        return 2;
    test_combine(&s);
    test_file(&s, &config.features);
    test_bad_file(&config.features);
    test_settings(config.features);
    edastats_release(&s);
    config_release(&config);
    return tap_done();
}
