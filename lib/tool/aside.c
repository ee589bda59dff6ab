/*
 * aside - path.tmp.<pid>, synced, renamed.
 */
#include "tool/aside.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "tool/tool.h"

/* Writes the file whole and sees to it that it arrived. */
static int write_whole(const char *temp, const struct buf *text,
                       const char *path, struct err *err)
{
    FILE *f = fopen(temp, "w");
    bool bad;

    if (!f)
        return err_errno(err, "%s", path);
    bad = fwrite(buf_text(text), 1, text->len, f) != text->len;
    bad = fflush(f) || bad;
    bad = bad || (fsync(fileno(f)) && errno != EINVAL);
    bad = fclose(f) || bad;
    if (bad) {
        err_errno(err, "%s", path);
        err->status = ERR_IO;
    }
    return bad ? -1 : 0;
}

int aside_write(const char *path, const struct buf *text, struct err *err)
{
    struct buf temp = {0};
    int got;

    buf_printf(&temp, "%s.tmp.%ld", path, (long)getpid());
    if (buf_check(&temp, err))
        return -1;
    tool_guard(buf_text(&temp));
    got = write_whole(buf_text(&temp), text, path, err);
    if (!got && rename(buf_text(&temp), path))
        got = err_errno(err, "%s", path);
    if (got)
        unlink(buf_text(&temp));
    tool_unguard(buf_text(&temp));
    buf_release(&temp);
    return got ? -1 : 0;
}
