/*
 * creds - settings and keys as the AWS tools find them.
 *
 * Profile files are INI: [section], key = value, '#' and ';' comments, and
 * one level of indented keys below an empty value:
 *   [profile big]
 *   region = eu-west-1
 *   s3 =
 *     addressing_style = virtual
 */
#include "store/creds.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"
#include "core/json.h"
#include "store/files.h"

/* Where containers and instances answer. */
#define CONTAINER_HOST "http://169.254.170.2"
#define IMDS_HOST "http://169.254.169.254"
/* Tries and seconds for those: they answer at once, or there are none. */
#define METADATA_TRIES 2
#define METADATA_CONNECT_S 1
/* No answer of theirs is longer. */
#define METADATA_MAX 65536

/* The profile files, read once for one question. */
struct profile {
    const char *name;       /* of AWS_PROFILE, or "default" */
    bool asked;             /* AWS_PROFILE was set */
    struct buf credentials; /* text of ~/.aws/credentials, "" if none */
    struct buf config;      /* text of ~/.aws/config, likewise */
    char section[256];      /* its section in config */
};

/* A name's value; NULL when unset or empty. */
static const char *get(const struct creds_env *env, const char *name)
{
    const char *value = env && env->get ? env->get(name) : NULL;

    return value && *value ? value : NULL;
}

/* Whether a name is set to a true word. */
static bool is_on(const struct creds_env *env, const char *name)
{
    const char *value = get(env, name);

    return value && (strcasecmp(value, "true") == 0 ||
                     strcasecmp(value, "yes") == 0 || strcmp(value, "1") == 0);
}

/* Whether n bytes are this word. */
static bool is_word(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(text, word, n) == 0;
}

/* Cuts blanks at both ends off n bytes. */
static const char *trim(const char *text, size_t *n)
{
    while (*n && isspace((unsigned char)text[*n - 1]))
        (*n)--;
    while (*n && isspace((unsigned char)*text)) {
        text++;
        (*n)--;
    }
    return text;
}

/* A copy of n bytes; NULL when memory is short. */
static char *copy(const char *text, size_t n)
{
    struct err err;
    char *out = mem_alloc(n + 1, 1, &err);

    return out ? memcpy(out, text, n) : NULL;
}

/* Where an INI file is read. */
struct ini {
    bool inside;         /* in the wanted section */
    bool below;          /* below the wanted parent */
    const char *section; /* wanted */
    const char *parent;  /* wanted, or NULL */
    const char *key;     /* wanted */
};

/* Reads one line; returns the value if it is the wanted one. */
static char *ini_line(struct ini *ini, const char *line, size_t n)
{
    bool indented = n && (line[0] == ' ' || line[0] == '\t');
    const char *text = trim(line, &n), *equals;
    size_t key_len, value_len;

    if (n == 0 || *text == '#' || *text == ';')
        return NULL;
    if (*text == '[') {
        n -= text[n - 1] == ']' ? 2 : 1;
        text = trim(text + 1, &n);
        ini->inside = is_word(text, n, ini->section);
        ini->below = false;
        return NULL;
    }
    equals = memchr(text, '=', n);
    if (!ini->inside || !equals)
        return NULL;
    key_len = (size_t)(equals - text);
    value_len = n - key_len - 1;
    text = trim(text, &key_len);
    if (!indented)
        ini->below = ini->parent && is_word(text, key_len, ini->parent);
    else if (!ini->parent || !ini->below)
        return NULL;
    if (indented != (ini->parent != NULL) || !is_word(text, key_len, ini->key))
        return NULL;
    text = trim(equals + 1, &value_len);
    return copy(text, value_len);
}

char *creds_ini(const char *text, const char *section, const char *parent,
                const char *key)
{
    struct ini ini = {false, false, section, parent, key};
    char *value = NULL;

    while (*text && !value) {
        size_t n = strcspn(text, "\n");

        value = ini_line(&ini, text, n);
        text += n + (text[n] == '\n');
    }
    return value;
}

/* Whether a file has a section. */
static bool has_section(const char *text, const char *section)
{
    while (*text) {
        size_t n = strcspn(text, "\n"), len = n;
        const char *line = trim(text, &len);

        if (len > 2 && *line == '[' && line[len - 1] == ']') {
            len -= 2;
            line = trim(line + 1, &len);
            if (is_word(line, len, section))
                return true;
        }
        text += n + (text[n] == '\n');
    }
    return false;
}

