/* test_fetcher - reading ahead gives the same bytes, once, and no leaks. */
#include "folder.h"
#include "store/fetcher.h"
#include "tap.h"

/* The store all tests use. */
static struct store *store;

/* Wants a whole object; dies without memory. */
static struct fetcher_item *want(struct fetcher *f, const char *name)
{
    struct err err;
    struct fetcher_item *item =
        fetcher_want(f, folder_path(name), 0, STORE_ALL, &err);

    if (!item)
        abort();
    return item;
}

/* Reads so far. */
static int n_reads(void)
{
    uint64_t reads, bytes;

    store_traffic(store, &reads, &bytes);
    return (int)reads;
}

/* Equal wants are one item and one read. */
static void test_share(struct fetcher *f)
{
    int before = n_reads();
    struct fetcher_item *a = want(f, "abc"), *b = want(f, "abc");
    struct err err;

    tap_ok(a == b, "equal wants are one item");
    tap_ok(!fetcher_wait(f, a, &err) && !fetcher_wait(f, b, &err), "waits");
    tap_is(buf_text(&a->blob.bytes), "abc", "bytes");
    fetcher_drop(f, a);
    tap_is(buf_text(&b->blob.bytes), "abc", "the other still has them");
    a = want(f, "abc");
    tap_ok(a == b && n_reads() == before + 1, "one read");
    fetcher_drop(f, a);
    fetcher_drop(f, b);
    a = want(f, "abc");
    tap_ok(!fetcher_wait(f, a, &err) && n_reads() == before + 2,
           "given back, it is read anew");
    fetcher_drop(f, a);
}

/* A range is an item of its own. */
static void test_range(struct fetcher *f)
{
    struct err err;
    struct fetcher_item *whole = want(f, "abc"), *part;

    part = fetcher_want(f, folder_path("abc"), 1, 1, &err);
    tap_ok(part && part != whole, "a range is another item");
    tap_ok(!fetcher_wait(f, part, &err), "wait");
    tap_is(buf_text(&part->blob.bytes), "b", "one byte");
    fetcher_drop(f, part);
    fetcher_drop(f, whole);
}

/* A failure is told to everyone who waits for it, each time. */
static void test_failure(struct fetcher *f)
{
    struct err err = {0};
    struct fetcher_item *a = want(f, "none"), *b = want(f, "none");

    tap_ok(fetcher_wait(f, a, &err) == -1 && err.status == ERR_MISSING,
           "missing: %s", err.text);
    fetcher_drop(f, a);
    err.status = 0;
    tap_ok(fetcher_wait(f, b, &err) == -1 && err.status == ERR_MISSING,
           "for the other too");
    fetcher_drop(f, b);
    fetcher_drop(f, NULL);
}

/* Many objects, waited for from the far end, dropped read or not. */
static void test_many(struct fetcher *f)
{
    struct fetcher_item *items[100];
    struct err err;
    char name[32], text[32];
    int i, good = 0;

    for (i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "many%d", i);
        snprintf(text, sizeof(text), "text %d", i);
        folder_puts(name, text);
        items[i] = want(f, name);
    }
    for (i = 99; i >= 0; i--) {
        snprintf(text, sizeof(text), "text %d", i);
        if (i % 3 == 0)
            good += !fetcher_wait(f, items[i], &err) &&
                    strcmp(buf_text(&items[i]->blob.bytes), text) == 0;
        fetcher_drop(f, items[i]);
    }
    tap_ok(good == 34, "a third of 100 waited for");
}

int main(void)
{
    struct fetcher *f;
    struct err err;
    int n;

    folder_open();
    store = store_open(&err);
    if (!store)
        return 1;
    folder_puts("abc", "abc");
    for (n = 1; n <= 3; n += 2) {
        f = fetcher_open(store, (size_t)n, &err);
        if (!tap_ok(f != NULL, "%d threads", n))
            return tap_done();
        test_share(f);
        test_range(f);
        test_failure(f);
        test_many(f);
        want(f, "abc");
        want(f, "many1");
        fetcher_close(f);
        tap_ok(true, "closed with items held");
    }
    store_close(store);
    folder_close();
    return tap_done();
}
