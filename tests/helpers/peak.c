/*
 * peak - runs a program and fails where its memory went beyond a limit.
 *
 *     peak MEGABYTES PROGRAM [ARGUMENT ...]
 *
 * Exits 0 if the program did and its largest resident set was within the
 * limit, which is said on standard error where it was not.
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    pid_t pid;
    long limit;

    if (argc < 3)
        return 2;
    limit = strtol(argv[1], NULL, 10);
    pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0)
        return 1;
    if (usage.ru_maxrss <= limit * 1000)
        return 0;
    fprintf(stderr, "peak: %ld kB, want at most %ld MB\n", usage.ru_maxrss,
            limit);
    return 1;
}
