/*
 * a2b-train - learn to predict skin conductance from sound.
 *
 * In:  a batch stream of a2b-batch; --val: streams of mfcc and eda frames.
 * Out: a run folder with checkpoints and metrics; on stdout one line, the
 *      folder of the best checkpoint.
 */
#include <inttypes.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "tool/tool.h"
#include "train/trainer.h"

static const char usage[] =
    "usage: a2b-train [-hqvV] [--dry-run] [--extend-schedule] [--resume]\n"
    "                 [-c config] [-j n] [-k n] [--max-steps n]\n"
    "                 [--max-time time] [-o run] [--overfit-batches n]\n"
    "                 [--progress when] [--set key=value] [--val file]\n"
    "                 [file]\n"
    "      --dry-run          check everything, do one step, leave nothing\n"
    "      --extend-schedule  with --resume: other epochs or optimizer keys\n"
    "                         than the checkpoint's are wanted\n"
    "      --max-steps N      stop after optimizer step N [no limit]\n"
    "      --max-time T       stop after this time: seconds, or with s, m, h\n"
    "                         or d behind them [no limit]\n"
    "      --overfit-batches N\n"
    "                         repeat the first N batches [off]\n"
    "      --resume           go on from the run's last checkpoint\n"
    "      --val FILE         validate on these features; may be repeated\n";

/* Own long options. */
enum {
    OPT_DRY_RUN = TOOL_OPT_OWN, /* --dry-run */
    OPT_EXTEND, /* --extend-schedule */
    OPT_MAX_STEPS, /* --max-steps */
    OPT_MAX_TIME, /* --max-time */
    OPT_OVERFIT, /* --overfit-batches */
    OPT_RESUME, /* --resume */
    OPT_VAL /* --val */
};

/* The first signal that asked us to stop; 0: none. */
static volatile sig_atomic_t stop_signal_number;

/* Notes the first signal; the second one ends the program at once. */
static void on_signal(int number)
{
    if (stop_signal_number)
        _exit(128 + number);
    stop_signal_number = number;
}

/* Catches the signals that stop a run between two steps. */
static void catch_signals(void)
{
    struct sigaction act = {0};

    act.sa_handler = on_signal;
    act.sa_flags = SA_RESTART;
    sigemptyset(&act.sa_mask);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is a full disk */
}

/* Seconds of "90", "90s", "15m", "2h" or "1d"; dies of anything else. */
static double parse_time(const char *text)
{
    static const char letters[] = "smhd";
    static const double seconds[] = {1, 60, 3600, 86400};
    size_t n = strlen(text);
    const char *unit = n ? strchr(letters, text[n - 1]) : NULL;
    char number[NUM_SIZE];
    double value;

    if (unit)
        n--;
    if (n == 0 || n >= sizeof number)
        tool_usage_error("--max-time: want a time like 90s or 2h, got "
                         "\"%s\"",
                         text);
    memcpy(number, text, n);
    number[n] = '\0';
    value = tool_num("--max-time", number, 0.001, 1e9);
    return value * (unit ? seconds[unit - letters] : 1);
}

/* Adds a --val file. */
static void add_val(struct trainer_options *o, const char ***list,
                    const char *path)
{
    const char **grown = realloc(*list, (o->n_val + 1) * sizeof *grown);
    struct err err;

    if (!grown) {
        err_set(&err, ERR_FAILED, "out of memory for options");
        die(&err);
    }
    *list = grown;
    grown[o->n_val++] = path;
    o->val = grown;
}

/* Takes one of our own options; val is the list behind o->val. */
static void own_option(struct tool *t, struct trainer_options *o,
                       const char ***val, int c)
{
    switch (c) {
    case OPT_DRY_RUN:
        o->dry_run = true;
        break;
    case OPT_EXTEND:
        o->extend = true;
        break;
    case OPT_MAX_STEPS:
        o->max_steps = (uint64_t)tool_int("--max-steps", optarg, 1, INT64_MAX);
        break;
    case OPT_MAX_TIME:
        o->stop.deadline_s = stop_clock() + parse_time(optarg);
        break;
    case OPT_OVERFIT:
        o->overfit =
            (uint64_t)tool_int("--overfit-batches", optarg, 1, 1000000);
        break;
    case OPT_RESUME:
        o->resume = true;
        break;
    case OPT_VAL:
        add_val(o, val, optarg);
        break;
    default:
        tool_option(t, c);
    }
}

