/*
 * journal - lines at the end of a file, and the cut when a run resumes.
 */
#include "train/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/stream.h"
#include "train/csvlog.h"
#include "train/tfevents.h"

/* Whether a line belongs to what was done up to a step. */
static bool line_stays(const char *line, size_t n, uint64_t step, bool validate)
{
    struct err ignored;
    struct json *j = json_parse(line, n, &ignored);
    const char *split = json_text(json_member(j, "split"));
    int64_t at;
    bool stays =
        split && json_int(json_member(j, "step"), &at) == 0 && at >= 0 &&
        (uint64_t)at <= step &&
        !(validate && (uint64_t)at == step && strcmp(split, "val") == 0);

    json_close(j);
    return stays;
}

/* What the other files hold of some lines. */
struct copies {
    struct buf events; /* event file */
    struct buf table;  /* CSV */
};

/* Appends the copies of one line. */
static int copy_line(struct copies *c, const char *line, size_t n,
                     struct err *err)
{
    return tfevents_put_line(&c->events, line, n, err) ||
                   csvlog_put_line(&c->table, line, n, err)
               ? -1
               : 0;
}

/* Frees them. */
static void release_copies(struct copies *c)
{
    buf_release(&c->events);
    buf_release(&c->table);
}

/*
 * Bytes of the lines to keep; steps rise, so they are the first ones. Their
 * copies are appended to `c`. Returns 0; -1 with err set.
 */
static int keep_lines(const struct buf *text, uint64_t step, bool validate,
                      size_t *size, struct copies *c, struct err *err)
{
    const char *line, *newline;
    size_t at = 0, n;

    tfevents_put_head(&c->events);
    csvlog_put_head(&c->table);
    while (at < text->len &&
           (newline = memchr(text->data + at, '\n', text->len - at))) {
        line = text->data + at;
        n = (size_t)(newline - line);
        if (!line_stays(line, n, step, validate))
            break;
        if (copy_line(c, line, n, err))
            return -1;
        at += n + 1;
    }
    *size = at;
    return 0;
}

/* Writes what waits; what is written waits no longer. */
static int flush(struct journal_file *f, struct err *err)
{
    struct buf rest = {0};
    size_t done = 0;
    ssize_t got;
    int rc = 0;

    while (!rc && done < f->waiting.len) {
        got = write(f->fd, f->waiting.data + done, f->waiting.len - done);
        if (got < 0 && errno != EINTR)
            rc = err_errno(err, "%s", f->path);
        done += got > 0 ? (size_t)got : 0;
    }
    if (done > 0 && done < f->waiting.len)
        buf_put(&rest, f->waiting.data + done, f->waiting.len - done);
    if (done > 0) {
        buf_release(&f->waiting);
        f->waiting = rest;
    }
    return rc;
}

/* Appends bytes, now or, if the disk is full, later. */
static int append(struct journal_file *f, const struct buf *bytes,
                  struct err *err)
{
    if (buf_check(bytes, err))
        return -1;
    buf_put(&f->waiting, bytes->data, bytes->len);
    if (buf_check(&f->waiting, err))
        return -1;
    return flush(f, err) && !err->no_space ? -1 : 0;
}

/* Opens run/name for appending. */
static int open_file(struct journal_file *f, const char *run, const char *name,
                     struct err *err)
{
    struct buf path = {0};

    buf_printf(&path, "%s/%s", run, name);
    if (buf_check(&path, err)) {
        buf_release(&path);
        return -1;
    }
    f->fd = open(path.data, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (f->fd < 0) {
        err_errno(err, "%s", path.data);
        buf_release(&path);
        return -1;
    }
    f->path = path.data;
    return 0;
}

/* Makes a file hold these bytes. */
static int rewrite(struct journal_file *f, const struct buf *bytes,
                   struct err *err)
{
    if (ftruncate(f->fd, 0))
        return err_errno(err, "%s", f->path);
    return append(f, bytes, err);
}

/* Cuts the open files. */
static int cut(struct journal *j, uint64_t step, bool validate, struct err *err)
{
    struct stream_in in = {0};
    struct copies c = {0};
    struct buf text = {0};
    size_t size;
    int rc = 0;

    if (step > 0) {
        rc = stream_open(&in, j->lines.path, err) ||
             stream_slurp(&in, &text, err) || buf_check(&text, err);
        stream_close(&in);
    }
    rc = rc || keep_lines(&text, step, validate, &size, &c, err);
    if (!rc && ftruncate(j->lines.fd, (off_t)size))
        rc = err_errno(err, "%s", j->lines.path);
    rc = rc || rewrite(&j->events, &c.events, err) ||
         rewrite(&j->table, &c.table, err);
    buf_release(&text);
    release_copies(&c);
    return rc ? -1 : 0;
}

int journal_open(struct journal *j, const char *run, uint64_t step,
                 bool validate, struct err *err)
{
    memset(j, 0, sizeof *j);
    if (open_file(&j->lines, run, "metrics.jsonl", err) ||
        open_file(&j->events, run, TFEVENTS_NAME, err) ||
        open_file(&j->table, run, CSVLOG_NAME, err))
        return -1;
    return cut(j, step, validate, err);
}

int journal_put(struct journal *j, const struct buf *line, struct err *err)
{
    struct copies c = {0};
    int rc;

    if (append(&j->lines, line, err))
        return -1;
    rc = copy_line(&c, line->data, line->len, err) ||
         append(&j->events, &c.events, err) ||
         append(&j->table, &c.table, err);
    release_copies(&c);
    return rc ? -1 : 0;
}

int journal_sync(struct journal *j, struct err *err)
{
    if (flush(&j->lines, err) || flush(&j->events, err) ||
        flush(&j->table, err))
        return -1;
    /* the others can be made anew from the lines */
    return fsync(j->lines.fd) ? err_errno(err, "%s", j->lines.path) : 0;
}

/* Closes one file. */
static void close_file(struct journal_file *f)
{
    if (f->path)
        close(f->fd);
    free(f->path);
    buf_release(&f->waiting);
}

void journal_close(struct journal *j)
{
    close_file(&j->lines);
    close_file(&j->events);
    close_file(&j->table);
    memset(j, 0, sizeof *j);
}
