/*
 * tempdir - a private temporary folder. Its owner holds a flock on it.
 *
 * Removal must work in a signal handler, where opendir(3) may not be called
 * (it allocates), so names are read with the system call itself.
 */
#define _GNU_SOURCE
#include "store/tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* First part of every folder's name. */
#define PREFIX "a2b-tmp-"

/* Folders inside folders that are removed. */
#define MAX_DEPTH 8

/* Rounds of removal, a millisecond apart, while threads still write. */
#define ROUNDS 200

/* Folders tried before giving up, should sweepers be faster than we. */
#define TRIES 100

/* What getdents64(2) writes, one after the other. */
struct raw_entry {
    ino64_t ino;           /* file number */
    off64_t off;           /* place of the next */
    unsigned short length; /* bytes of this entry */
    unsigned char type;    /* sort of file */
    char name[];           /* NUL-terminated */
};

/* Removes everything below an open folder, as far as it goes. */
static void empty(int fd, int depth);

/* Removes one name, going into it if it is a folder. */
static void remove_name(int fd, const char *name, int depth)
{
    int below;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        unlinkat(fd, name, 0) == 0 || depth == MAX_DEPTH)
        return;
    below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (below < 0)
        return;
    empty(below, depth + 1);
    close(below);
    unlinkat(fd, name, AT_REMOVEDIR);
}

static void empty(int fd, int depth)
{
    _Alignas(struct raw_entry) char raw[2048];
    long got, at;

    while ((got = syscall(SYS_getdents64, fd, raw, sizeof(raw))) > 0) {
        for (at = 0; at < got;) {
            const struct raw_entry *entry = (const void *)(raw + at);

            remove_name(fd, entry->name, depth);
            at += entry->length;
        }
    }
}

/* Empties a folder and removes it. Returns 0 when it is gone. */
static int remove_tree(const char *path)
{
    struct timespec ms = {0, 1000000};
    int fd, round;

    for (round = 0; round < ROUNDS; round++) {
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return errno == ENOENT ? 0 : -1;
        empty(fd, 0);
        close(fd);
        if (rmdir(path) == 0 || errno == ENOENT)
            return 0;
        nanosleep(&ms, NULL);
    }
    return -1;
}

void tempdir_remove(struct tempdir *t)
{
    int before = errno;

    if (t->path[0]) {
        remove_tree(t->path);
        t->path[0] = '\0';
        close(t->fd);
    }
    errno = before;
}

/* Removes a folder of ours whose owner is dead. */
static unsigned sweep_one(int parent, const char *parent_path,
                          const char *name)
{
    int fd = openat(parent, name,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    char path[TEMPDIR_PATH];
    unsigned gone = 0;
    struct stat st;
    int n;

    if (fd < 0)
        return 0;
    n = snprintf(path, sizeof(path), "%s/%s", parent_path, name);
    if (n > 0 && (size_t)n < sizeof(path) && fstat(fd, &st) == 0 &&
        st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
        gone = remove_tree(path) == 0;
    close(fd);
    return gone;
}

unsigned tempdir_sweep(const char *parent)
{
    DIR *dir = opendir(parent);
    struct dirent *entry;
    unsigned n = 0;

    if (!dir)
        return 0;
    while ((entry = readdir(dir))) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
            n += sweep_one(dirfd(dir), parent, entry->d_name);
    }
    closedir(dir);
    return n;
}

int tempdir_open(struct tempdir *t, const char *parent, struct err *err)
{
    int i, n;

    tempdir_sweep(parent);
    for (i = 0; i < TRIES; i++) {
        n = snprintf(t->path, sizeof(t->path), "%s/" PREFIX "XXXXXX", parent);
        if (n < 0 || (size_t)n >= sizeof(t->path)) {
            t->path[0] = '\0';
            return err_set(err, ERR_USAGE, "%s: path too long", parent);
        }
        if (!mkdtemp(t->path)) {
            t->path[0] = '\0';
            return err_errno(err, "%s: temporary folder", parent);
        }
        t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (t->fd >= 0 && flock(t->fd, LOCK_EX | LOCK_NB) == 0 &&
            access(t->path, F_OK) == 0)
            return 0;
        /* a sweeper saw it before it was locked */
        if (t->fd >= 0)
            close(t->fd);
        rmdir(t->path);
    }
    t->path[0] = '\0';
    return err_set(err, ERR_AGAIN, "%s: cannot lock a temporary folder",
                   parent);
}
