/*
 * peak - the largest a command has been in memory.
 *
 *   peak FILE COMMAND [ARGUMENT ...]
 *
 * Runs the command, writes its peak in bytes to FILE, and ends with its
 * status. This program is small, which matters: what a command's peak starts
 * from is the size of the process that started it.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct rusage use;
    int status;
    pid_t child;
    FILE *out;

    if (argc < 3) {
        fprintf(stderr, "usage: peak FILE COMMAND [ARGUMENT ...]\n");
        return 2;
    }
    child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child ||
        getrusage(RUSAGE_CHILDREN, &use) || !(out = fopen(argv[1], "w"))) {
        perror("peak");
        return 1;
    }
    fprintf(out, "%.0f\n", 1024.0 * (double)use.ru_maxrss);
    fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
