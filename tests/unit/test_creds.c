/*
 * test_creds - keys and servers as the AWS tools find them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/creds.h"
#include "tap.h"

/* The environment of the tests: names and values, NULL ends it. */
static const char *environment[16];

/* getenv() for it. */
static char *look(const char *name)
{
    size_t i;

    for (i = 0; environment[i]; i += 2) {
        if (strcmp(environment[i], name) == 0)
            return (char *)(size_t)environment[i + 1];
    }
    return NULL;
}

/* It as creds wants it. */
static const struct creds_env env = {look};

/* Sets up to three names; NULL ends them. */
static void set(const char *a, const char *b, const char *c, const char *d,
                const char *e, const char *f)
{
    const char *all[] = {a, b, c, d, e, f};
    size_t i;

    for (i = 0; i < 6; i++)
        environment[4 + i] = all[i];
    environment[10] = NULL;
    if (!a)
        environment[4] = NULL;
}

/* The keys are these; NULL: none. */
static void check_keys(const char *name, const char *access, const char *secret,
                       const char *token)
{
    struct creds creds;
    struct err err;

    tap_ok(creds_load(&env, NULL, &creds, &err) == 0, "%s", name);
    tap_is(creds.access, access, name);
    tap_is(creds.secret, secret, name);
    tap_is(creds.token, token, name);
    creds_release(&creds);
}

/* Keys come from the environment, then from the profiles. */
static void test_keys(void)
{
    struct creds creds;
    struct err err;

    set("AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "ES", NULL, NULL);
    check_keys("environment", "E", "ES", NULL);
    set("AWS_ACCESS_KEY_ID", "E", "AWS_SECRET_ACCESS_KEY", "ES",
        "AWS_SESSION_TOKEN", "ET");
    check_keys("environment with token", "E", "ES", "ET");
    set("AWS_ACCESS_KEY_ID", "E", NULL, NULL, NULL, NULL);
    check_keys("half an environment", "D", "DS", NULL);
    set(NULL, NULL, NULL, NULL, NULL, NULL);
    check_keys("default profile", "D", "DS", NULL);
    set("AWS_PROFILE", "other", NULL, NULL, NULL, NULL);
    check_keys("a profile", "O", "O=S", "OT");
    set("AWS_PROFILE", "late", NULL, NULL, NULL, NULL);
    check_keys("a profile of the config file", "L", "LS", NULL);
    set("AWS_PROFILE", "process", NULL, NULL, NULL, NULL);
    check_keys("a credential process", "P", "PS", "PT");
    set("AWS_PROFILE", "plain", NULL, NULL, NULL, NULL);
    check_keys("a profile without keys", NULL, NULL, NULL);
    set("AWS_NO_SIGN_REQUEST", "YES", NULL, NULL, NULL, NULL);
    check_keys("unsigned", NULL, NULL, NULL);
    set("AWS_PROFILE", "none", NULL, NULL, NULL, NULL);
    tap_ok(creds_load(&env, NULL, &creds, &err) == -1 &&
               err.status == ERR_USAGE, "no such profile: %s", err.text);
    set("AWS_PROFILE", "half", NULL, NULL, NULL, NULL);
    tap_ok(creds_load(&env, NULL, &creds, &err) == -1 &&
               err.status == ERR_USAGE && !strstr(err.text, "HID"),
           "half a profile: %s", err.text);
}

/* Where requests go. */
static void check_site(const char *name, const char *endpoint,
                       const char *region, enum creds_style style)
{
    struct creds_site site;
    struct err err;

    tap_ok(creds_site_load(&env, &site, &err) == 0, "%s", name);
    tap_is(site.endpoint, endpoint, name);
    tap_is(site.region, region, name);
    tap_ok(site.style == style, "%s: style", name);
    creds_site_release(&site);
}

/* The endpoint, region and style of the environment and the profiles. */
static void test_site(void)
{
    struct creds_site site;
    struct err err;

    set(NULL, NULL, NULL, NULL, NULL, NULL);
    check_site("nothing", NULL, "us-east-1", CREDS_AUTO);
    set("AWS_ENDPOINT_URL", "http://h:1/", "AWS_DEFAULT_REGION", "r1", NULL,
        NULL);
    check_site("environment", "http://h:1", "r1", CREDS_AUTO);
    set("AWS_ENDPOINT_URL", "http://h:1", "AWS_ENDPOINT_URL_S3", "http://s:2",
        "AWS_REGION", "r2");
    check_site("its S3 endpoint", "http://s:2", "r2", CREDS_AUTO);
    set("AWS_PROFILE", "late", NULL, NULL, NULL, NULL);
    check_site("profile", "http://late:3", "eu-west-1", CREDS_VIRTUAL);
    set("AWS_PROFILE", "late", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true",
        NULL, NULL);
    check_site("endpoints ignored", NULL, "eu-west-1", CREDS_VIRTUAL);
    set("AWS_PROFILE", "plain", NULL, NULL, NULL, NULL);
    check_site("services", "http://services:4", "us-east-1", CREDS_PATH);
    set("AWS_ENDPOINT_URL", "host:1", NULL, NULL, NULL, NULL);
    tap_ok(creds_site_load(&env, &site, &err) == -1 &&
               err.status == ERR_USAGE, "no URL: %s", err.text);
    set("AWS_ENDPOINT_URL", "http://key:secret@h", NULL, NULL, NULL, NULL);
    tap_ok(creds_site_load(&env, &site, &err) == -1 &&
               !strstr(err.text, "secret"), "a password: %s", err.text);
    set("AWS_MAX_ATTEMPTS", "x", NULL, NULL, NULL, NULL);
    tap_ok(creds_site_load(&env, &site, &err) == -1 &&
               err.status == ERR_USAGE, "no number: %s", err.text);
}

/* Writes a file. */
static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    if (!out || fputs(text, out) < 0 || fclose(out))
        tap_ok(false, "cannot write %s", path);
}

