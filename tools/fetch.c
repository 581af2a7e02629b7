/* SPDX-License-Identifier: MIT */
/* Asking a server for a file, by libcurl. Redirections are followed here, so that each is looked at first. */
#include "fetch.h"

#include "base/clock.h"
#include "base/late.h"
#include "built_with.h"
#include "output.h"

#define CURL_DISABLE_TYPECHECK /* its macros name the functions that are looked up here */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_SECONDS 30
#define REDIRECTIONS 10
#define MOST_ASIDE (1 << 20)
#define SLOWEST 64 /* bytes a second: less is silence */

#define FUNCTIONS(X) \
    X(curl_easy_cleanup) X(curl_easy_getinfo) X(curl_easy_init) X(curl_easy_perform) X(curl_easy_reset) X(curl_easy_setopt) \
    X(curl_easy_strerror) X(curl_global_cleanup) X(curl_global_init)

/* The library brings 25 others along; no verb but pull needs it. */
struct libcurl {
    FUNCTIONS(GRAFT_LATE_MEMBER)
};

static const char *const function_names[] = {FUNCTIONS(GRAFT_LATE_NAME)};

#define COUNT (sizeof function_names / sizeof function_names[0])

struct transfer {
    struct libcurl library;
    struct graft_command *command;
    struct graft_fetch *fetch;
    struct graft_part *part;
    CURL *curl;
    char error[CURL_ERROR_SIZE];
    char url[4096];                   /* where the last redirection led to */
    long answer;                      /* HTTP's status; 0: none yet */
    int64_t range_first, range_total; /* of Content-Range; -1: not told */
    int64_t total;                    /* of the whole file; -1: not told */
    int64_t first;                    /* bytes that were there at the beginning */
    int64_t aside;                    /* bytes of pages that are not the file */
    double began;
    bool taken; /* the answer holds the file, or the rest of it */
    int code;   /* a failure of ours, which is said already */
};

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct transfer *const t = user;
    char text[256];
    const size_t length = size * count;
    const size_t kept = length < sizeof text - 1 ? length : sizeof text - 1;
    memcpy(text, line, kept);
    text[kept] = '\0';
    if (strncmp(text, "HTTP/", 5) == 0) {
        t->range_first = t->range_total = -1;
        t->taken = false;
    } else if (strncasecmp(text, "Content-Range:", 14) == 0) {
        long long first = -1, last = -1, total = -1;
        if (sscanf(text + 14, " bytes %lld-%lld/%lld", &first, &last, &total) >= 2) {
            t->range_first = first;
            t->range_total = total;
        }
    }
    return length;
}

/* The first bytes of an answer, or its end where it has none: what is it? */
static int take_answer(struct transfer *t)
{
    curl_off_t announced = -1;
    t->taken = true;
    (void)t->library.curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    if (t->answer == 206 && t->range_first != t->part->bytes) {
        return graft_command_error(
            t->command, "%s: the server sends another part of the file than the one that was asked for",
            t->url);
    }
    if (t->answer == 200 && t->part->bytes > 0) { /* it does not give parts */
        const int code = graft_part_restart(t->part);
        if (code != GRAFT_EXIT_GO_ON) {
            return code;
        }
    }
    t->first = t->part->bytes;
    t->began = graft_seconds();
    t->total = announced >= 0 && announced <= INT64_MAX - t->first ? t->first + announced : t->range_total;
    return t->total > t->first ? graft_part_room(t->part, t->total - t->first) : GRAFT_EXIT_GO_ON;
}