/* Reads a profile file; one that is not there is empty. */
static int read_profile(const struct creds_env *env, const char *name,
                        const char *under_home, struct buf *out,
                        struct err *err)
{
    const char *path = get(env, name), *home = get(env, "HOME");
    struct buf whole = {0};
    int rc;

    if (path)
        buf_puts(&whole, path);
    else if (home)
        buf_printf(&whole, "%s/%s", home, under_home);
    else
        return 0;
    rc = buf_check(&whole, err);
    if (!rc)
        rc = files_read(whole.data, whole.data, 0, METADATA_MAX * 16, out, err);
    buf_release(&whole);
    if (rc && (err->status == ERR_MISSING || err->status == ERR_DENIED))
        rc = 0;
    return rc;
}

/* Frees the texts, which hold secrets. */
static void profile_release(struct profile *p)
{
    if (p->credentials.data)
        memset(p->credentials.data, 0, p->credentials.len);
    if (p->config.data)
        memset(p->config.data, 0, p->config.len);
    buf_release(&p->credentials);
    buf_release(&p->config);
}

/* Reads the profile files. A profile asked for must be in one of them. */
static int profile_open(const struct creds_env *env, struct profile *p,
                        struct err *err)
{
    const char *name = get(env, "AWS_PROFILE");

    name = name ? name : get(env, "AWS_DEFAULT_PROFILE");
    *p = (struct profile){.name = name ? name : "default", .asked = name};
    snprintf(p->section, sizeof(p->section), "%s%s",
             strcmp(p->name, "default") == 0 ? "" : "profile ", p->name);
    if (read_profile(env, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials",
                     &p->credentials, err) ||
        read_profile(env, "AWS_CONFIG_FILE", ".aws/config", &p->config, err)) {
        profile_release(p);
        return -1;
    }
    if (p->asked && !has_section(buf_text(&p->credentials), p->name) &&
        !has_section(buf_text(&p->config), p->section)) {
        err_set(err, ERR_USAGE,
                "AWS_PROFILE: profile \"%s\" is in neither file of ~/.aws",
                p->name);
        profile_release(p);
        return -1;
    }
    return 0;
}

/* The endpoint that the profile names, if any. */
static char *profile_endpoint(const struct profile *p)
{
    const char *text = buf_text(&p->config);
    char *services = creds_ini(text, p->section, NULL, "services");
    char *endpoint = NULL;

    if (services) {
        char section[256];

        snprintf(section, sizeof(section), "services %s", services);
        endpoint = creds_ini(text, section, "s3", "endpoint_url");
    }
    free(services);
    return endpoint ? endpoint
                    : creds_ini(text, p->section, NULL, "endpoint_url");
}

/* The first of some names that is set; a copy, NULL if none. */
static char *first_set(const struct creds_env *env, const char *const *names)
{
    const char *value = NULL;

    for (; *names && !value; names++)
        value = get(env, *names);
    return value ? copy(value, strlen(value)) : NULL;
}

/* Reads the endpoint and refuses what is none. */
static int load_endpoint(const struct creds_env *env, const struct profile *p,
                         struct creds_site *site, struct err *err)
{
    static const char *const names[] = {"AWS_ENDPOINT_URL_S3",
                                        "AWS_ENDPOINT_URL", NULL};
    size_t n;

