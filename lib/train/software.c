/*
 * software - asking the machine.
 */
#define _GNU_SOURCE /* gnu_get_libc_version */
#include "train/software.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"

/* The widest vectors that this processor's kernels use. */
static const char *kernels(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return "AVX-512";
    if (__builtin_cpu_supports("avx2"))
        return "AVX2";
#endif
    return "plain";
}

/* The processor's name, "unknown" where the system does not say. */
static void put_processor(struct buf *b)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256], *at = NULL;

    while (f && !at && fgets(line, sizeof line, f))
        if (strncmp(line, "model name", 10) == 0)
            at = strchr(line, ':');
    if (at) {
        at += strspn(at, ": \t");
        at[strcspn(at, "\n")] = '\0';
    }
    json_put_text(b, at && *at ? at : "unknown");
    if (f)
        fclose(f);
}

void software_put(struct buf *b, const char *version, int n_threads)
{
    buf_puts(b, "{\"a2b\":");
    json_put_text(b, version);
    buf_printf(b, ",\"kernels\":\"%s\",\"processor\":", kernels());
    put_processor(b);
    buf_puts(b, ",\"compiler\":");
    json_put_text(b, "gcc " __VERSION__);
    buf_puts(b, ",\"libc\":");
    json_put_text(b, gnu_get_libc_version());
    buf_printf(b, ",\"threads\":%d}\n", n_threads);
}
