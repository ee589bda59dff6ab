/* test_store - names, listings and reads of files, and what is refused. */
#include "folder.h"
#include "store/store.h"
#include "tap.h"

/* The store all tests use. */
static struct store *store;

/* store_join() gives want; NULL: it fails with 65. */
static void check_join(const char *root, const char *name, const char *want)
{
    struct buf out = {0};
    struct err err = {0};
    int rc = store_join(root, name, &out, &err);

    if (want)
        tap_ok(!rc && strcmp(buf_text(&out), want) == 0, "%s + %s = %s", root,
               name, buf_text(&out));
    else
        tap_ok(rc == -1 && err.status == ERR_DATA && strstr(err.text, root),
               "refused: %s + \"%s\" (%s)", root, name, err.text);
    buf_release(&out);
}

/* Names from data stay below their root, whatever the store. */
static void test_join(void)
{
    static const char *const roots[] = {"data", "/data/", "file:///data",
                                        "s3://bucket/data/",
                                        "https://host/data"};
    static const char *const bad[] = {"",
                                      "/etc/passwd",
                                      "..",
                                      "../x",
                                      "a/../x",
                                      "a/..",
                                      "a/../../x",
                                      "file:///etc/passwd",
                                      "s3://other/x",
                                      "http://host/x",
                                      "FILE:///x"};
    size_t i, k;

    for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        for (k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
            check_join(roots[i], bad[k], NULL);
    }
    check_join("data", "a/b", "data/a/b");
    check_join("data/", "a/b", "data/a/b");
    check_join("/", "a", "/a");
    check_join(".", "..a/b..", "./..a/b..");
    check_join("a b", "c d%20", "a b/c d%20");
    check_join("file:///a%20b", "c d%?#\xc3\xa9+.mp3",
               "file:///a%20b/c%20d%25%3F%23%C3%A9+.mp3");
    check_join("s3://b/k%", "c d%", "s3://b/k%/c d%");
    check_join("https://h/k/", "c d", "https://h/k/c%20d");
}

/* The file name of a copy. */
static void test_base_name(void)
{
    static const char *const cases[][2] = {{"a/b.mp3", "b.mp3"},
                                           {"b", "b"},
                                           {"file:///x/a%20b", "a b"},
                                           {"s3://bucket/a%20b", "a%20b"},
                                           {"a/", NULL},
                                           {"a/..", NULL},
                                           {".", NULL},
                                           {"s3://bucket", NULL},
                                           {"file:///a%2Fb", NULL},
                                           {"file:///a/%2e%2e", NULL}};
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        struct err err = {0};
        int rc = store_base_name(cases[i][0], &out, &err);

        if (cases[i][1])
            tap_is(rc ? err.text : buf_text(&out), cases[i][1], cases[i][0]);
        else
            tap_ok(rc == -1 && err.status == ERR_USAGE, "no name: %s",
                   cases[i][0]);
        buf_release(&out);
    }
}

/* Reading uri fails with this status and names uri. */
static void check_fails(const char *uri, enum err_status status)
{
    struct buf out = {0};
    struct err err = {0};
    int rc = store_read(store, uri, &out, &err);

    tap_ok(rc == -1 && err.status == status, "%s: status %d (%s)", uri,
           (int)err.status, err.text);
    tap_ok(strncmp(err.text, uri, strlen(uri)) == 0 || !*uri,
           "the message names it");
    buf_release(&out);
}

/* Each kind of failure has its own status. */
static void test_failures(void)
{
    check_fails(folder_path("none"), ERR_MISSING);
    check_fails(folder_path("file/below"), ERR_MISSING);
    check_fails(folder_path("sub"), ERR_MISSING);
    check_fails("s3://", ERR_USAGE);
    check_fails("s3:///key", ERR_USAGE);
    check_fails("s3://bucket", ERR_USAGE);
    check_fails("s3://bucket/", ERR_USAGE);
    check_fails("s3://bu cket/key", ERR_USAGE);
    check_fails("http://", ERR_USAGE);
    check_fails("gopher://host/x", ERR_USAGE);
    check_fails("", ERR_USAGE);
    check_fails("file://host/x", ERR_DATA);
    check_fails("file:///a%2", ERR_DATA);
    check_fails("file:///a%zz", ERR_DATA);
    check_fails("file:///a%00b", ERR_DATA);
}

/* A file can be read by path and by URI, whole and in part. */
static void test_read(void)
{
    struct store_info info = {0};
    struct buf out = {0};
    struct err err;
    char uri[600];
    uint64_t reads, bytes;

    snprintf(uri, sizeof(uri), "file://%s/a%%20%%62", folder);
    folder_puts("a b", "0123456789");
    buf_puts(&out, "<");
    tap_ok(!store_read(store, folder_path("a b"), &out, &err), "by path");
    tap_is(buf_text(&out), "<0123456789", "it is appended");
    buf_clear(&out);
    tap_ok(!store_read(store, uri, &out, &err), "by %s", uri);
    tap_is(buf_text(&out), "0123456789", "the same");
    snprintf(uri, sizeof(uri), "file://localhost%s/a%%20b", folder);
    buf_clear(&out);
    tap_ok(!store_read_range(store, uri, 3, 4, &out, &err), "a range");
    tap_is(buf_text(&out), "3456", "bytes 3 to 6");
    buf_clear(&out);
    tap_ok(!store_read_range(store, uri, 8, 4, &out, &err), "at the end");
    tap_is(buf_text(&out), "89", "fewer bytes");
    buf_clear(&out);
    tap_ok(!store_read_range(store, uri, 11, 4, &out, &err) && !out.len,
           "behind the end");
    tap_ok(!store_stat(store, uri, &info, &err) && !info.folder &&
               info.size == 10,
           "size of a file");
    tap_ok(!store_stat(store, folder, &info, &err) && info.folder,
           "a folder is one");
    store_traffic(store, &reads, &bytes);
    tap_ok(reads == 5 && bytes == 26, "%d reads, %d bytes", (int)reads,
           (int)bytes);
    buf_release(&out);
}

