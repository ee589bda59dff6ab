/*
 * a2b-synth - write a dataset with a planted audio-to-EDA relation.
 *
 * In:  options; with --songs, a folder of sound files.
 * Out: a new folder in the layout of PMEmo2019 or HKU956, and planted.json
 *      in it: what a perfect model would reach on each recording.
 */
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "dataset/dataset.h"
#include "dataset/synth.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: a2b-synth [-hqvV] [--null] [-c config] [--clip-s s] [-j n]\n"
    "                 [-k n] [--layout name] [--links uri] [--max-s s]\n"
    "                 [--min-s s] [--n-pool n] [--n-songs n]\n"
    "                 [--n-subjects n] [--noise-sd x] -o folder\n"
    "                 [--preroll-s s] [--rate-hz n] [--seed n]\n"
    "                 [--songs folder] [--tonic-sd x]\n"
    "      --clip-s S         length of a clip of --songs [30, 2..3600 s]\n"
    "      --layout NAME      dataset to imitate: hku956 or pmemo2019\n"
    "                         [pmemo2019]\n"
    "      --links URI        where the links of hku956 say the dataset is,\n"
    "                         http(s):// or s3:// [links are relative]\n"
    "      --max-s S          longest own song [45, 2..3600 s]\n"
    "      --min-s S          shortest own song [30, 2..3600 s]\n"
    "      --n-pool N         subjects altogether [5 x n-subjects]\n"
    "      --n-songs N        own songs [60, 1..100000]\n"
    "      --n-subjects N     listeners of each song [4, 1..1000]\n"
    "      --noise-sd X       sensor noise [0.02, 0..10 uS]\n"
    "      --null             let the EDA follow another song\n"
    "      --preroll-s S      history the EDA has heard [0, 0..600 s]\n"
    "      --rate-hz N        sampling rate of own songs\n"
    "                         [16000, 8000..192000 Hz]\n"
    "      --seed N           of all random numbers [42, 0..2^63-1]\n"
    "      --songs FOLDER     cut the sound files of a folder into clips\n"
    "      --tonic-sd X       slow drift: the difficulty [0.15, 0..10 uS]\n";

/* Long options without a letter. */
enum option_id {
    OPT_CLIP_S = TOOL_OPT_OWN, /* --clip-s */
    OPT_LAYOUT,                /* --layout */
    OPT_LINKS,                 /* --links */
    OPT_MAX_S,                 /* --max-s */
    OPT_MIN_S,                 /* --min-s */
    OPT_N_POOL,                /* --n-pool */
    OPT_N_SONGS,               /* --n-songs */
    OPT_N_SUBJECTS,            /* --n-subjects */
    OPT_NOISE_SD,              /* --noise-sd */
    OPT_NULL,                  /* --null */
    OPT_PREROLL_S,             /* --preroll-s */
    OPT_RATE_HZ,               /* --rate-hz */
    OPT_SEED,                  /* --seed */
    OPT_SONGS,                 /* --songs */
    OPT_TONIC_SD               /* --tonic-sd */
};

/* All long options. */
static const struct option longs[] = {
    TOOL_LONG,
    {"clip-s", required_argument, NULL, OPT_CLIP_S},
    {"layout", required_argument, NULL, OPT_LAYOUT},
    {"links", required_argument, NULL, OPT_LINKS},
    {"max-s", required_argument, NULL, OPT_MAX_S},
    {"min-s", required_argument, NULL, OPT_MIN_S},
    {"n-pool", required_argument, NULL, OPT_N_POOL},
    {"n-songs", required_argument, NULL, OPT_N_SONGS},
    {"n-subjects", required_argument, NULL, OPT_N_SUBJECTS},
    {"noise-sd", required_argument, NULL, OPT_NOISE_SD},
    {"null", no_argument, NULL, OPT_NULL},
    {"preroll-s", required_argument, NULL, OPT_PREROLL_S},
    {"rate-hz", required_argument, NULL, OPT_RATE_HZ},
    {"seed", required_argument, NULL, OPT_SEED},
    {"songs", required_argument, NULL, OPT_SONGS},
    {"tonic-sd", required_argument, NULL, OPT_TONIC_SD},
    {0}};

/* The signal that came, 0: none. */
static volatile sig_atomic_t stopped;

/* Notes a signal; the work ends after the song it is at. */
static void on_signal(int number)
{
    stopped = number;
}

