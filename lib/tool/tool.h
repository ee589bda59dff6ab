/*
 * tool - what every main() shares: options, opening, errors, finishing.
 *
 * A program is of one sort by what it writes: frames (its stdout ends with
 * an end frame, also when it fails), manifest lines, text, or raw bytes.
 */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/config.h"
#include "core/stream.h"

/* What standard output carries. */
enum tool_output {
    TOOL_TEXT,     /* lines for people or programs */
    TOOL_FRAMES,   /* a stream */
    TOOL_MANIFEST, /* JSON Lines, a failing run ends with an error line */
    TOOL_BYTES     /* the bytes of files as they are */
};

/* Values of long options without a letter begin here. */
enum tool_option_id {
    TOOL_OPT_SET = 1000, /* --set */
    TOOL_OPT_PROGRESS,   /* --progress */
    TOOL_OPT_PRINT_CONFIG, /* --print-config */
    TOOL_OPT_FEATURE,    /* features options of the table: see tool_features */
    TOOL_OPT_OWN = 2000  /* a tool's own options */
};

/* The letters and long options all programs have. */
#define TOOL_SHORT "c:hj:k:o:qvV"
#define TOOL_LONG \
    {"config", required_argument, NULL, 'c'}, \
    {"help", no_argument, NULL, 'h'}, \
    {"jobs", required_argument, NULL, 'j'}, \
    {"keep-going", required_argument, NULL, 'k'}, \
    {"output", required_argument, NULL, 'o'}, \
    {"quiet", no_argument, NULL, 'q'}, \
    {"verbose", no_argument, NULL, 'v'}, \
    {"version", no_argument, NULL, 'V'}, \
    {"set", required_argument, NULL, TOOL_OPT_SET}, \
    {"progress", required_argument, NULL, TOOL_OPT_PROGRESS}, \
    {"print-config", no_argument, NULL, TOOL_OPT_PRINT_CONFIG}

/* One run of a program. */
struct tool {
    const char *name;         /* "a2b-mfcc" */
    const char *usage;        /* the tool's own usage text */
    enum tool_output output;  /* what stdout carries */
    int argc;                 /* of main */
    char **argv;              /* of main */
    const char *config_path;  /* -c, NULL: none */
    const char **sets;        /* n_sets assignments of --set, in order, owned */
    size_t n_sets;            /* --set given */
    const char **features;    /* n_features assignments of options, owned */
    size_t n_features;        /* feature options given */
    const char *output_path;  /* -o, NULL or "-": stdout */
    bool output_is_folder;    /* the tool itself makes what -o names */
    int64_t n_jobs;           /* -j: total threads; 0: not given */
    uint64_t keep_going;      /* -k: bad items allowed */
    uint64_t n_failed;        /* bad items so far */
    bool quiet;               /* -q */
    int verbose;              /* -v, counted */
    int progress;             /* -1 auto, 0 never, 1 always */
    bool print_config;        /* --print-config */
    bool has_config;          /* config below is loaded */
    struct config config;     /* settled by tool_config() */
    char **operands;          /* what is left of argv */
    size_t n_operands;        /* how many */
    size_t next_operand;      /* next one tool_read() opens */
    struct stream_in in;      /* current input */
    bool in_open;             /* in is open */
    bool out_open;            /* out or text is open */
    struct stream_out out;    /* output, for TOOL_FRAMES */
    FILE *text;               /* output, for all other sorts */
    char *text_temp;          /* its name while writing -o, owned */
    uint64_t n_failed_before; /* bad items that programs before us left out */
    struct prov prov;         /* collected from all inputs */
    struct buf settings;      /* members of our provenance entry, JSON */
};

/*
 * Starts a program: name, closed standard descriptors, SIGPIPE.
 *
 * usage: first line is the SYNOPSIS, then one line per option
 */
void tool_init(struct tool *t, int argc, char **argv, const char *usage,
               enum tool_output output);

/*
 * Handles an option every program has, or dies with a usage error for '?'
 * and ':'. -h and -V print and exit.
 */
void tool_option(struct tool *t, int c);

/*
 * The tool's long options plus one for every feature key of the table in
 * one half ("--n-mels N"), as getopt_long() wants them. They come back as
 * TOOL_OPT_FEATURE with the index into the result; tool_feature() takes it.
 * Lives as long as the program.
 */
