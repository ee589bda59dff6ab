/*
 * tool - what every main() shares.
 *
 * The one place that prints and exits. A pointer to the running program's
 * struct tool is the only global: die() and the signal handler need it.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/json.h"

#ifndef A2B_VERSION
#error "the Makefile defines A2B_VERSION"
#endif

/* The program that runs. */
static struct tool *current;
/* Unfinished output files at one time: -o and one beside it. */
#define MAX_UNFINISHED 2
/* Their names, for the signal handler. */
static char unfinished[MAX_UNFINISHED][4096];
/* Which of them are there. */
static volatile sig_atomic_t is_unfinished[MAX_UNFINISHED];
/* Called before we die; NULL: nothing. */
static void (*at_death)(void);
/* Feature options of the table, for -h; NULL: none. */
static struct option *feature_options;
/* Paths of those options, parallel to the end of feature_options. */
static const char **feature_paths;
/* How many options the tool itself has before them. */
static size_t n_own_options;

/* Options every program has, appended to -h. */
static const char common_usage[] =
    "  -c, --config FILE      read an experiment's YAML file\n"
    "      --set KEY=VALUE    change one key of it; may be repeated\n"
    "      --print-config     print the resolved config and exit\n"
    "  -j, --jobs N           total threads [data.num_workers, at most the\n"
    "                         processors]\n"
    "  -k, --keep-going N     leave out up to N bad items [0]\n"
    "  -o, --output PATH      write there, aside and renamed [stdout]\n"
    "      --progress WHEN    auto, always or never [auto]\n"
    "  -q, --quiet            no warnings\n"
    "  -v, --verbose          say more; may be repeated\n"
    "  -V, --version          print the version and exit\n"
    "  -h, --help             print this and exit\n";

const char *tool_version(void)
{
    return A2B_VERSION;
}

/* ---- messages ---- */

/* Prints "name: text" in one write, so that lines of a pipe do not mix. */
static void say(const char *prefix, const char *fmt, va_list ap)
{
    struct err clean;
    char raw[sizeof clean.text];
    struct buf line = {0};

    vsnprintf(raw, sizeof raw, fmt, ap);
    err_set(&clean, ERR_FAILED, "%s", raw);
    buf_printf(&line, "%s: %s%s\n", current->name, prefix, clean.text);
    if (!line.failed && write(STDERR_FILENO, line.data, line.len) < 0)
        errno = 0; /* nowhere is left to complain */
    buf_release(&line);
}

void tool_warn(const struct tool *t, const char *fmt, ...)
{
    va_list ap;

    if (t->quiet)
        return;
    va_start(ap, fmt);
    say("warning: ", fmt, ap);
    va_end(ap);
}

void tool_say(const struct tool *t, const char *fmt, ...)
{
    va_list ap;

    (void)t;
    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
}

void tool_note(const struct tool *t, const char *fmt, ...)
{
    va_list ap;

    if (!t->verbose)
        return;
    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
}

/* ---- ending ---- */

/* Ends the program the way a closed pipe ends programs: quietly, 141. */
static void die_of_pipe(void)
{
    if (at_death)
        at_death();
    stream_discard(&current->out);
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
}

/* Whether -o is among the arguments, parsed already or not. */
static bool wants_file(const struct tool *t)
{
    int i;

    for (i = 1; i < t->argc && strcmp(t->argv[i], "--"); i++) {
        if (!strncmp(t->argv[i], "--o", 3) || !strncmp(t->argv[i], "-o", 2))
            return true;
    }
    return t->output_path != NULL;
}

/* Closes and removes what was written beside -o. */
static void drop_text(struct tool *t)
{
    if (t->text && t->text != stdout)
        fclose(t->text);
    if (t->text_temp)
        unlink(t->text_temp);
    t->text = NULL;
}