static size_t on_data(char *data, size_t size, size_t count, void *user)
{
    struct transfer *const t = user;
    const size_t length = size * count;
    (void)t->library.curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->answer);
    if (t->answer / 100 == 3) { /* curl tells where it leads when it has come to the end of it */
        t->aside += (int64_t)length;
        return t->aside <= MOST_ASIDE ? length : 0;
    }
    if (t->answer != 200 && t->answer != 206) {
        return 0; /* a page that says what is wrong: the number is enough */
    }
    if (!t->taken) {
        t->code = take_answer(t);
    }
    if (t->code == GRAFT_EXIT_GO_ON && t->fetch->most > 0 &&
        t->part->bytes + (int64_t)length > t->fetch->most) {
        t->code = graft_part_restart(t->part);
        if (t->code == GRAFT_EXIT_GO_ON) {
            t->code = graft_command_error(
                t->command, "%s: the server sends more than the file has (%lld bytes): it is another one",
                t->url, (long long)t->fetch->most);
        }
    }
    if (t->code == GRAFT_EXIT_GO_ON) {
        t->code = graft_part_add(t->part, data, length);
    }
    return t->code == GRAFT_EXIT_GO_ON ? length : 0;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
    struct transfer *const t = user;
    (void)total, (void)now, (void)up_total, (void)up;
    if (graft_context_cancelled(t->command->context)) {
        return 1;
    }
    if (!t->taken) {
        graft_command_progress(t->command, "asking for %s", t->url);
        return 0;
    }
    char done[32], all[48] = "", rate[32], left[64] = "", text[32];
    const double seconds = graft_seconds() - t->began;
    const double speed = seconds > 0.2 ? (double)(t->part->bytes - t->first) / seconds : 0;
    if (t->total > 0) {
        snprintf(all, sizeof all, " of %s", graft_show_bytes((uint64_t)t->total, text));
    }
    if (t->total > 0 && speed > 0) {
        snprintf(left, sizeof left, ", %s left",
                 graft_show_duration((double)(t->total - t->part->bytes) / speed, text));
    }
    const char *const slash = strrchr(t->fetch->path, '/');
    graft_command_progress(t->command, "%s: %s%s, %s/s%s", slash != NULL ? slash + 1 : t->fetch->path,
                           graft_show_bytes((uint64_t)t->part->bytes, done), all,
                           graft_show_bytes((uint64_t)speed, rate), left);
    return 0;
}

static bool set_options(struct transfer *t)
{
    const struct libcurl *const library = &t->library;
    CURL *const curl = t->curl;
    char range[32];
    snprintf(range, sizeof range, "%lld-", (long long)t->part->bytes);
    return library->curl_easy_setopt(curl, CURLOPT_URL, t->url) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_RANGE, t->part->bytes > 0 ? range : NULL) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_USERAGENT, "graft") == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)t->fetch->seconds) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_HEADERDATA, t) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t) == CURLE_OK &&
           library->curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

/* Why there is no answer, or not all of it. */
static int say_failure(struct transfer *t, CURLcode result)
{
    struct graft_command *const command = t->command;
    const char *const why = t->error[0] != '\0' ? t->error : t->library.curl_easy_strerror(result);
    const char *const goes_on =
        t->part->bytes > 0 && t->fetch->digits != NULL ? ": the same command goes on from there" : "";
    char so_far[96] = "";
    if (t->taken && t->total >= 0) {
        snprintf(so_far, sizeof so_far, " after %lld of %lld bytes", (long long)t->part->bytes,
                 (long long)t->total);
    } else if (t->taken) {
        snprintf(so_far, sizeof so_far, " after %lld bytes", (long long)t->part->bytes);
    }
    switch (result) {
    case CURLE_ABORTED_BY_CALLBACK:
        return graft_command_failed(command, GRAFT_ERROR_CANCELLED);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return graft_command_error(
            command,
            "no way to the server: %s. Without a network: fetch %s elsewhere and put it "
            "here as %s",
            why, t->url, t->fetch->path);
    case CURLE_OPERATION_TIMEDOUT:
        return t->taken || t->answer != 0
                   ? graft_command_error(command, "%s: the server hangs%s, silent for %lld s%s", t->url,
                                         so_far, (long long)t->fetch->seconds, goes_on)
                   : graft_command_error(command, "%s: the server does not answer: %s", t->url, why);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return graft_command_error(command, "%s: the server ended%s%s", t->url,
                                   so_far[0] != '\0' ? so_far : " without an answer", goes_on);
    default:
        return graft_command_error(command, "%s: %s%s%s", t->url, why, so_far, goes_on);
    }
}

static size_t scheme_length(const char *url)
{
    const char *const end = strstr(url, "://");
    return end != NULL ? (size_t)(end - url) : 0;
}

/* Where a redirection leads; another scheme is refused, downward and upward. */
static int follow(struct transfer *t)
{
    const char *next = NULL;
    const size_t length = scheme_length(t->url);
    if (t->library.curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &next) != CURLE_OK || next == NULL) {
        return graft_command_error(
            t->command, "%s: the server answers %ld and does not say where the file is", t->url, t->answer);
    }
    if (scheme_length(next) != length || strncasecmp(next, t->url, length) != 0) {
        return graft_command_error(
            t->command,
            "%s: the server sends to %s, with another scheme: not followed. If you trust "
            "it, give it as --url",
            t->url, next);
    }
    if (strlen(next) >= sizeof t->url) {
        return graft_command_error(t->command, "%s: the server sends to an address that is too long", t->url);
    }
    char copy[sizeof t->url];
    strcpy(copy, next); /* the handle owns it, and the next request ends it */
    strcpy(t->url, copy);
    return GRAFT_EXIT_GO_ON;
}

