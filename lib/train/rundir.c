/*
 * rundir - mkdir -p and flock(2).
 */
#define _GNU_SOURCE /* flock */
#include "train/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* Makes a folder and its parents; *made if the last one was not there. */
static int make_folders(const char *path, bool *made, struct err *err)
{
    char *copy = mem_string(path, err), *p, kept;
    int rc = 0;

    if (!copy)
        return -1;
    for (p = copy + strspn(copy, "/"); !rc && *p; p += strspn(p, "/")) {
        p += strcspn(p, "/");
        kept = *p;
        *p = '\0';
        *made = mkdir(copy, 0777) == 0;
        if (!*made && errno != EEXIST && errno != EISDIR)
            rc = err_errno(err, "%s", copy);
        *p = kept;
    }
    free(copy);
    return rc;
}

int rundir_open(struct rundir *r, const char *path, struct err *err)
{
    memset(r, 0, sizeof *r);
    if (make_folders(path, &r->made, err))
        return -1;
    r->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->fd < 0)
        return err_errno(err, "%s", path);
    /* some network file systems have no locks: only a holder counts */
    if (flock(r->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
        close(r->fd);
        return err_set(err, ERR_AGAIN, "%s: another a2b-train is at work "
                       "there", path);
    }
    r->path = path;
    return 0;
}

void rundir_undo(struct rundir *r)
{
    if (r->path && r->made)
        rmdir(r->path); /* fails, as it should, when something is in it */
}

void rundir_close(struct rundir *r)
{
    if (r->path)
        close(r->fd);
    memset(r, 0, sizeof *r);
}