/* Tells the next program of the pipe that we failed. */
static void fail_output(struct tool *t, enum err_status status,
                        const char *message)
{
    struct buf line = {0};
    struct err ignored;

    if (t->output == TOOL_FRAMES) {
        if (!t->out_open && !wants_file(t) && !isatty(STDOUT_FILENO) &&
            !stream_create(&t->out, NULL, &ignored))
            t->out_open = true;
        if (t->out_open)
            stream_fail(&t->out, status, message);
    } else if (t->output == TOOL_MANIFEST && !wants_file(t)) {
        buf_printf(&line, "{\"a2b.status\":\"error\",\"a2b.exit\":%d,"
                   "\"a2b.message\":", (int)status);
        json_put_text(&line, message);
        buf_puts(&line, "}\n");
        fputs(buf_text(&line), stdout);
        fflush(stdout);
        buf_release(&line);
    }
    drop_text(t);
}

void die(const struct err *err)
{
    static struct buf message;

    if (current->out.broken)
        die_of_pipe();
    if (!err->upstream)
        buf_printf(&message, "%s: ", current->name);
    buf_puts(&message, err->text);
    tool_progress_end(current);
    tool_say(current, "%s", err->text);
    fail_output(current, err->status, buf_text(&message));
    if (at_death)
        at_death();
    /* not exit(): its handlers tear libraries down under our threads */
    _exit((int)err->status);
}

void tool_usage_error(const char *fmt, ...)
{
    struct err err;
    char raw[sizeof err.text];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    err_set(&err, ERR_USAGE, "%s (try %s --help)", raw, current->name);
    die(&err);
}

/* Removes unfinished outputs and dies of the signal. */
static void on_signal(int number)
{
    int i;

    for (i = 0; i < MAX_UNFINISHED; i++) {
        if (is_unfinished[i])
            unlink(unfinished[i]);
    }
    if (at_death)
        at_death();
    signal(number, SIG_DFL);
    raise(number);
}

/* From here on signals come to on_signal(). */
static void catch_signals(void)
{
    struct sigaction act = {0};

    act.sa_handler = on_signal;
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
}

void tool_guard(const char *path)
{
    int i;

    for (i = 0; i < MAX_UNFINISHED && is_unfinished[i];)
        i++;
    if (i == MAX_UNFINISHED || strlen(path) >= sizeof unfinished[i])
        return;
    strcpy(unfinished[i], path);
    is_unfinished[i] = 1;
    catch_signals();
}

void tool_at_death(void (*fn)(void))
{
    at_death = fn;
    catch_signals();
}

void tool_unguard(const char *path)
{
    int i;

    for (i = 0; i < MAX_UNFINISHED; i++) {
        if (is_unfinished[i] && !strcmp(unfinished[i], path))
            is_unfinished[i] = 0;
    }
}

/* ---- starting ---- */

void tool_init(struct tool *t, int argc, char **argv, const char *usage,
               enum tool_output output)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    int fd;

    *t = (struct tool){.usage = usage, .output = output, .argc = argc,
                       .argv = argv, .progress = -1};
    t->name = slash ? slash + 1 : argc > 0 ? argv[0] : "a2b";
    current = t;
    /*
     * A closed descriptor would be taken by the first file we open. What
     * takes its place is open the wrong way round, so that using it fails.
     */
    for (fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            exit(ERR_IO);
    }
    /* A binary writer notices EPIPE itself; text writers just die of it. */
    if (output == TOOL_FRAMES || output == TOOL_BYTES)
        signal(SIGPIPE, SIG_IGN);
    opterr = 0;
}

/* Prints the feature options of the table. */
static void help_features(void)
{
    size_t i, j;

    if (!feature_options)
        return;
    puts("Features (see a2b-config(5)):");
    for (i = 0; feature_options[n_own_options + i].name; i++) {
        for (j = 0; j < config_n_keys(); j++) {
            struct config_key key = config_key_at(j);

            if (strcmp(key.path, feature_paths[i]))
                continue;
            printf("      --%s VALUE\n          %s [%s; %s]\n",
                   feature_options[n_own_options + i].name, key.doc,
                   key.initial, key.values);
        }
    }
}

