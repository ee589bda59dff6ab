/* test_tempdir - a private folder is gone after every way out. */
#include "folder.h"
#include "store/tempdir.h"
#include "tap.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The folder of the process that is killed. */
static struct tempdir mine;

/* Removes it and dies, as programs do. */
static void on_signal(int number)
{
    tempdir_remove(&mine);
    signal(number, SIG_DFL);
    raise(number);
}

/* Temporary folders below the test's. */
static int n_left(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int n = 0;

    if (!dir)
        abort();
    while ((entry = readdir(dir)))
        n += strncmp(entry->d_name, "a2b-tmp-", 8) == 0;
    closedir(dir);
    return n;
}

/* Makes a file of a name in a folder. */
static void put(const char *dir, const char *name)
{
    char path[TEMPDIR_PATH + 32];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f || fclose(f))
        abort();
}

/* Makes some folders and files inside. */
static void fill(struct tempdir *t)
{
    char path[TEMPDIR_PATH + 32];
    int i;

    for (i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "file-with-a-long-name-%d", i);
        put(t->path, path);
    }
    snprintf(path, sizeof(path), "%s/a", t->path);
    mkdir(path, 0700);
    put(path, "x");
    snprintf(path, sizeof(path), "%s/a/b", t->path);
    mkdir(path, 0700);
    put(path, "y");
}

/* A process with a folder; it writes one byte and waits. */
static pid_t start(int log)
{
    pid_t pid = fork();
    struct err err;

    if (pid)
        return pid;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (tempdir_open(&mine, folder, &err))
        _exit(1);
    fill(&mine);
    if (write(log, "x", 1) == 1) {
        for (;;)
            put(mine.path, "busy"); /* still writing when the signal comes */
    }
    _exit(1);
}

/* Kills such a process; folders left behind. */
static int left_after(int number)
{
    int pipes[2], status;
    char byte;
    pid_t pid;

    if (pipe(pipes))
        abort();
    pid = start(pipes[1]);
    if (pid < 0 || read(pipes[0], &byte, 1) != 1)
        abort();
    kill(pid, number);
    waitpid(pid, &status, 0);
    close(pipes[0]);
    close(pipes[1]);
    return WIFSIGNALED(status) && WTERMSIG(status) == number ? n_left() : -1;
}

int main(void)
{
    static struct tempdir t, u;
    struct stat st;
    struct err err;

    folder_open();
    tap_ok(tempdir_open(&t, folder, &err) == 0 && stat(t.path, &st) == 0 &&
               (st.st_mode & 0777) == 0700,
           "a folder for its owner only");
    fill(&t);
    tap_ok(tempdir_open(&u, folder, &err) == 0 && n_left() == 2,
           "another one leaves it alone");
    tempdir_remove(&t);
    tempdir_remove(&t);
    tap_ok(n_left() == 1, "removed with all in it");
    tempdir_remove(&u);
    tap_ok(left_after(SIGTERM) == 0, "nothing is left after SIGTERM");
    tap_ok(left_after(SIGINT) == 0, "nothing is left after SIGINT");
    tap_ok(left_after(SIGKILL) == 1, "SIGKILL leaves it");
    tap_ok(tempdir_open(&t, folder, &err) == 0 && n_left() == 1,
           "the next one sweeps it");
    tempdir_remove(&t);
    tap_ok(n_left() == 0, "nothing left");
    tap_ok(tempdir_open(&t, "/nonexistent/x", &err) == -1 && !t.path[0],
           "no parent: %s", err.text);
    folder_close();
    return tap_done();
}