int main(void)
{
    char folder[] = "/tmp/test_creds.XXXXXX", one[64], two[64];

    if (!mkdtemp(folder))
        return 1;
    snprintf(one, sizeof(one), "%s/credentials", folder);
    snprintf(two, sizeof(two), "%s/config", folder);
    write_file(one, "# keys\n[default]\naws_access_key_id = D\n"
                    "aws_secret_access_key=DS\n\n[ other ]\r\n"
                    "aws_access_key_id=O\r\naws_secret_access_key = O=S\r\n"
                    "aws_session_token = OT\r\n"
                    "[half]\naws_access_key_id = HID\n");
    write_file(two, "[profile late]\nregion = eu-west-1\n"
                    "endpoint_url = http://late:3/\n"
                    "aws_access_key_id = L\naws_secret_access_key = LS\n"
                    "s3 =\n  max_concurrent_requests = 5\n"
                    "  addressing_style = virtual\n"
                    "[profile process]\ncredential_process = echo "
                    "'{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":"
                    "\"PS\",\"SessionToken\":\"PT\",\"Expiration\":"
                    "\"2126-01-02T03:04:05Z\"}'\n"
                    "[profile plain]\nservices = mine\n"
                    "s3 =\n\taddressing_style = path\n"
                    "[services mine]\nec2 =\n  endpoint_url = http://ec2:5\n"
                    "s3 =\n  endpoint_url = http://services:4\n");
    environment[0] = "AWS_SHARED_CREDENTIALS_FILE";
    environment[1] = one;
    environment[2] = "AWS_CONFIG_FILE";
    environment[3] = two;
    test_keys();
    test_site();
    tap_ok(creds_time("2026-01-02T03:04:05Z") == 1767323045 &&
               creds_time("2024-02-29T00:00:00.5Z") == 1709164800 &&
               creds_time("soon") == 0, "times");
    unlink(one);
    unlink(two);
    rmdir(folder);
    return tap_done();
}