/* -h: the tool's usage, its feature options, the common ones. */
static void help(const struct tool *t)
{
    fputs(t->usage, stdout);
    fputs(common_usage, stdout);
    help_features();
    if (fflush(stdout) || ferror(stdout))
        exit(ERR_IO);
    exit(0);
}

/* An option getopt_long() did not take. */
static void bad_option(const struct tool *t)
{
    const char *word = t->argv[optind > 0 ? optind - 1 : 0];

    if (optopt >= TOOL_OPT_SET ||
        (optopt > 0 && strchr(TOOL_SHORT, optopt)) ||
        (optopt > 0 && !strncmp(word, "--", 2)))
        tool_usage_error("option %s wants an argument", word);
    if (optopt > 0)
        tool_usage_error("unknown option -%c", optopt);
    tool_usage_error("unknown option %s", word);
}

/* Appends an assignment to a list. */
static void add_assignment(const char ***list, size_t *n,
                           const char *assignment)
{
    const char **grown = realloc(*list, (*n + 1) * sizeof *grown);
    struct err err;

    if (!grown) {
        err_set(&err, ERR_FAILED, "out of memory for options");
        die(&err);
    }
    *list = grown;
    (*list)[(*n)++] = assignment;
}

void tool_option(struct tool *t, int c)
{
    static const char *const when[] = {"auto", "never", "always", NULL};

    switch (c) {
    case 'c':
        t->config_path = optarg;
        break;
    case 'h':
        help(t);
        break;
    case 'j':
        t->n_jobs = tool_int("-j", optarg, 1, 4096);
        break;
    case 'k':
        t->keep_going = (uint64_t)tool_int("-k", optarg, 0, INT64_MAX);
        break;
    case 'o':
        t->output_path = optarg;
        break;
    case 'q':
        t->quiet = true;
        break;
    case 'v':
        t->verbose++;
        break;
    case 'V':
        printf("%s (a2b) %s\n", t->name, A2B_VERSION);
        exit(fflush(stdout) || ferror(stdout) ? ERR_IO : 0);
    case TOOL_OPT_SET:
        add_assignment(&t->sets, &t->n_sets, optarg);
        break;
    case TOOL_OPT_PROGRESS:
        t->progress = tool_word("--progress", optarg, when);
        t->progress = t->progress == 0 ? -1 : t->progress == 1 ? 0 : 1;
        break;
    case TOOL_OPT_PRINT_CONFIG:
        t->print_config = true;
        break;
    default:
        bad_option(t);
    }
}

/* The option a key of the table goes by in one half; NULL: not in it. */
static char *option_name(const char *path, enum config_half half)
{
    static const char *const audio[] = {"features.audio_", NULL};
    static const char *const eda[] = {"features.eda_", NULL};
    const char *const *p = half == CONFIG_AUDIO_HALF ? audio : eda;
    struct err err;
    char *name = NULL, *s;

    for (; *p && !name; p++) {
        if (!strncmp(path, *p, strlen(*p)))
            name = mem_string(path + strlen(*p), &err);
    }
    if (half == CONFIG_AUDIO_HALF && !strcmp(path, "features.preset"))
        name = mem_string("preset", &err);
    if (half == CONFIG_EDA_HALF && !strncmp(path, "features.filter_", 16))
        name = mem_string(path + strlen("features."), &err);
    for (s = name; s && *s; s++) {
        if (*s == '_')
            *s = '-';
    }
    return name;
}

const struct option *tool_features(const struct option *own,
                                   enum config_half half)
{
    size_t n_keys = config_n_keys(), n = 0, i;
    struct err err;
    char *name;

