/*
 * xmlcheck - is standard input well-formed XML? Prints "elements N", or the
 * line and what is wrong with it.
 */
#include <expat.h>
#include <stdio.h>

/* Counts one element. */
static void count(void *n, const XML_Char *name, const XML_Char **attributes)
{
    (void)name;
    (void)attributes;
    ++*(unsigned long *)n;
}

int main(void)
{
    XML_Parser p = XML_ParserCreate("UTF-8");
    unsigned long elements = 0;
    char block[4096];
    size_t n;

    if (!p)
        return 1;
    XML_SetUserData(p, &elements);
    XML_SetStartElementHandler(p, count);
    do {
        n = fread(block, 1, sizeof block, stdin);
        if (XML_Parse(p, block, (int)n, n == 0) == XML_STATUS_ERROR) {
            printf("line %lu: %s\n", XML_GetCurrentLineNumber(p),
                   XML_ErrorString(XML_GetErrorCode(p)));
            XML_ParserFree(p);
            return 1;
        }
    } while (n > 0);
    XML_ParserFree(p);
    printf("elements %lu\n", elements);
    return 0;
}
