/*
 * faultproxy - a loopback HTTP server that answers wrongly, by count.
 *
 *   faultproxy PORTFILE SOURCE [every=K] [delay=MS] [skip=N] [dated]
 *              [ACTION ...]
 *
 * SOURCE is a port on this machine, whose answers are passed on, or a folder
 * whose files are served, with ranges, ETags (or, with `dated`, Last-Modified)
 * and 304 where a request names the version. Every K-th request (1) after
 * the first N (0) suffers the next ACTION of the list, in turn; all wait MS
 * before they are answered. The port it listens on is written to PORTFILE,
 * and a line "ACTION METHOD TARGET HTTP/1.1 REGION" for each request to
 * standard output; REGION is what an S3 request was signed for.
 *
 *   503 500 429 404   that status, without a body
 *   slowdown          503 as S3 says it
 *   skew              403 as S3 says that a clock is off, with a Date in 2030
 *   region            400 as S3 names another region, "elsewhere-1"
 *   region301         301 with another region in a header, as HEAD gets it
 *   moved             302 to "/moved"
 *   to=HOST           307 to that host, in which '@' is our port
 *   reset             the connection is reset before the answer
 *   cut               closed in the middle of the body
 *   resetmid          reset in the middle of the body
 *   stall             nothing more for 5 s in the middle of the body
 *   corrupt           one byte of an object is changed
 *   norange           the whole object comes, not the range
 *   wrongrange        Content-Range names another range than was asked for
 *   none              nothing
 *
 * One connection carries one request. A target that ends with '/' is the file
 * "index" there, whatever the method. The proxy ends with its standard input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/files.h"

/* Longest request head. */
#define MAX_HEAD 16384

/* What the program was asked to do. */
struct proxy {
    int port;            /* of the server behind; 0: folder */
    const char *folder;  /* of files; NULL: port */
    unsigned every;      /* each so many requests suffer */
    unsigned skip;       /* requests that do not, at first */
    long delay_ms;       /* before each answer */
    bool dated;          /* files have dates, no ETags */
    int own_port;        /* where it listens */
    const char **action; /* n_actions words */
    unsigned n_actions;  /* how many */
    atomic_uint n;       /* requests so far */
};

/* One connection, for its thread. */
struct guest {
    struct proxy *proxy; /* whose */
    int fd;              /* open */
};

/* Sleeps. */
static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

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

/* Makes the coming close() a reset. */
static void will_reset(int fd)
{
    struct linger now = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* Reads until the empty line behind a head. Returns its length, 0: none. */
static size_t read_head(int fd, char *head)
{
    size_t n = 0;
    char *end = NULL;

    while (!end && n < MAX_HEAD - 1) {
        ssize_t got = recv(fd, head + n, MAX_HEAD - 1 - n, 0);

        if (got <= 0)
            return 0;
        n += (size_t)got;
        head[n] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    return end ? n : 0;
}

/* Takes a header line out of a head. */
static void drop_line(char *head, const char *name)
{
    char *at = strcasestr(head, name), *end = at ? strstr(at, "\r\n") : NULL;

    if (end)
        memmove(at, end + 2, strlen(end + 2) + 1);
}

/* Asks the server behind and reads its whole answer. */
static void ask_server(const struct proxy *p, const char *head, struct buf *out)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)p->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t line = strcspn(head, "\n") + 1;
    char chunk[65536];
    ssize_t got;

    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        send_all(fd, head, line);
        send_all(fd, "Connection: close\r\n", 19);
        send_all(fd, head + line, strlen(head + line));
        while ((got = recv(fd, chunk, sizeof(chunk), 0)) > 0)
            buf_put(out, chunk, (size_t)got);
    }
    if (fd >= 0)
        close(fd);
}

/* The header lines that name a file's version, and whether a request names
 * it too. */