    for (n_own_options = 0; own[n_own_options].name;)
        n_own_options++;
    feature_options = mem_alloc(n_own_options + n_keys + 1,
                                sizeof *feature_options, &err);
    feature_paths = mem_alloc(n_keys + 1, sizeof *feature_paths, &err);
    if (!feature_options || !feature_paths)
        die(&err);
    memcpy(feature_options, own, n_own_options * sizeof *own);
    for (i = 0; i < n_keys; i++) {
        name = option_name(config_key_at(i).path, half);
        if (!name)
            continue;
        feature_paths[n] = config_key_at(i).path;
        feature_options[n_own_options + n++] = (struct option){
            name, required_argument, NULL, TOOL_OPT_FEATURE};
    }
    return feature_options;
}

void tool_feature(struct tool *t, int index, const char *value)
{
    struct buf text = {0};
    struct err err;

    buf_printf(&text, "%s=%s", feature_paths[(size_t)index - n_own_options],
               value);
    if (buf_check(&text, &err))
        die(&err);
    add_assignment(&t->features, &t->n_features, text.data);
}

void tool_config(struct tool *t)
{
    struct buf notes = {0}, yaml = {0};
    struct err err;
    char *line, *end;
    size_t i;

    if (config_init(&t->config, &err) ||
        (t->config_path && config_load(&t->config, t->config_path, &err)))
        die(&err);
    for (i = 0; i < t->n_sets + t->n_features; i++) {
        if (config_set(&t->config, i < t->n_sets ? t->sets[i]
                                     : t->features[i - t->n_sets], &err))
            die(&err);
    }
    if (config_settle(&t->config, &notes, &err))
        die(&err);
    t->has_config = true;
    for (line = notes.data; line && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        tool_warn(t, "%s", line);
    }
    buf_release(&notes);
    if (!t->print_config)
        return;
    config_put_yaml(&t->config, &yaml);
    if (buf_check(&yaml, &err))
        die(&err);
    fputs(buf_text(&yaml), stdout);
    exit(fflush(stdout) || ferror(stdout) ? ERR_IO : 0);
}

/* Opens t->text: stdout, or a temporary beside -o. */
static void open_text(struct tool *t, bool to_file)
{
    struct buf temp = {0};
    struct err err;

    t->text = stdout;
    if (!to_file)
        return;
    buf_printf(&temp, "%s.tmp.%ld", t->output_path, (long)getpid());
    if (buf_check(&temp, &err))
        die(&err);
    t->text_temp = temp.data;
    t->text = fopen(t->text_temp, "w");
    if (!t->text) {
        err_errno(&err, "%s", t->output_path);
        t->text_temp = NULL;
        die(&err);
    }
    tool_guard(t->text_temp);
}

void tool_open(struct tool *t, int n, char **operands)
{
    bool to_file = t->output_path && strcmp(t->output_path, "-") &&
                   !t->output_is_folder;
    bool binary = t->output == TOOL_FRAMES || t->output == TOOL_BYTES;
    struct err err;

    t->operands = operands;
    t->n_operands = (size_t)n;
    if (binary && !to_file && !t->output_is_folder && isatty(STDOUT_FILENO))
        tool_usage_error("binary output to a terminal: use -o FILE or "
                         "| a2b-info");
    if (t->output != TOOL_FRAMES) {
        open_text(t, to_file);
    } else if (!t->output_is_folder) {
        if (stream_create(&t->out, to_file ? t->output_path : NULL, &err))
            die(&err);
        if (t->out.temp)
            tool_guard(t->out.temp);
    }
    t->out_open = true;
}

/* ---- inputs ---- */

void tool_finish_input(struct tool *t)
{
    struct err err;

    if (!t->in_open)
        return;
    if (prov_join(&t->prov, &t->in.prov, &err))
        die(&err);
    t->n_failed_before += t->in.n_failed;
    stream_close(&t->in);
    t->in_open = false;
}

