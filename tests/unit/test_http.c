/* test_http - the network's thread against a server that does as it is told:
 * how many transfers run at a time, and bodies that go to files. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "folder.h"
#include "store/http.h"
#include "tap.h"

/* Bytes of the body. */
#define BODY 50000

/* A server on the loopback interface, one connection after the other. */
struct server {
    int fd;                    /* listening */
    char url[64];              /* of it */
    pthread_t thread;          /* serves */
    atomic_int n_slow;         /* requests yet that are told to slow down */
    atomic_int n_cut;          /* answers yet that end in the middle */
    atomic_int version;        /* of the object: its ETag and every byte */
    atomic_int n_asked;        /* requests so far */
};

/* Sends all of it, or as much as somebody reads. */
static void send_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        data += sent;
        n -= (size_t)sent;
    }
}

/* Answers with the object, or with its rest; a cut one changes afterwards. */
static void answer(struct server *s, int fd, const char *head)
{
    static char body[BODY];
    const char *range = strstr(head, "Range: bytes=");
    unsigned long first = range ? strtoul(range + 13, NULL, 10) : 0;
    int version = s->version, cut = s->n_cut > 0;
    char text[512];
    int n;

    if (s->n_slow > 0) {
        s->n_slow--;
        n = snprintf(text, sizeof(text), "HTTP/1.1 503 Slow\r\n"
                     "Content-Length: 8\r\nConnection: close\r\n\r\nSlowDown");
        send_all(fd, text, (size_t)n);
        return;
    }
    memset(body, 'a' + version, sizeof(body));
    n = snprintf(text, sizeof(text),
                 "HTTP/1.1 %s\r\nETag: \"%d\"\r\nContent-Length: %lu\r\n"
                 "Content-Range: bytes %lu-%d/%d\r\nConnection: close\r\n\r\n",
                 range ? "206 Part" : "200 OK", version, BODY - first, first,
                 BODY - 1, BODY);
    send_all(fd, text, (size_t)n);
    send_all(fd, body, (BODY - first) / (cut ? 2 : 1));
    if (cut) {
        s->n_cut--;
        s->version++;
    }
}

/* Serves until its socket is shut. */
static void *serve(void *arg)
{
    struct server *s = arg;
    char head[4096];
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        ssize_t got = recv(fd, head, sizeof(head) - 1, 0);

        if (got > 0) {
            head[got] = '\0';
            s->n_asked++;
            answer(s, fd, head);
        }
        shutdown(fd, SHUT_WR);
        while (recv(fd, head, sizeof(head), 0) > 0)
            ;
        close(fd);
    }
    return NULL;
}

/* Starts a server. */
static void start(struct server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    memset(s, 0, sizeof(*s));
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&at, sizeof(at)) ||
        listen(s->fd, 100) || getsockname(s->fd, (struct sockaddr *)&at, &len))
        abort();
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d/x",
             ntohs(at.sin_port));
    if (pthread_create(&s->thread, NULL, serve, s))
        abort();
}

/* Ends a server. */
static void stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* The thread, with short waits. */
static struct http *open_http(void)
{
    struct http_conf conf = HTTP_CONF_INIT;
    struct err err;
    struct http *h;

    conf.backoff_ms = 1;
    h = http_open(&conf, &err);
    if (!h)
        abort();
    return h;
}

/* Asks n times, one after the other; how many came whole. */
static int ask(struct http *h, const char *url, int n)
{
    int good = 0;

    while (n-- > 0) {
        struct http_request r = {.url = url, .name = url, .direct = true};
        struct err err;

        good += http_run(h, &r, &err) == 0 && r.got == BODY;
        http_release(&r);
    }
    return good;
}

/* "Slow down" halves the transfers, at most each 200 ms; 20 good replies
 * allow one more. */
