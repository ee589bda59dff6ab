/*
 * folder - a temporary folder with files, for unit programs that read some.
 */
#ifndef FOLDER_H
#define FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder; folder_open() makes it. */
static char folder[256];

/* Makes the folder, below TMPDIR or /tmp. */
__attribute__((unused)) static void folder_open(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(folder, sizeof(folder), "%s/a2b-unit-%ld", tmp ? tmp : "/tmp",
             (long)getpid());
    if (mkdir(folder, 0777))
        abort();
}

/* The path of a name inside, valid until the fourth call from here. */
__attribute__((unused)) static const char *folder_path(const char *name)
{
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* Makes a folder inside. */
__attribute__((unused)) static void folder_mkdir(const char *name)
{
    if (mkdir(folder_path(name), 0777))
        abort();
}

/* Writes n bytes to a file inside. */
__attribute__((unused)) static void folder_put(const char *name,
                                               const void *bytes, size_t n)
{
    FILE *f = fopen(folder_path(name), "wb");

    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f))
        abort();
}

/* Writes a text to a file inside. */
__attribute__((unused)) static void folder_puts(const char *name,
                                                const char *text)
{
    folder_put(name, text, strlen(text));
}

/* Removes the folder and all in it. */
__attribute__((unused)) static void folder_close(void)
{
    char command[512];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command))
        abort();
}

#endif
