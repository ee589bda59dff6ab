/*
 * aside - path.tmp.<pid>, synced, renamed.
 */
#define _GNU_SOURCE
#include "tool/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/tool.h"

/* Writes the file whole and, with sync, sees to it that it arrived. */
static int write_whole(const char *temp, const struct buf *text,
                       const char *path, bool sync, struct err *err)
{
    FILE *f = fopen(temp, "w");
    bool bad;

    if (!f)
        return err_errno(err, "%s", path);
    bad = fwrite(buf_text(text), 1, text->len, f) != text->len;
    bad = fflush(f) || bad;
    bad = bad || (sync && fsync(fileno(f)) && errno != EINVAL);
    bad = fclose(f) || bad;
    if (bad) {
        err_errno(err, "%s", path);
        err->status = ERR_IO;
    }
    return bad ? -1 : 0;
}

/* Copies bytes of a file by hand, where the kernel does not. */
static int copy_slowly(int from, off_t at, uint64_t left, int to)
{
    char chunk[65536];

    while (left > 0) {
        size_t want = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);
        ssize_t got = pread(from, chunk, want, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO; /* it became shorter */
        if (got <= 0 || write(to, chunk, (size_t)got) != got)
            return -1;
        at += got;
        left -= (uint64_t)got;
    }
    return 0;
}

/* Copies bytes of a file. Returns 0; -1 with errno set. */
static int copy(int from, uint64_t at, uint64_t left, int to)
{
    off64_t begin = (off64_t)at;

    while (left > 0) {
        size_t want = left < 1u << 30 ? (size_t)left : 1u << 30;
        ssize_t got = copy_file_range(from, &begin, to, NULL, want, 0);

        if (got <= 0)
            return copy_slowly(from, (off_t)begin, left, to);
        left -= (uint64_t)got;
    }
    return 0;
}

/* Gives a file without a name this one, if it is size bytes and just that. */
static bool link_whole(const char *temp, int fd, uint64_t at, uint64_t size)
{
    struct stat st;
    char name[64];

    if (at > 0 || fstat(fd, &st) != 0 || st.st_nlink != 0 ||
        (uint64_t)st.st_size != size)
        return false;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, name, AT_FDCWD, temp, AT_SYMLINK_FOLLOW) == 0;
}

/* Makes the file aside out of another. Returns 0; -1 with errno set. */
static int take_whole(const char *temp, int fd, uint64_t at, uint64_t size)
{
    int to, before;
    bool bad;

    unlink(temp);
    if (link_whole(temp, fd, at, size))
        return 0;
    to = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (to < 0)
        return -1;
    bad = copy(fd, at, size, to) != 0;
    before = errno;
    bad = close(to) || bad;
    if (bad)
        errno = before;
    return bad ? -1 : 0;
}

int aside_take(const char *path, int fd, uint64_t at, uint64_t size,
               struct err *err)
{
    struct buf temp = {0};
    int got = 0;

    buf_printf(&temp, "%s.tmp.%ld", path, (long)getpid());
    if (buf_check(&temp, err))
        return -1;
    tool_guard(buf_text(&temp));
    if (take_whole(buf_text(&temp), fd, at, size)) {
        got = err_errno(err, "%s", path);
    } else if (rename(buf_text(&temp), path)) {
        got = err_errno(err, "%s", path);
    }
    if (got)
        unlink(buf_text(&temp));
    tool_unguard(buf_text(&temp));
    buf_release(&temp);
    return got;
}

/* Writes aside and renames. */
static int write_aside(const char *path, const struct buf *text, bool sync,
                       struct err *err)
{
    struct buf temp = {0};
    int got;

    buf_printf(&temp, "%s.tmp.%ld", path, (long)getpid());
    if (buf_check(&temp, err))
        return -1;
    tool_guard(buf_text(&temp));
    got = write_whole(buf_text(&temp), text, path, sync, err);
    if (!got && rename(buf_text(&temp), path))
        got = err_errno(err, "%s", path);
    if (got)
        unlink(buf_text(&temp));
    tool_unguard(buf_text(&temp));
    buf_release(&temp);
    return got ? -1 : 0;
}

int aside_write(const char *path, const struct buf *text, struct err *err)
{
    return write_aside(path, text, true, err);
}

int aside_write_lightly(const char *path, const struct buf *text,
                        struct err *err)
{
    return write_aside(path, text, false, err);
}