static void test_allowed(struct server *s)
{
    struct http *h = open_http();
    struct timespec pause = {0, 250000000};

    tap_ok(http_n_allowed(h) == 32, "32 at first");
    s->n_slow = 1;
    tap_ok(ask(h, s->url, 1) == 1 && http_n_allowed(h) == 16, "half of it");
    s->n_slow = 1;
    ask(h, s->url, 1);
    tap_ok(http_n_allowed(h) == 16, "not again at once");
    nanosleep(&pause, NULL);
    s->n_slow = 1;
    ask(h, s->url, 1);
    tap_ok(http_n_allowed(h) == 8, "again later: 8");
    tap_ok(ask(h, s->url, 18) == 18 && http_n_allowed(h) == 8, "19 replies");
    tap_ok(ask(h, s->url, 1) == 1 && http_n_allowed(h) == 9, "one more");
    tap_ok(ask(h, s->url, 20) == 20 && http_n_allowed(h) == 10, "and more");
    tap_ok(http_n_retried(h) == 3, "three were repeated");
    http_close(h);
}

/* The file that bodies of the tests go to, and how often it was wanted. */
struct where {
    int fd;        /* open */
    int n_placed;  /* calls */
    uint64_t size; /* that was told */
    bool refuse;   /* place nothing */
};

/* Places a body; see http.h. */
static int place(void *ctx, struct http_request *r, struct err *err)
{
    struct where *w = ctx;

    w->n_placed++;
    w->size = r->total;
    if (w->refuse)
        return err_set(err, ERR_IO, "no place");
    r->fd = w->fd;
    r->fd_at = 10;
    return 0;
}

/* Whether the file holds a body of one byte. */
static bool holds(const struct where *w, char byte)
{
    static char text[BODY + 10];
    size_t i;

    if (pread(w->fd, text, sizeof(text), 0) != (ssize_t)sizeof(text))
        return false;
    for (i = 10; i < sizeof(text); i++) {
        if (text[i] != byte)
            return false;
    }
    return true;
}

/* Asks for the object with a place for it. */
static int ask_placed(struct http *h, const char *url, struct where *w,
                      struct http_request *r, struct err *err)
{
    *r = (struct http_request){.url = url, .name = url, .direct = true,
                               .memory = 1000, .place = place, .ctx = w};
    return http_run(h, r, err);
}

/* Large bodies go to a file, small ones do not. */
static void test_placed(struct server *s)
{
    struct http *h = open_http();
    struct where w = {.fd = -1};
    struct http_request r;
    struct err err;
    FILE *f = fopen(folder_path("file"), "w+");

    if (!f)
        abort();
    w.fd = fileno(f);
    tap_ok(ask_placed(h, s->url, &w, &r, &err) == 0 && w.n_placed == 1 &&
               w.size == BODY && r.placed && r.got == BODY &&
               r.body.len == 0 && holds(&w, 'a'),
           "a large body goes to the file");
    http_release(&r);
    r = (struct http_request){.url = s->url, .name = s->url, .direct = true,
                              .memory = BODY, .place = place, .ctx = &w};
    tap_ok(http_run(h, &r, &err) == 0 && !r.placed && r.body.len == BODY &&
               w.n_placed == 1,
           "one that is not larger than `memory` does not");
    http_release(&r);
    w.refuse = true;
    tap_ok(ask_placed(h, s->url, &w, &r, &err) == -1 && err.status == ERR_IO,
           "no place: %s", err.text);
    http_release(&r);
    w.refuse = false;
    s->n_cut = 1; /* and then it is another object */
    tap_ok(ask_placed(h, s->url, &w, &r, &err) == 0 && r.status == 412,
           "changed after it was placed: 412");
    http_release(&r);
    tap_ok(ask_placed(h, s->url, &w, &r, &err) == 0 && r.status == 200 &&
               holds(&w, 'b'),
           "the new one comes");
    http_release(&r);
    fclose(f);
    http_close(h);
}

int main(void)
{
    struct server s;

    folder_open();
    start(&s);
    test_allowed(&s);
    test_placed(&s);
    stop(&s);
    folder_close();
    return tap_done();
}