/* One request. GRAFT_EXIT_GO_ON with `again`: another one is to follow. */
static int ask(struct transfer *t, bool *again)
{
    *again = false;
    t->answer = 0;
    t->taken = false;
    t->error[0] = '\0';
    t->library.curl_easy_reset(t->curl);
    if (!set_options(t)) {
        return graft_command_error(t->command, "libcurl does not take what graft asks of it");
    }
    const CURLcode result = t->library.curl_easy_perform(t->curl);
    (void)t->library.curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->answer);
    if (t->code != GRAFT_EXIT_GO_ON) {
        return t->code;
    }
    const bool holds = t->answer == 200 || t->answer == 206;
    if (result != CURLE_OK && (result != CURLE_WRITE_ERROR || holds || t->answer == 0)) {
        return say_failure(t, result);
    }
    if (holds) {
        return t->taken ? GRAFT_EXIT_GO_ON : take_answer(t);
    }
    if (t->answer == 416 && t->part->bytes > 0) { /* there is no such part: ours is of another file */
        *again = true;
        return graft_part_restart(t->part);
    }
    if (t->answer / 100 == 3) {
        *again = true;
        return follow(t);
    }
    return t->answer == 404 || t->answer == 410
               ? graft_command_error(t->command, "%s: the server has no such file (%ld)", t->url, t->answer)
               : graft_command_error(t->command, "%s: the server answers %ld", t->url, t->answer);
}

static int ask_all(struct transfer *t)
{
    for (int i = 0; i <= REDIRECTIONS; i++) {
        bool again = false;
        const int code = ask(t, &again);
        if (code != GRAFT_EXIT_GO_ON || !again) {
            return code;
        }
    }
    return graft_command_error(t->command, "%s: the server sends from one place to another without end",
                               t->fetch->url);
}

/* From what is there of it to the end of the file. */
static int transfer(struct transfer *t)
{
    if (strlen(t->fetch->url) >= sizeof t->url) {
        return graft_command_error(t->command, "%s: the address is too long", t->fetch->url);
    }
    strcpy(t->url, t->fetch->url);
    int code = ask_all(t);
    if (code == GRAFT_EXIT_GO_ON && t->first > 0 && !graft_part_matches(t->part)) {
        graft_command_remark(t->command,
                             "what was there of the file does not fit its end: fetching all of it");
        strcpy(t->url, t->fetch->url);
        code = graft_part_restart(t->part);
        if (code == GRAFT_EXIT_GO_ON) {
            code = ask_all(t);
        }
    }
    graft_command_progress_end(t->command);
    return code;
}

static int with_library(struct transfer *t)
{
    char why[256];
    if (!graft_late_load(GRAFT_CURL_LIBRARY, function_names, COUNT, &t->library, why, sizeof why)) {
        return graft_command_error(t->command,
                                   "fetching takes libcurl, which cannot be loaded (%s): install it, or fetch %s by other "
                                   "means and put it here: %s",
                                   why, t->fetch->url, t->fetch->path);
    }
    const bool ready = t->library.curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    t->curl = ready ? t->library.curl_easy_init() : NULL;
    const int code = t->curl != NULL ? transfer(t) : graft_command_error(t->command, "libcurl does not start");
    t->library.curl_easy_cleanup(t->curl);
    if (ready) {
        t->library.curl_global_cleanup();
    }
    return code;
}

int graft_fetch(struct graft_command *command, struct graft_fetch *fetch)
{
    struct graft_part part;
    bool whole = false;
    int code = graft_part_open(&part, command, fetch, &whole);
    if (code == GRAFT_EXIT_GO_ON && !whole) {
        struct transfer t = {.command = command, .fetch = fetch, .part = &part, .code = GRAFT_EXIT_GO_ON};
        code = with_library(&t);
    }
    if (code == GRAFT_EXIT_GO_ON) {
        code = graft_part_finish(&part);
    }
    graft_part_close(&part);
    return code;
}