/* A file over one chunk comes whole. */
static void test_large(void)
{
    size_t n = 3000001, i, wrong = 0;
    char *bytes = malloc(n);
    struct buf out = {0};
    struct err err;

    if (!bytes)
        abort();
    for (i = 0; i < n; i++)
        bytes[i] = (char)(i * 7 / 5);
    folder_put("large", bytes, n);
    tap_ok(!store_read(store, folder_path("large"), &out, &err) && out.len == n,
           "three megabytes");
    for (i = 0; i < out.len; i++)
        wrong += out.data[i] != bytes[i];
    tap_ok(wrong == 0, "byte for byte");
    free(bytes);
    buf_release(&out);
}

/* Appends a listed name and size. */
static int collect(void *ctx, const char *name, uint64_t size, struct err *err)
{
    struct buf *out = ctx;

    buf_printf(out, "%s %llu\n", name, (unsigned long long)size);
    return buf_check(out, err);
}

/* Stops a list. */
static int refuse(void *ctx, const char *name, uint64_t size, struct err *err)
{
    (void)ctx;
    (void)size;
    return err_set(err, ERR_FAILED, "not %s", name);
}

/* Listings go down, in byte order of the whole names. */
static void test_list(void)
{
    struct buf out = {0};
    struct store_visitor visitor = {collect, &out};
    struct store_visitor stopper = {refuse, NULL};
    struct err err;

    folder_mkdir("l");
    folder_mkdir("l/a");
    folder_mkdir("l/empty");
    folder_puts("l/a/b", "1");
    folder_puts("l/a-b", "22");
    folder_puts("l/a0", "333");
    folder_puts("l/Z \xc3\xa9", "");
    if (symlink("a0", folder_path("l/link")) ||
        symlink("a", folder_path("l/to a")) ||
        symlink("nowhere", folder_path("l/lost")))
        abort();
    tap_ok(!store_list(store, folder_path("l"), &visitor, &err), "list");
    tap_is(buf_text(&out),
           "Z \xc3\xa9 0\na-b 2\na/b 1\na0 3\nlink 3\nto a/b 1\n",
           "names, sizes, order");
    tap_ok(store_list(store, folder_path("l"), &stopper, &err) == -1 &&
               strcmp(err.text, "not Z \xc3\xa9") == 0,
           "the visitor may stop it");
    tap_ok(store_list(store, folder_path("none"), &visitor, &err) == -1 &&
               err.status == ERR_MISSING,
           "no such folder: %s", err.text);
    tap_ok(store_list(store, folder_path("l/a0"), &visitor, &err) == -1 &&
               err.status == ERR_MISSING,
           "no folder: %s", err.text);
    if (symlink(".", folder_path("l/circle")))
        abort();
    tap_ok(store_list(store, folder_path("l"), &visitor, &err) == -1 &&
               err.status == ERR_DATA,
           "a link in a circle");
    buf_release(&out);
}

/* One call, with nothing opened before; large objects come in a file. */
static void test_get(void)
{
    struct buf out = {0}, large = {0};
    struct blob blob = {0};
    char validator[STORE_VALIDATOR_SIZE];
    struct err err;
    struct store *s = store_open(&err);
    int i;

    folder_puts("get", "all of it");
    tap_ok(store_get(folder_path("get"), NULL, &out, &err) == 0 &&
               strcmp(buf_text(&out), "all of it") == 0,
           "store_get: a file");
    tap_ok(store_get(folder_path("none"), NULL, &out, &err) == -1 &&
               err.status == ERR_MISSING,
           "store_get: %s", err.text);
    tap_ok(store_get("s3:///key", getenv, &out, &err) == -1 &&
               err.status == ERR_USAGE,
           "store_get: %s", err.text);
    for (i = 0; i < 300000; i++)
        buf_printf(&large, "%d\n", i);
    folder_puts("large", buf_text(&large));
    buf_clear(&out);
    tap_ok(s && store_fetch(s, folder_path("large"), NULL, NULL, &blob,
                            validator, &err) == 1 &&
               blob.in_file && blob_size(&blob) == large.len,
           "a large file is not held in memory");
    tap_ok(blob_append(&blob, &out, &err) == 0 && out.len == large.len &&
               memcmp(out.data, large.data, large.len) == 0 &&
               memcmp(blob_data(&blob, &err), large.data, large.len) == 0,
           "its bytes, copied and mapped");
    blob_release(&blob);
    store_close(s);
    buf_release(&out);
    buf_release(&large);
}

int main(void)
{
    struct err err;

    folder_open();
    store = store_open(&err);
    if (!store)
        return 1;
    folder_mkdir("sub");
    folder_puts("file", "");
    test_join();
    test_base_name();
    test_failures();
    test_read();
    test_large();
    test_list();
    store_close(store);
    test_get();
    folder_close();
    return tap_done();
}
