/*
 * files - folders and files as a store.
 *
 * A listing walks the folders, collects every name with its size and sorts
 * the whole names, since the order of the folders' own names is another one
 * ('-' sorts before '/').
 */
#include "store/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* Folders inside folders that a listing follows. */
#define FILES_MAX_DEPTH 32

/* Bytes asked of one read(). */
#define FILES_CHUNK 1048576u

/* One file found. */
struct entry {
    char *name;    /* below the folder that is listed, owned */
    uint64_t size; /* bytes */
};

/* One walk through a folder. */
struct walk {
    const char *uri;       /* folder, for messages */
    struct entry *entries; /* n files found, owned */
    size_t n;              /* how many */
    size_t cap;            /* room in entries */
    struct buf prefix;     /* name of the folder being read, with its '/' */
};

/* Orders entries by the bytes of their names, for qsort. */
static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name,
                  ((const struct entry *)b)->name);
}

/* Notes the file of a name inside the current folder. */
static int add_file(struct walk *w, const char *name, const struct stat *st,
                    struct err *err)
{
    struct entry *grown =
        mem_grow(w->entries, &w->cap, w->n + 1, sizeof(*grown), err);
    struct buf whole = {0};

    if (!grown)
        return -1;
    w->entries = grown;
    buf_puts(&whole, buf_text(&w->prefix));
    buf_puts(&whole, name);
    if (buf_check(&whole, err)) {
        buf_release(&whole);
        return -1;
    }
    grown[w->n].name = whole.data;
    grown[w->n].size = st->st_size > 0 ? (uint64_t)st->st_size : 0;
    w->n++;
    return 0;
}

/* Reads a folder; folders call it for the folders inside them. */
static int walk_folder(struct walk *w, int fd, int depth, struct err *err);

/* Goes into the folder of a name; the prefix is put back afterwards. */
static int walk_into(struct walk *w, int dir_fd, const char *name, int depth,
                     struct err *err)
{
    size_t len = w->prefix.len;
    int fd, rc;

    if (depth == FILES_MAX_DEPTH)
        return err_set(err, ERR_DATA, "%s: %s%s: folders deeper than %d levels",
                       w->uri, buf_text(&w->prefix), name, FILES_MAX_DEPTH);
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "%s: %s%s", w->uri, buf_text(&w->prefix), name);
    buf_printf(&w->prefix, "%s/", name);
    rc = buf_check(&w->prefix, err);
    if (rc)
        close(fd);
    else
        rc = walk_folder(w, fd, depth + 1, err);
    if (!w->prefix.failed) {
        w->prefix.len = len;
        w->prefix.data[len] = '\0';
    }
    return rc;
}

/* Notes one name of a folder, whatever it is. */
static int walk_name(struct walk *w, int fd, const char *name, int depth,
                     struct err *err)
{
    struct stat st;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (fstatat(fd, name, &st, 0) != 0) {
        if (errno == ENOENT) /* a link to nothing, or removed meanwhile */
            return 0;
        return err_errno(err, "%s: %s%s", w->uri, buf_text(&w->prefix), name);
    }
    if (S_ISDIR(st.st_mode))
        return walk_into(w, fd, name, depth, err);
    return S_ISREG(st.st_mode) ? add_file(w, name, &st, err) : 0;
}

/* Reads the names of an open folder, which it closes. */
static int walk_folder(struct walk *w, int fd, int depth, struct err *err)
{
    DIR *dir = fdopendir(fd);
    struct dirent *d;
    int rc = 0;

    if (!dir) {
        close(fd);
        return err_errno(err, "%s", w->uri);
    }
    for (;;) {
        errno = 0;
        d = readdir(dir);
        if (!d)
            break;
        rc = walk_name(w, fd, d->d_name, depth, err);
        if (rc)
            break;
    }
    if (!rc && errno)
        rc = err_errno(err, "%s", w->uri);
    closedir(dir);
    return rc;
}

/* Makes room for n more bytes and the NUL behind them. */
static int reserve(struct buf *out, size_t n, struct err *err)
{
    char *grown;

    if (out->cap - out->len > n)
        return 0;
    grown = mem_grow(out->data, &out->cap, out->len + n + 1, 1, err);
    if (!grown)
        return -1;
    out->data = grown;
    return 0;
}

/* Appends at most limit bytes that an open file still has. */
static int read_fd(int fd, const char *uri, uint64_t limit, struct buf *out,
                   struct err *err)
{
    while (limit > 0) {
        size_t want = limit < FILES_CHUNK ? (size_t)limit : FILES_CHUNK;
        ssize_t got;

        if (reserve(out, want, err))
            return -1;
        got = read(fd, out->data + out->len, want);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "%s", uri);
        if (got == 0)
            break;
        out->len += (size_t)got;
        limit -= (uint64_t)got;
        out->data[out->len] = '\0';
    }
    return 0;
}

int files_stat(const char *path, const char *uri, struct store_info *info,
               struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return err_errno(err, "%s", uri);
    info->folder = S_ISDIR(st.st_mode);
    info->size = !info->folder && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    return 0;
}

int files_read(const char *path, const char *uri, uint64_t offset,
               uint64_t limit, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int rc = -1;

    if (fd < 0)
        return err_errno(err, "%s", uri);
    if (fstat(fd, &st) != 0)
        err_errno(err, "%s", uri);
    else if (S_ISDIR(st.st_mode))
        err_set(err, ERR_MISSING, "%s: is a folder, want a file", uri);
    else if (offset > INT64_MAX ||
             (offset > 0 && lseek(fd, (off_t)offset, SEEK_SET) < 0))
        err_set(err, ERR_IO, "%s: cannot read from byte %llu on", uri,
                (unsigned long long)offset);
    else
        rc = read_fd(fd, uri, limit, out, err);
    close(fd);
    return rc;
}

int files_fetch(const char *path, const char *uri, struct blob *out,
                struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        st.st_size <= (off_t)BLOB_MEMORY)
        return files_read(path, uri, 0, STORE_ALL, &out->bytes, err);
    out->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (out->fd < 0)
        return err_errno(err, "%s", uri);
    out->in_file = true;
    out->size = (uint64_t)st.st_size;
    return 0;
}

int files_list(const char *path, const char *uri,
               const struct store_visitor *visitor, struct err *err)
{
    struct walk w = {.uri = uri};
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc;
    size_t i;

    if (fd < 0)
        return err_errno(err, "%s", uri);
    buf_puts(&w.prefix, "");
    rc = walk_folder(&w, fd, 0, err);
    if (!rc && w.n)
        qsort(w.entries, w.n, sizeof(*w.entries), by_name);
    for (i = 0; !rc && i < w.n; i++)
        rc = visitor->visit(visitor->ctx, w.entries[i].name, w.entries[i].size,
                            err);
    for (i = 0; i < w.n; i++)
        free(w.entries[i].name);
    free(w.entries);
    buf_release(&w.prefix);
    return rc;
}
