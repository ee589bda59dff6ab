/*
 * journal - lines at the end of a file, and the cut when a run resumes.
 */
#include "train/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/json.h"
#include "core/stream.h"

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

/* Bytes of the lines to keep; steps rise, so they are the first ones. */
static size_t kept_size(const struct buf *text, uint64_t step, bool validate)
{
    const char *newline;
    size_t at = 0, n;

    while (at < text->len &&
           (newline = memchr(text->data + at, '\n', text->len - at))) {
        n = (size_t)(newline - (text->data + at));
        if (!line_stays(text->data + at, n, step, validate))
            break;
        at += n + 1;
    }
    return at;
}

/* Cuts the open file. */
static int cut(struct journal *j, uint64_t step, bool validate, struct err *err)
{
    struct stream_in in = {0};
    struct buf text = {0};
    int rc = 0;

    if (step > 0) {
        rc = stream_open(&in, j->path, err) || stream_slurp(&in, &text, err) ||
             buf_check(&text, err);
        stream_close(&in);
    }
    if (!rc && ftruncate(j->fd, (off_t)kept_size(&text, step, validate)))
        rc = err_errno(err, "%s", j->path);
    buf_release(&text);
    return rc ? -1 : 0;
}

int journal_open(struct journal *j, const char *path, uint64_t step,
                 bool validate, struct err *err)
{
    memset(j, 0, sizeof *j);
    j->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (j->fd < 0)
        return err_errno(err, "%s", path);
    j->path = mem_string(path, err);
    if (!j->path) {
        close(j->fd);
        return -1;
    }
    return cut(j, step, validate, err);
}

int journal_put(struct journal *j, const struct buf *line, struct err *err)
{
    size_t done = 0;
    ssize_t got;

    if (buf_check(line, err))
        return -1;
    while (done < line->len) {
        got = write(j->fd, line->data + done, line->len - done);
        if (got < 0 && errno != EINTR)
            return err_errno(err, "%s", j->path);
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

int journal_sync(struct journal *j, struct err *err)
{
    return fsync(j->fd) ? err_errno(err, "%s", j->path) : 0;
}

void journal_close(struct journal *j)
{
    if (j->path)
        close(j->fd);
    free(j->path);
    memset(j, 0, sizeof *j);
}