static bool put_version(const struct proxy *p, const char *path,
                        const char *head, struct buf *lines)
{
    struct stat st = {0};
    char version[1200], date[64], now[64];
    time_t t = time(NULL);
    struct tm tm;

    stat(path, &st);
    strftime(now, sizeof(now), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
             gmtime_r(&st.st_mtim.tv_sec, &tm));
    buf_printf(lines, "Date: %s\r\n", now);
    if (p->dated) {
        buf_printf(lines, "Last-Modified: %s\r\n", date);
        snprintf(version, sizeof(version), "\r\nIf-Modified-Since: %s\r\n",
                 date);
    } else {
        buf_printf(lines, "ETag: \"%s %ld.%09ld\"\r\n", path,
                   (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
        snprintf(version, sizeof(version),
                 "\r\nIf-None-Match: \"%s %ld.%09ld\"\r\n", path,
                 (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    }
    return strcasestr(head, version) != NULL;
}

/* Answers with a file, or a range of it. */
static void serve_file(const struct proxy *p, const char *head, struct buf *out)
{
    char path[1024], *target = strchr(head, '/');
    const char *range = strcasestr(head, "\r\nRange: bytes=");
    unsigned long long first = 0, last = 0;
    struct buf bytes = {0}, version = {0};
    struct err err;
    size_t n = strcspn(target, " ?");
    int n_range = range ? sscanf(range + 15, "%llu-%llu", &first, &last) : 0;
    bool same;

    snprintf(path, sizeof(path), "%s%.*s%s", p->folder, (int)n, target,
             target[n - 1] == '/' ? "index" : "");
    same = put_version(p, path, head, &version);
    if (files_read(path, path, 0, STORE_ALL, &bytes, &err)) {
        buf_puts(out, "HTTP/1.1 404 None\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n");
    } else if (same) {
        buf_printf(out, "HTTP/1.1 304 Same\r\n%sConnection: close\r\n\r\n",
                   buf_text(&version));
    } else if (n_range && first >= bytes.len) {
        buf_puts(out, "HTTP/1.1 416 Beyond\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n");
    } else {
        if (n_range < 2 || last >= bytes.len)
            last = bytes.len - (bytes.len > 0);
        buf_printf(out, "HTTP/1.1 %s\r\n", n_range ? "206 Part" : "200 OK");
        if (n_range)
            buf_printf(out, "Content-Range: bytes %llu-%llu/%zu\r\n", first,
                       last, bytes.len);
        last = bytes.len ? last + 1 : 0;
        buf_printf(out, "%sContent-Length: %llu\r\nConnection: close\r\n\r\n",
                   buf_text(&version), last - first);
        if (strncmp(head, "HEAD", 4) != 0)
            buf_put(out, buf_text(&bytes) + first, (size_t)(last - first));
    }
    buf_release(&version);
    buf_release(&bytes);
}

/* Sends a status without an object. line: a header, "" or with its end */
static void send_status(int fd, int status, const char *line, const char *body)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %d Fault\r\nContent-Length: %zu\r\n"
                     "%sConnection: close\r\n\r\n%s",
                     status, strlen(body), line, body);

    send_all(fd, text, (size_t)n);
}

/* Sends an answer, damaged by the action. */
static void send_answer(int fd, const char *action, struct buf *answer)
{
    char *body = answer->data ? memmem(answer->data, answer->len, "\r\n\r\n", 4)
                              : NULL;
    char *range = answer->data
                      ? strcasestr(answer->data, "Content-Range: bytes ")
                      : NULL;
    size_t head_len = body ? (size_t)(body + 4 - answer->data) : answer->len;
    size_t half = head_len + (answer->len - head_len) / 2;
    bool is_object = body && strncmp(answer->data, "HTTP/1.1 2", 10) == 0 &&
                     strcasestr(answer->data, "\r\nETag:");

    if (strcmp(action, "corrupt") == 0 && is_object && half < answer->len)
        answer->data[half] ^= 0x20;
    if (strcmp(action, "wrongrange") == 0 && range)
        range[21] = range[21] == '9' ? '8' : '9';
    if (strcmp(action, "cut") != 0 && strcmp(action, "stall") != 0 &&
        strcmp(action, "resetmid") != 0)
        half = answer->len;
    send_all(fd, buf_text(answer), half);
    if (strcmp(action, "stall") == 0)
        pause_ms(5000);
    if (strcmp(action, "resetmid") == 0) {
        pause_ms(20); /* else the reset overtakes what was sent */
        will_reset(fd);
    }
}

/* Notes a request, in one write. */
static void note(const char *action, const char *head)
{
    char line[1200];
    const char *scope = strstr(head, "Credential=");
    char region[64] = "-";
    int n;

    if (scope)
        sscanf(scope, "Credential=%*[^/]/%*[^/]/%63[^/]", region);
    n = snprintf(line, sizeof(line), "%s %.1000s", action, head);
    n = (int)strcspn(line, "\r");
    n += snprintf(line + n, sizeof(line) - (size_t)n, " %s\n", region);

    if (write(STDOUT_FILENO, line, (size_t)n) < 0)
        return;
}

/* Answers with a 307 to a host, in which '@' is our port. */
static void send_elsewhere(const struct proxy *p, int fd, const char *host)
{
    char line[512];
    int n = (int)strcspn(host, "@");

    if (host[n])
        snprintf(line, sizeof(line), "Location: http://%.*s%d/\r\n", n, host,
                 p->own_port);
    else
        snprintf(line, sizeof(line), "Location: http://%s/\r\n", host);
    send_status(fd, 307, line, "<Error><Code>TemporaryRedirect</Code></Error>");
}

/* Answers with what an action says, if it needs no object. */
static bool answer_alone(const struct proxy *p, int fd, const char *action)
{
    long status = strtol(action, NULL, 10);

    if (strcmp(action, "reset") == 0)
        will_reset(fd);
    else if (strcmp(action, "slowdown") == 0)
        send_status(fd, 503, "", "<Error><Code>SlowDown</Code></Error>");
    else if (strcmp(action, "skew") == 0)
        send_status(fd, 403, "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n",
                    "<Error><Code>RequestTimeTooSkewed</Code></Error>");
    else if (strcmp(action, "region") == 0)
        send_status(fd, 400, "",
                    "<Error><Code>AuthorizationHeaderMalformed</Code>"
                    "<Region>elsewhere-1</Region></Error>");
    else if (strcmp(action, "region301") == 0)
        send_status(fd, 301, "x-amz-bucket-region: elsewhere-1\r\n", "");
    else if (strncmp(action, "to=", 3) == 0)
        send_elsewhere(p, fd, action + 3);
    else if (strcmp(action, "moved") == 0)
        send_status(fd, 302, "Location: /moved\r\n", "");
    else if (status >= 400)
        send_status(fd, (int)status, "", "");
    else
        return false;
    return true;
}

/* Answers one connection. */
static void *serve(void *arg)
{
    struct guest *g = arg;
    struct proxy *p = g->proxy;
    char head[MAX_HEAD];
    struct buf answer = {0};
    const char *action = "none";
    unsigned n;

    if (read_head(g->fd, head) == 0)
        goto out;
    n = atomic_fetch_add(&p->n, 1);
    if (p->n_actions && n >= p->skip && (n - p->skip) % p->every == 0)
        action = p->action[(n - p->skip) / p->every % p->n_actions];
    note(action, head);
    if (p->delay_ms)
        pause_ms(p->delay_ms);
    if (!answer_alone(p, g->fd, action)) {
        if (strcmp(action, "norange") == 0)
            drop_line(head, "Range: ");
        if (p->folder)
            serve_file(p, head, &answer);
        else
            ask_server(p, head, &answer);
        send_answer(g->fd, action, &answer);
    }
out:
    buf_release(&answer);
    close(g->fd);
    free(g);
    return NULL;
}

/* Ends the program when nobody holds its standard input any more. */
static void *watch_stdin(void *arg)
{
    char byte;

    (void)arg;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    exit(0);
}

/* Listens on a free port and writes it to a file. */
static int listen_on(const char *port_file, int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FILE *out;

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
        listen(fd, 512) || getsockname(fd, (struct sockaddr *)&at, &len))
        return -1;
    *port = ntohs(at.sin_port);
    out = fopen(port_file, "w");
    if (!out || fprintf(out, "%d\n", *port) < 0 || fclose(out))
        return -1;
    return fd;
}

/* Reads the arguments behind PORTFILE and SOURCE. */
static void read_arguments(struct proxy *p, int argc, char **argv)
{
    int i;

    p->action = calloc((size_t)argc + 1, sizeof(*p->action));
    for (i = 0; p->action && i < argc; i++) {
        if (strncmp(argv[i], "every=", 6) == 0)
            p->every = (unsigned)strtoul(argv[i] + 6, NULL, 10);
        else if (strncmp(argv[i], "skip=", 5) == 0)
            p->skip = (unsigned)strtoul(argv[i] + 5, NULL, 10);
        else if (strncmp(argv[i], "delay=", 6) == 0)
            p->delay_ms = strtol(argv[i] + 6, NULL, 10);
        else if (strcmp(argv[i], "dated") == 0)
            p->dated = true;
        else
            p->action[p->n_actions++] = argv[i];
    }
}

int main(int argc, char **argv)
{
    static struct proxy p = {.every = 1};
    pthread_attr_t detached;
    pthread_t thread;
    int fd;

    if (argc < 3)
        return 2;
    p.port = (int)strtol(argv[2], NULL, 10);
    p.folder = p.port ? NULL : argv[2];
    read_arguments(&p, argc - 3, argv + 3);
    fd = listen_on(argv[1], &p.own_port);
    if (fd < 0 || !p.action || !p.every)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_create(&thread, &detached, watch_stdin, NULL);
    for (;;) {
        struct guest *g = malloc(sizeof(*g));

        if (!g)
            return 1;
        g->proxy = &p;
        g->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (g->fd < 0 || pthread_create(&thread, &detached, serve, g)) {
            if (g->fd >= 0)
                close(g->fd);
            free(g);
        }
    }
}