/* Lets signals end the work in good order, so that it cleans up. */
static void catch_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    sigaction(SIGHUP, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

/* The layout of a name. */
static enum dataset_kind layout(const char *name)
{
    static const char *const layouts[] = {"hku956", "pmemo2019", NULL};

    return dataset_kind_of(layouts[tool_word("--layout", name, layouts)]);
}

/* What links may begin with: a link in a dataset names no other place. */
static const char *links(const char *uri)
{
    if (strncasecmp(uri, "http://", 7) && strncasecmp(uri, "https://", 8) &&
        strncasecmp(uri, "s3://", 5))
        tool_usage_error("--links: want http://, https:// or s3://, got "
                         "\"%s\"", uri);
    return uri;
}

/* A whole number that fits a size. */
static size_t count(const char *name, int64_t min, int64_t max)
{
    return (size_t)tool_int(name, optarg, min, max);
}

/* Takes one of our own options. */
static void own_option(struct tool *tool, struct synth_conf *conf, int c)
{
    switch (c) {
    case OPT_CLIP_S:
        conf->clip_s = tool_num("--clip-s", optarg, 2, 3600);
        break;
    case OPT_LAYOUT:
        conf->layout = layout(optarg);
        break;
    case OPT_LINKS:
        conf->links = links(optarg);
        break;
    case OPT_MAX_S:
        conf->max_s = tool_num("--max-s", optarg, 2, 3600);
        break;
    case OPT_MIN_S:
        conf->min_s = tool_num("--min-s", optarg, 2, 3600);
        break;
    case OPT_N_POOL:
        conf->n_pool = count("--n-pool", 1, 100000);
        break;
    case OPT_N_SONGS:
        conf->n_songs = count("--n-songs", 1, 100000);
        break;
    case OPT_N_SUBJECTS:
        conf->n_subjects = count("--n-subjects", 1, 1000);
        break;
    case OPT_NOISE_SD:
        conf->noise_sd = tool_num("--noise-sd", optarg, 0, 10);
        break;
    case OPT_NULL:
        conf->null_mode = true;
        break;
    case OPT_PREROLL_S:
        conf->preroll_s = (uint32_t)count("--preroll-s", 0, 600);
        break;
    case OPT_RATE_HZ:
        conf->rate_hz = (uint32_t)count("--rate-hz", 8000, 192000);
        break;
    case OPT_SEED:
        conf->seed = (uint64_t)tool_int("--seed", optarg, 0, INT64_MAX);
        break;
    case OPT_SONGS:
        conf->songs_dir = optarg;
        break;
    case OPT_TONIC_SD:
        conf->tonic_sd = tool_num("--tonic-sd", optarg, 0, 10);
        break;
    default:
        tool_option(tool, c);
    }
}

/* Says what was left out and, with -v, what was made. */
static void report(struct tool *tool, const struct synth_result *made)
{
    size_t i;

    for (i = 0; i < made->n_failed; i++)
        tool_bad(tool, &made->failed[i]);
    if (made->n_short)
        tool_say(tool, "%zu sound files shorter than one clip left out",
                 made->n_short);
    if (made->n_songs)
        tool_note(tool,
                  "%zu songs, %zu recordings; optimum: mean %.3f, "
                  "p10 %.3f",
                  made->n_songs, made->n_recordings, made->mean, made->p10);
}

int main(int argc, char **argv)
{
    struct synth_conf conf = SYNTH_CONF_INIT;
    struct synth_result made = {0};
    struct tool tool;
    struct err err;
    int c, failed;

    tool_init(&tool, argc, argv, usage, TOOL_TEXT);
    while ((c = getopt_long(argc, argv, TOOL_SHORT, longs, NULL)) != -1)
        own_option(&tool, &conf, c);
    tool_config(&tool);
    tool.output_is_folder = true;
    if (optind < argc)
        tool_usage_error("unexpected operand %s", argv[optind]);
    if (!tool.output_path || strcmp(tool.output_path, "-") == 0)
        tool_usage_error("no -o: want the folder to write");
    tool_open(&tool, 0, NULL);
    catch_signals();
    conf.stop = &stopped;
    conf.n_jobs = tool_jobs(&tool);
    conf.keep_going = tool.keep_going;
    failed = synth_write(&conf, tool.output_path, &made, &err);
    if (failed && stopped) {
        signal(stopped, SIG_DFL);
        raise(stopped);
    }
    report(&tool, &made);
    if (failed)
        die(&err);
    tool_finish(&tool);
    synth_result_release(&made);
    tool_release(&tool);
    return 0;
}
