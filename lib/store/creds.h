/*
 * creds - which S3 server, and as whom, by the rules of the AWS tools.
 *
 * Keys are looked for in this order:
 *   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   the profile AWS_PROFILE (default "default") in AWS_SHARED_CREDENTIALS_FILE
 *     (~/.aws/credentials), then in AWS_CONFIG_FILE (~/.aws/config)
 *   that profile's credential_process
 *   AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI
 *   the instance metadata service (IMDSv2), unless AWS_EC2_METADATA_DISABLED
 * Where none has any, requests are not signed, as with AWS_NO_SIGN_REQUEST.
 *
 * The environment comes through a function; the library itself reads none.
 */
#ifndef STORE_CREDS_H
#define STORE_CREDS_H

#include <stdbool.h>
#include <time.h>

#include "base/err.h"
#include "store/http.h"

/* getenv() or a stand-in: the value of a name, NULL if it is not set. */
struct creds_env {
    char *(*get)(const char *name); /* NULL: nothing is set */
};

/* How a bucket is named in a request. */
enum creds_style {
    CREDS_AUTO,   /* by host at AWS, by path elsewhere */
    CREDS_PATH,   /* http://host/bucket/key */
    CREDS_VIRTUAL /* http://bucket.host/key */
};

/* Where requests go and how; strings owned, NULL: not given. */
struct creds_site {
    char *endpoint;         /* "http://127.0.0.1:7480"; NULL: AWS */
    char *region;           /* never NULL: "us-east-1" if nothing says */
    char *ca_bundle;        /* AWS_CA_BUNDLE or the profile's ca_bundle */
    enum creds_style style; /* the profile's s3 addressing_style */
    bool dual_stack;        /* AWS_USE_DUALSTACK_ENDPOINT */
    bool anonymous;         /* AWS_NO_SIGN_REQUEST: never sign */
    unsigned n_tries;       /* AWS_MAX_ATTEMPTS; 0: not given */
};

/* One pair of keys; strings owned, all NULL: anonymous. */
struct creds {
    char *access;   /* key id */
    char *secret;   /* secret key */
    char *token;    /* session token, NULL: none */
    time_t expires; /* 0: never */
};

/* Reads where requests go. Returns 0; -1 with err set (2: bad setting). */
int creds_site_load(const struct creds_env *env, struct creds_site *site,
                    struct err *err) NODISCARD;

/* Frees the strings; {0} is fine. */
void creds_site_release(struct creds_site *site);

/*
 * Looks for keys.
 *
 * http: asks containers and instances; NULL: they are left out
 * Returns 0 with keys, or with none for anonymous; -1 with err set: 2 for a
 * profile that is nowhere or incomplete, else what reading failed with.
 * Messages hold no key, token or command.
 */
int creds_load(const struct creds_env *env, struct http *http,
               struct creds *creds, struct err *err) NODISCARD;

/* Frees and wipes; {0} is fine. */
void creds_release(struct creds *creds);

/*
 * The value of a key in a profile file, for instance of ~/.aws/config.
 *
 * section: what stands in brackets
 * parent:  NULL; or the key under which it stands indented ("s3")
 * Returns a copy without blanks around it, NULL if it is not there or memory
 * is short. Caller frees.
 */
char *creds_ini(const char *text, const char *section, const char *parent,
                const char *key);

/* The seconds of "2026-01-02T03:04:05Z"; 0 for anything else. */
time_t creds_time(const char *text);

#endif