const struct option *tool_features(const struct option *own,
                                   enum config_half half);

/*
 * Records the feature option getopt_long() met at this index; it wins over
 * every --set.
 */
void tool_feature(struct tool *t, int index, const char *value);

/*
 * Loads, sets and settles t->config, prints its warnings, obeys
 * --print-config. Dies on errors.
 */
void tool_config(struct tool *t);

/*
 * Takes the operands after the options and opens the output: t->out for
 * frames, t->text for the rest, on stdout or beside -o (to stdout with
 * output_is_folder). Refuses a terminal where the output is binary.
 */
void tool_open(struct tool *t, int n, char **operands);

/*
 * The next input: an operand in order, or standard input if there are none.
 *
 * Returns 1 with t->in open, 0 when there are no more. Dies on errors; the
 * previous input's provenance was merged and it was closed. is_stream tells
 * a stream from any other file (NULL: anything else is an error, 65).
 */
int tool_next(struct tool *t, bool *is_stream);

/*
 * The next frame over all inputs, which must be streams. 1 or 0; dies.
 */
int tool_read(struct tool *t, struct frame *f);

/*
 * Closes the current input and adds up what it leaves behind: t->prov and
 * t->n_failed_before are whole afterwards. tool_finish() does it too.
 */
void tool_finish_input(struct tool *t);

/* Writes a frame to the output. Dies on errors, raises SIGPIPE on EPIPE. */
void tool_write(struct tool *t, const struct frame *f);

/*
 * A bad item: names it on stderr and counts it, or dies with its own status
 * when -k allows no more.
 */
void tool_bad(struct tool *t, const struct err *err);

/* Notes a setting (a JSON value) for our provenance entry. */
void tool_setting(struct tool *t, const char *key, const char *json);

/* Notes a text setting. */
void tool_setting_text(struct tool *t, const char *key, const char *text);

/*
 * From here on SIGTERM, SIGINT and SIGHUP remove this file before the program
 * dies of them: for what is written aside. Two at a time, -o included.
 */
void tool_guard(const char *path);

/* The file has its final name, or is gone. */
void tool_unguard(const char *path);

/* A warning on stderr, unless -q. */
void tool_warn(const struct tool *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A line on stderr that is always said (what was left out), even with -q. */
void tool_say(const struct tool *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A line on stderr with -v only. */
void tool_note(const struct tool *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Threads to use: -j, else data.num_workers, capped by the processors. */
int tool_jobs(const struct tool *t);

/* Whether to draw progress on stderr. */
bool tool_progress(const struct tool *t);

/* Redraws the one progress line (at most 5 times a second), or ends it. */
void tool_progress_line(struct tool *t, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
void tool_progress_end(struct tool *t);

/*
 * Whole-number option argument in [min, max]; dies with name and range.
 */
int64_t tool_int(const char *name, const char *text, int64_t min,
                 int64_t max);

/* Number option argument in [min, max]; dies with name and range. */
double tool_num(const char *name, const char *text, double min, double max);

/* A word out of words (NULL-terminated); its index. Dies naming them. */
int tool_word(const char *name, const char *text, const char *const *words);

/* Dies with a usage error (2). */
void tool_usage_error(const char *fmt, ...) PRINTF_LIKE(1, 2)
    __attribute__((noreturn));

/*
 * Ends well: end frame with provenance and failed count, flush, checks,
 * rename of -o. For text programs closes and checks stdout.
 */
void tool_finish(struct tool *t);

/*
 * Calls fn before the program dies: of an error, a closed pipe, or SIGINT,
 * SIGTERM, SIGHUP. It may be called in a signal handler, so it does only
 * what is allowed there. The way out through tool_finish() does not call it.
 */
void tool_at_death(void (*fn)(void));

/* Frees the config and lists. */
void tool_release(struct tool *t);

/*
 * Prints "a2b-x: text" and exits with err's status; a stream on stdout is
 * ended with status error first, a manifest with its error line.
 */
void die(const struct err *err) __attribute__((noreturn));

/* The version: "0.1.0". */
const char *tool_version(void);

#endif
