/*
 * dataset - the layouts of known datasets.
 *
 * A root is recognised by a file that only one layout has: its table of
 * songs. No folder needs to be listed for that.
 */
#include "dataset/dataset.h"

#include <string.h>

#include "base/buf.h"
#include "dataset/hku956.h"
#include "dataset/pmemo2019.h"

/* One layout. */
struct layout {
    enum dataset_kind kind; /* which */
    const char *name;       /* dataset word */
    const char *mark;       /* file below the root that tells it */
    /* Lists it. */
    int (*list)(const struct dataset_source *source, struct manifest *out,
                struct err *err);
};

/* All of them. */
static const struct layout layouts[] = {
    {DATASET_PMEMO2019, "pmemo2019", "metadata.csv", pmemo2019_list},
    {DATASET_HKU956, "hku956", HKU956_SONGS, hku956_list},
};

/* How many. */
#define N_LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

enum dataset_kind dataset_kind_of(const char *word)
{
    size_t i;

    for (i = 0; i < N_LAYOUTS; i++) {
        if (strcmp(word, layouts[i].name) == 0)
            return layouts[i].kind;
    }
    return DATASET_OTHER;
}

const char *dataset_kind_name(enum dataset_kind kind)
{
    size_t i;

    for (i = 0; i < N_LAYOUTS; i++) {
        if (layouts[i].kind == kind)
            return layouts[i].name;
    }
    return "";
}

/* Whether the file of a layout is below root: 1, 0, or -1 with err. */
static int has_mark(struct store *s, const char *root,
                    const struct layout *layout, struct err *err)
{
    struct buf uri = {0};
    struct store_info info;
    int found = -1;

    if (store_join(root, layout->mark, &uri, err) == 0) {
        if (store_stat(s, buf_text(&uri), &info, err) == 0)
            found = !info.folder;
        else if (err->status == ERR_MISSING)
            found = 0;
    }
    buf_release(&uri);
    return found;
}

int dataset_recognise(struct store *s, const char *root,
                      enum dataset_kind *kind, struct err *err)
{
    size_t i;

    for (i = 0; i < N_LAYOUTS; i++) {
        int found = has_mark(s, root, &layouts[i], err);

        if (found < 0)
            return -1;
        if (found) {
            *kind = layouts[i].kind;
            return 0;
        }
    }
    return err_set(err, ERR_MISSING,
                   "%s: no dataset: neither \"%s\" (%s) nor \"%s\" (%s) is "
                   "there",
                   root, layouts[0].mark, layouts[0].name, layouts[1].mark,
                   layouts[1].name);
}

int dataset_list(const struct dataset_source *source, enum dataset_kind kind,
                 struct manifest *out, struct err *err)
{
    size_t i;

    for (i = 0; i < N_LAYOUTS; i++) {
        if (layouts[i].kind == kind)
            return layouts[i].list(source, out, err);
    }
    return err_set(err, ERR_USAGE, "%s: want a dataset whose layout we know",
                   source->root);
}
