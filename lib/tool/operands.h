/*
 * operands - command line operands that may be folders of sound files.
 */
#ifndef TOOL_OPERANDS_H
#define TOOL_OPERANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* A list of paths; {0} is empty. */
struct operands {
    char **paths;   /* n paths, owned */
    size_t n;       /* how many */
    size_t cap;     /* room in paths */
    bool is_folder; /* an operand was a folder */
};

/*
 * The operands with every folder replaced by the sound files in it and in
 * its folders, sorted by the bytes of their paths: files whose suffix is of
 * a format that is read, in any case.
 *
 * list: {0} at first; filled, also on errors
 * Returns 0; -1 with ERR_MISSING for a folder without a sound file, or as
 * reading the folder failed. What is no folder is not looked at.
 */
int operands_expand(struct operands *list, char **operands, size_t n,
                  struct err *err) NODISCARD;

/* Frees it; {0} is fine. */
void operands_release(struct operands *list);

#endif