    if (is_on(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
        return 0;
    site->endpoint = first_set(env, names);
    if (!site->endpoint)
        site->endpoint = profile_endpoint(p);
    if (!site->endpoint)
        return 0;
    n = strlen(site->endpoint);
    while (n && site->endpoint[n - 1] == '/')
        site->endpoint[--n] = '\0';
    if ((strncmp(site->endpoint, "http://", 7) != 0 &&
         strncmp(site->endpoint, "https://", 8) != 0) ||
        strpbrk(site->endpoint, "@?# \t"))
        return err_set(err, ERR_USAGE, "the S3 endpoint (AWS_ENDPOINT_URL): "
                                       "want http://HOST[:PORT] or https://");
    return 0;
}

/* Reads how buckets are named in requests. */
static int load_style(const struct profile *p, struct creds_site *site,
                      struct err *err)
{
    char *style = creds_ini(buf_text(&p->config), p->section, "s3",
                            "addressing_style");
    int rc = 0;

    if (!style || strcmp(style, "auto") == 0)
        site->style = CREDS_AUTO;
    else if (strcmp(style, "path") == 0)
        site->style = CREDS_PATH;
    else if (strcmp(style, "virtual") == 0)
        site->style = CREDS_VIRTUAL;
    else
        rc = err_set(err, ERR_USAGE, "profile \"%s\": addressing_style: want "
                                     "auto, path or virtual", p->name);
    free(style);
    return rc;
}

int creds_site_load(const struct creds_env *env, struct creds_site *site,
                    struct err *err)
{
    static const char *const regions[] = {"AWS_REGION", "AWS_DEFAULT_REGION",
                                          NULL};
    const char *tries = get(env, "AWS_MAX_ATTEMPTS");
    const char *ca = get(env, "AWS_CA_BUNDLE");
    struct profile p;
    int64_t n = 0;
    int rc;

    *site = (struct creds_site){0};
    if (tries && (num_parse_int(tries, &n) || n < 1 || n > 1000))
        return err_set(err, ERR_USAGE, "AWS_MAX_ATTEMPTS: want 1 to 1000");
    if (profile_open(env, &p, err))
        return -1;
    site->n_tries = (unsigned)n;
    site->anonymous = is_on(env, "AWS_NO_SIGN_REQUEST");
    site->dual_stack = is_on(env, "AWS_USE_DUALSTACK_ENDPOINT");
    site->ca_bundle = ca ? copy(ca, strlen(ca))
                         : creds_ini(buf_text(&p.config), p.section, NULL,
                                     "ca_bundle");
    site->region = first_set(env, regions);
    if (!site->region)
        site->region =
            creds_ini(buf_text(&p.config), p.section, NULL, "region");
    if (!site->region)
        site->region = copy("us-east-1", 9);
    rc = load_endpoint(env, &p, site, err);
    if (!rc)
        rc = load_style(&p, site, err);
    if (!rc && !site->region)
        rc = err_set(err, ERR_FAILED, "out of memory for a region");
    profile_release(&p);
    if (rc)
        creds_site_release(site);
    return rc;
}

void creds_site_release(struct creds_site *site)
{
    free(site->endpoint);
    free(site->region);
    free(site->ca_bundle);
    *site = (struct creds_site){0};
}

/* Frees a secret. */
static void wipe(char *text)
{
    if (text)
        memset(text, 0, strlen(text));
    free(text);
}

void creds_release(struct creds *creds)
{
    wipe(creds->access);
    wipe(creds->secret);
    wipe(creds->token);
    *creds = (struct creds){0};
}

/* Keys from one section of a profile file. Returns 1 if there are any. */
static int from_section(const char *text, const char *section,
                        struct creds *creds, struct err *err)
{
    creds->access = creds_ini(text, section, NULL, "aws_access_key_id");
    creds->secret = creds_ini(text, section, NULL, "aws_secret_access_key");
    if (!creds->access && !creds->secret)
        return 0;
    if (!creds->access || !creds->secret)
        return err_set(err, ERR_USAGE, "profile section [%s]: want both "
                                       "aws_access_key_id and "
                                       "aws_secret_access_key", section);
    creds->token = creds_ini(text, section, NULL, "aws_session_token");
    return 1;
}

/* Days from 1970-01-01 to a date (Howard Hinnant, "chrono-compatible
 * low-level date algorithms"). */
static long long days_to(long long year, long long month, long long day)
{
    long long era, doy;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    year -= era * 400;
    return era * 146097 + year * 365 + year / 4 - year / 100 + doy - 719468;
}

time_t creds_time(const char *text)
{
    int year, month, day, hour, minute, second, n = 0;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour,
               &minute, &second, &n) != 6 ||
        n != 19 || !strchr("Z.+", text[19]))
        return 0;
    return (time_t)(((days_to(year, month, day) * 24 + hour) * 60 + minute) *
                        60 + second);
}

/* Copies a text member of a JSON map; NULL if it has none. */
static char *member(const struct json *map, const char *key)
{
    const char *text = json_text(json_member(map, key));

    return text ? copy(text, strlen(text)) : NULL;
}

/*
 * Keys from JSON, as containers, instances and credential processes write it.
 * who: for messages
 */
static int from_json(const struct buf *text, const char *token_key,
                     const char *who, struct creds *creds, struct err *err)
{
    struct json *j = json_parse(buf_text(text), text->len, err);
    const char *expires;

    if (!j) /* the parser's message could quote a secret */
        return err_set(err, ERR_DATA, "%s: its answer is no JSON", who);
    creds->access = member(j, "AccessKeyId");
    creds->secret = member(j, "SecretAccessKey");
    creds->token = member(j, token_key);
    expires = json_text(json_member(j, "Expiration"));
    creds->expires = expires ? creds_time(expires) : 0;
    json_close(j);
    if (!creds->access || !creds->secret)
        return err_set(err, ERR_DATA, "%s: its answer holds no keys", who);
    return 1;
}

