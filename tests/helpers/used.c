/*
 * used - runs a command and notes what it used.
 *
 *   used FILE COMMAND [ARGUMENT ...]
 *
 * FILE gets a line "CPU PEAK": seconds and kB, of the command and all it
 * waited for. A program of its own, because a process begins with the peak of
 * the one it was forked from.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Seconds of a time. */
static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    struct rusage use;
    int status;
    pid_t pid;
    FILE *f;

    if (argc < 3)
        return 2;
    pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 ||
        getrusage(RUSAGE_CHILDREN, &use) != 0)
        return 126;
    f = fopen(argv[1], "w");
    if (!f || fprintf(f, "%.6f %ld\n",
                      seconds(use.ru_utime) + seconds(use.ru_stime),
                      use.ru_maxrss) < 0 || fclose(f) != 0)
        return 126;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