/* Applies the environment's limit on frames. */
static void limit_frames(struct stream_in *in)
{
    const char *text = getenv("A2B_MAX_FRAME");
    int64_t limit;

    if (!text)
        return;
    if (num_parse_size(text, &limit) || limit < 1)
        tool_usage_error("A2B_MAX_FRAME: want a size, got \"%s\"", text);
    in->max_frame = (uint64_t)limit;
}

int tool_next(struct tool *t, bool *is_stream)
{
    struct stream_in next;
    const char *path;
    struct err err;
    int got;

    if (t->next_operand > (t->n_operands ? t->n_operands - 1 : 0)) {
        tool_finish_input(t);
        return 0;
    }
    path = t->n_operands ? t->operands[t->next_operand] : "-";
    t->next_operand++;
    if (!strcmp(path, "-") && isatty(STDIN_FILENO))
        tool_usage_error("standard input is a terminal: give a file or a "
                         "pipe");
    if (stream_open(&next, path, &err))
        die(&err);
    if (t->in_open)
        stream_keep_keys(&next, &t->in);
    tool_finish_input(t);
    t->in = next;
    t->in_open = true;
    limit_frames(&t->in);
    if (is_stream) {
        got = stream_is_stream(&t->in, &err);
        if (got < 0)
            die(&err);
        *is_stream = got;
    }
    return 1;
}

int tool_read(struct tool *t, struct frame *f)
{
    struct err err;
    int got;

    for (;;) {
        if (!t->in_open && !tool_next(t, NULL))
            return 0;
        got = stream_read(&t->in, f, &err);
        if (got < 0)
            die(&err);
        if (got > 0)
            return 1;
        if (!tool_next(t, NULL))
            return 0;
    }
}

void tool_write(struct tool *t, const struct frame *f)
{
    struct err err;

    if (stream_write(&t->out, f, &err))
        die(&err);
}

void tool_bad(struct tool *t, const struct err *err)
{
    if (t->n_failed >= t->keep_going)
        die(err);
    t->n_failed++;
    tool_progress_end(t);
    tool_say(t, "left out: %s", err->text);
}

void tool_setting(struct tool *t, const char *key, const char *json)
{
    if (t->settings.len)
        buf_puts(&t->settings, ",");
    json_put_text(&t->settings, key);
    buf_printf(&t->settings, ":%s", json);
}

void tool_setting_text(struct tool *t, const char *key, const char *text)
{
    struct buf json = {0};

    json_put_text(&json, text);
    tool_setting(t, key, buf_text(&json));
    buf_release(&json);
}

/* ---- threads, progress ---- */

int tool_jobs(const struct tool *t)
{
    int64_t wanted = t->has_config ? t->config.data.num_workers : 1;
    cpu_set_t set;
    int n = 1;

    if (t->n_jobs)
        return (int)t->n_jobs;
    if (!sched_getaffinity(0, sizeof set, &set))
        n = CPU_COUNT(&set);
    if (wanted < 1)
        wanted = 1;
    return wanted < n ? (int)wanted : n;
}

bool tool_progress(const struct tool *t)
{
    if (t->progress >= 0)
        return t->progress > 0;
    return !t->quiet && isatty(STDERR_FILENO);
}

/* Whether a progress line stands on the terminal now. */
static bool line_drawn;

void tool_progress_line(struct tool *t, const char *fmt, ...)
{
    static struct timespec last;
    struct timespec now;
    struct buf line = {0};
    char raw[256];
    va_list ap;

    if (!tool_progress(t))
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (line_drawn && (double)(now.tv_sec - last.tv_sec) +
                              1e-9 * (double)(now.tv_nsec - last.tv_nsec) <
                          0.2)
        return;
    last = now;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    buf_printf(&line, "\r\033[K%s: %s", t->name, raw);
    if (!line.failed && write(STDERR_FILENO, line.data, line.len) > 0)
        line_drawn = true;
    buf_release(&line);
}