/* Keys that a profile's credential_process prints. */
static int from_process(const char *command, struct creds *creds,
                        struct err *err)
{
    struct buf out = {0};
    char chunk[1024];
    FILE *pipe = popen(command, "r");
    size_t n;
    int rc;

    if (!pipe)
        return err_errno(err, "credential_process");
    while ((n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
        buf_put(&out, chunk, n);
    rc = pclose(pipe);
    if (rc)
        rc = err_set(err, ERR_DENIED, "credential_process: it failed");
    else
        rc = from_json(&out, "SessionToken", "credential_process", creds, err);
    memset(chunk, 0, sizeof(chunk));
    if (out.data)
        memset(out.data, 0, out.len);
    buf_release(&out);
    return rc;
}

/* Keys of the profile. Returns 1 with keys, 0 without. */
static int from_profile(const struct creds_env *env, struct creds *creds,
                        struct err *err)
{
    struct profile p;
    char *command;
    int got;

    if (profile_open(env, &p, err))
        return -1;
    got = from_section(buf_text(&p.credentials), p.name, creds, err);
    if (got == 0)
        got = from_section(buf_text(&p.config), p.section, creds, err);
    if (got == 0) {
        command = creds_ini(buf_text(&p.credentials), p.name, NULL,
                            "credential_process");
        if (!command)
            command = creds_ini(buf_text(&p.config), p.section, NULL,
                                "credential_process");
        if (command)
            got = from_process(command, creds, err);
        free(command);
    }
    profile_release(&p);
    return got;
}

/* Puts the one header that ctx names into a request. */
static int put_header(void *ctx, const struct http_request *r,
                      struct buf *lines, struct err *err)
{
    (void)r;
    buf_printf(lines, "%s\n", (const char *)ctx);
    return buf_check(lines, err);
}

/*
 * Asks a metadata service; the answer is in r->body.
 * header: one header line, "": none
 */
static int ask(struct http *http, struct http_request *r, const char *url,
               const char *header, struct err *err)
{
    r->url = url;
    r->name = "the service that hands out keys";
    r->direct = true;
    r->n_tries = METADATA_TRIES;
    r->connect_s = METADATA_CONNECT_S;
    r->max_size = METADATA_MAX;
    if (*header) {
        r->headers = put_header;
        r->ctx = (void *)(size_t)header;
    }
    return http_run(http, r, err);
}

/* Reads the token a container's service wants, as a header line. */
static int container_token(const struct creds_env *env, struct buf *header,
                           struct err *err)
{
    const char *token = get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    const char *path = get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    struct buf text = {0};
    int rc = 0;

    if (path) {
        rc = files_read(path, path, 0, METADATA_MAX, &text, err);
        while (text.len && isspace((unsigned char)text.data[text.len - 1]))
            text.data[--text.len] = '\0';
        token = text.len ? text.data : NULL;
    }
    if (!rc && token && strpbrk(token, "\r\n"))
        rc = err_set(err, ERR_USAGE, "AWS_CONTAINER_AUTHORIZATION_TOKEN: has "
                                     "a line break");
    if (!rc && token)
        buf_printf(header, "Authorization: %s", token);
    buf_release(&text);
    return rc ? rc : buf_check(header, err);
}

/*
 * Whether a service's URL may be asked: over TLS any host, else this machine
 * and the addresses that container services have, as the AWS tools do.
 */
static bool is_service(const char *url)
{
    static const char *const hosts[] = {"localhost",       "[::1]",
                                        "169.254.170.2",   "169.254.170.23",
                                        "[fd00:ec2::23]", NULL};
    const char *host;
    size_t n, i;

    if (strncasecmp(url, "https://", 8) == 0)
        return true;
    if (strncasecmp(url, "http://", 7) != 0)
        return false;
    host = url + 7;
    n = *host == '[' ? strcspn(host, "]/?#@") + 1 : strcspn(host, ":/?#@");
    if (memchr(host, '@', strcspn(host, "/?#")))
        return false;
    if (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n)
        return true;
    for (i = 0; hosts[i]; i++) {
        if (strlen(hosts[i]) == n && strncasecmp(hosts[i], host, n) == 0)
            return true;
    }
    return false;
}

/* Keys of the container's service. Returns 1 with keys, 0 without. */
static int from_container(const struct creds_env *env, struct http *http,
                          struct creds *creds, struct err *err)
{
    const char *path = get(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = get(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct buf url = {0}, header = {0};
    struct http_request r = {0};
    int rc;

    if (!path && !full)
        return 0;
    if (!path && !is_service(full))
        return err_set(err, ERR_USAGE,
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI: want https, or "
                       "http on this machine");
    buf_printf(&url, "%s%s", path ? CONTAINER_HOST : "", path ? path : full);
    rc = buf_check(&url, err);
    if (!rc)
        rc = container_token(env, &header, err);
    if (!rc)
        rc = ask(http, &r, url.data, buf_text(&header), err);
    if (!rc && r.status != 200)
        rc = err_set(err, ERR_DENIED, "the container's keys: status %ld",
                     r.status);
    if (!rc)
        rc = from_json(&r.body, "Token", "the container's keys", creds, err);
    http_release(&r);
    buf_release(&url);
    buf_release(&header);
    return rc;
}

/* The token of the instance's service, as a header line. */
static int imds_token(struct http *http, const char *host, struct buf *header,
                      struct err *err)
{
    struct http_request r = {.method = "PUT", .upload = ""};
    struct buf url = {0};
    int rc;

    buf_printf(&url, "%s/latest/api/token", host);
    rc = buf_check(&url, err);
    if (!rc)
        rc = ask(http, &r, url.data,
                 "X-aws-ec2-metadata-token-ttl-seconds: 21600", err);
    if (!rc && (r.status != 200 || strpbrk(buf_text(&r.body), "\r\n")))
        rc = err_set(err, ERR_AGAIN, "the instance's token: status %ld",
                     r.status);
    if (!rc)
        buf_printf(header, "X-aws-ec2-metadata-token: %s", buf_text(&r.body));
    http_release(&r);
    buf_release(&url);
    return rc ? rc : buf_check(header, err);
}

/* Keys of the instance's role. Returns 1 with keys, 0 without. */
static int from_instance(const struct creds_env *env, struct http *http,
                         struct creds *creds, struct err *err)
{
    const char *host = get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    struct http_request role = {0}, keys = {0};
    struct buf header = {0}, url = {0};
    int rc = 0;

    if (is_on(env, "AWS_EC2_METADATA_DISABLED"))
        return 0;
    host = host ? host : IMDS_HOST;
    if (imds_token(http, host, &header, err))
        goto out; /* no instance of theirs */
    buf_printf(&url, "%s/latest/meta-data/iam/security-credentials/", host);
    rc = buf_check(&url, err);
    if (!rc)
        rc = ask(http, &role, url.data, header.data, err);
    if (rc || role.status != 200 || role.body.len == 0)
        goto out; /* an instance without a role */
    buf_printf(&url, "%.*s", (int)strcspn(role.body.data, "\r\n"),
               role.body.data);
    rc = buf_check(&url, err);
    if (!rc)
        rc = ask(http, &keys, url.data, header.data, err);
    if (!rc && keys.status != 200)
        rc = err_set(err, ERR_AGAIN, "the instance's keys: status %ld",
                     keys.status);
    if (!rc)
        rc = from_json(&keys.body, "Token", "the instance's keys", creds, err);
out:
    http_release(&role);
    http_release(&keys);
    buf_release(&header);
    buf_release(&url);
    return rc;
}

/* Keys from the environment. Returns 1 with keys, 0 without. */
static int from_env(const struct creds_env *env, struct creds *creds)
{
    const char *access = get(env, "AWS_ACCESS_KEY_ID");
    const char *secret = get(env, "AWS_SECRET_ACCESS_KEY");
    const char *token = get(env, "AWS_SESSION_TOKEN");

    if (!access || !secret)
        return 0;
    creds->access = copy(access, strlen(access));
    creds->secret = copy(secret, strlen(secret));
    if (token)
        creds->token = copy(token, strlen(token));
    return 1;
}

int creds_load(const struct creds_env *env, struct http *http,
               struct creds *creds, struct err *err)
{
    int got;

    *creds = (struct creds){0};
    if (!env || !env->get || is_on(env, "AWS_NO_SIGN_REQUEST"))
        return 0;
    got = from_env(env, creds);
    if (got == 0)
        got = from_profile(env, creds, err);
    if (got == 0 && http)
        got = from_container(env, http, creds, err);
    if (got == 0 && http)
        got = from_instance(env, http, creds, err);
    if (got > 0 && (!creds->access || !creds->secret))
        got = err_set(err, ERR_FAILED, "out of memory for keys");
    if (got > 0 && (strpbrk(creds->access, "\r\n") ||
                    (creds->token && strpbrk(creds->token, "\r\n"))))
        got = err_set(err, ERR_USAGE, "the S3 keys: one has a line break");
    if (got < 0)
        creds_release(creds);
    return got < 0 ? -1 : 0;
}
