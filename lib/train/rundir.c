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
#include <time.h>
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

/*
 * Locks the folder; whoever was just killed may take a moment to go.
 * Returns false if somebody holds it. Some network file systems have no
 * locks: there nobody holds it.
 */
static bool lock(int fd)
{
    const struct timespec nap = {0, 50000000};
    int tries = 20;

    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK)
            return true;
        if (--tries == 0)
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

int rundir_open(struct rundir *r, const char *path, struct err *err)
{
    memset(r, 0, sizeof *r);
    if (make_folders(path, &r->made, err))
        return -1;
    r->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->fd < 0)
        return err_errno(err, "%s", path);
    if (!lock(r->fd)) {
        close(r->fd);
        return err_set(err, ERR_AGAIN,
                       "%s: another a2b-train is at work "
                       "there",
                       path);
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