void tool_progress_end(struct tool *t)
{
    static const char clear[] = "\r\033[K";

    (void)t;
    if (line_drawn && write(STDERR_FILENO, clear, sizeof clear - 1) < 0)
        errno = 0; /* nowhere is left to complain */
    line_drawn = false;
}

/* ---- arguments ---- */

int64_t tool_int(const char *name, const char *text, int64_t min,
                 int64_t max)
{
    int64_t value;

    if (num_parse_int(text, &value) || value < min || value > max)
        tool_usage_error("%s: want an integer in %lld..%lld, got \"%s\"",
                         name, (long long)min, (long long)max, text);
    return value;
}

double tool_num(const char *name, const char *text, double min, double max)
{
    double value;

    if (num_parse_double(text, &value) || !(value >= min && value <= max))
        tool_usage_error("%s: want a number in %g..%g, got \"%s\"", name,
                         min, max, text);
    return value;
}

int tool_word(const char *name, const char *text, const char *const *words)
{
    struct buf list = {0};
    int i;

    for (i = 0; words[i]; i++) {
        if (!strcmp(text, words[i])) {
            buf_release(&list);
            return i;
        }
        buf_printf(&list, "%s%s", i ? ", " : "", words[i]);
    }
    tool_usage_error("%s: want one of %s, got \"%s\"", name, buf_text(&list),
                     text);
}

/* ---- finishing ---- */

/* Appends our provenance entry and writes the end frame. */
static void finish_frames(struct tool *t)
{
    struct buf settings = {0}, temp = {0};
    struct err err;

    buf_printf(&settings, "{%s}", buf_text(&t->settings));
    if (t->out.temp)
        buf_puts(&temp, t->out.temp);
    if (buf_check(&settings, &err) ||
        prov_append(&t->prov, t->name, A2B_VERSION, buf_text(&settings),
                    &err) ||
        stream_finish(&t->out, t->n_failed + t->n_failed_before, &t->prov,
                      &err))
        die(&err);
    tool_unguard(buf_text(&temp));
    buf_release(&temp);
    stream_discard(&t->out);
    buf_release(&settings);
}

/* Closes and checks the text, and gives -o its name. */
static void finish_text(struct tool *t)
{
    struct err err;
    bool bad = ferror(t->text);

    bad = fflush(t->text) || bad;
    if (!bad && t->text_temp && fsync(fileno(t->text)) && errno != EINVAL)
        bad = true;
    if (!bad && t->text_temp)
        bad = fclose(t->text) != 0;
    if (bad) {
        if (errno == EPIPE)
            die_of_pipe();
        err_errno(&err, "%s",
                  t->text_temp ? t->output_path : "standard output");
        err.status = ERR_IO;
        die(&err);
    }
    if (t->text_temp && rename(t->text_temp, t->output_path)) {
        err_errno(&err, "%s", t->output_path);
        die(&err);
    }
    if (t->text_temp)
        tool_unguard(t->text_temp);
    free(t->text_temp);
    t->text_temp = NULL;
    t->text = NULL;
}

void tool_finish(struct tool *t)
{
    tool_finish_input(t);
    tool_progress_end(t);
    if (t->n_failed)
        tool_say(t, "%llu item%s left out", (unsigned long long)t->n_failed,
                 t->n_failed == 1 ? "" : "s");
    if (!t->out_open)
        return;
    if (t->output != TOOL_FRAMES)
        finish_text(t);
    else if (!t->output_is_folder)
        finish_frames(t);
    t->out_open = false;
}

void tool_release(struct tool *t)
{
    size_t i;

    for (i = 0; i < t->n_features; i++)
        free((char *)(uintptr_t)t->features[i]); /* tool_feature() made it */
    if (t->has_config)
        config_release(&t->config);
    if (t->in_open)
        stream_close(&t->in);
    free(t->sets);
    free(t->features);
    prov_release(&t->prov);
    buf_release(&t->settings);
}