/* A line of the trainer. */
static void say(void *ctx, enum trainer_line what, const char *line)
{
    struct tool *t = ctx;

    if (what == TRAINER_PROGRESS) {
        tool_progress_line(t, "%s", line);
        return;
    }
    if (what == TRAINER_STEP && tool_progress(t))
        return;
    tool_progress_end(t);
    if (what == TRAINER_WARNING)
        tool_warn(t, "%s", line);
    else if (!t->quiet)
        tool_say(t, "%s", line);
}

/* A validation recording that cannot be used: -k decides. */
static int bad(void *ctx, const struct err *why)
{
    tool_bad(ctx, why);
    return 0;
}

/*
 * Without -c a resumed run goes on with its own config. Must come before
 * tool_config(); the run folder is then known from -o alone.
 */
static void find_config(struct tool *t, const struct trainer_options *o)
{
    static struct buf path; /* as long as the program */
    struct err err;

    if (t->config_path || !o->resume || !t->output_path)
        return;
    buf_printf(&path, "%s/config.yml", t->output_path);
    if (buf_check(&path, &err))
        die(&err);
    if (access(path.data, R_OK) == 0)
        t->config_path = path.data;
}

/* Settles what the options leave open. */
static void settle(struct tool *t, struct trainer_options *o)
{
    find_config(t, o);
    tool_config(t);
    o->conf = &t->config;
    o->run =
        t->output_path ? t->output_path : t->config.checkpoint.checkpoint_dir;
    if (!o->run || !*o->run || strcmp(o->run, "-") == 0)
        tool_usage_error("no run folder: give -o RUN or "
                         "checkpoint.checkpoint_dir");
    if (o->extend && !o->resume)
        tool_usage_error("--extend-schedule goes with --resume");
    o->spool = getenv("TMPDIR");
    if (o->spool && !*o->spool)
        o->spool = NULL;
    /* data.num_workers is for the feature stages: here processors count */
    o->n_threads = t->n_jobs ? (int)t->n_jobs : omp_get_max_threads();
}

/* Exits as a run that was stopped between two steps does. */
static void exit_stopped(struct tool *t, const struct trainer_options *o,
                         const struct trainer_result *r)
{
    int number = stop_signal(&o->stop);

    tool_progress_end(t);
    tool_say(t, "stopped by %s after step %" PRIu64 "; --resume goes on",
             number == SIGINT    ? "SIGINT"
             : number == SIGTERM ? "SIGTERM"
             : number == SIGUSR1 ? "SIGUSR1"
                                 : "--max-time",
             r->step);
    exit(number == SIGINT ? 128 + SIGINT : ERR_AGAIN);
}

/* Trains on the one input. */
static void run(struct tool *t, const struct trainer_options *o)
{
    struct trainer_result result;
    struct err err;

    tool_next(t, NULL);
    if (trainer_run(o, &t->in, &result, &err))
        die(&err);
    if (result.end == TRAINER_STOPPED)
        exit_stopped(t, o, &result);
    if (result.best && !o->dry_run)
        fprintf(t->text, "%s\n", result.best);
    free(result.best);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        TOOL_LONG,
        {"dry-run", no_argument, NULL, OPT_DRY_RUN},
        {"extend-schedule", no_argument, NULL, OPT_EXTEND},
        {"max-steps", required_argument, NULL, OPT_MAX_STEPS},
        {"max-time", required_argument, NULL, OPT_MAX_TIME},
        {"overfit-batches", required_argument, NULL, OPT_OVERFIT},
        {"resume", no_argument, NULL, OPT_RESUME},
        {"val", required_argument, NULL, OPT_VAL},
        {0}};
    struct trainer_options o = {.say = say, .bad = bad};
    const char **val = NULL;
    struct tool tool;
    int c;

    tool_init(&tool, argc, argv, usage, TOOL_TEXT);
    tool.output_is_folder = true;
    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, NULL)) != -1)
        own_option(&tool, &o, &val, c);
    if (argc - optind > 1)
        tool_usage_error("one batch stream at a time, got %d", argc - optind);
    settle(&tool, &o);
    tool_open(&tool, argc - optind, argv + optind);
    o.stop.signal = &stop_signal_number;
    o.version = tool_version();
    o.ctx = &tool;
    catch_signals();
    run(&tool, &o);
    tool_finish(&tool);
    tool_release(&tool);
    free(val);
    return 0;
}
