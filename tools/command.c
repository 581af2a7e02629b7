/* SPDX-License-Identifier: MIT */
/* The life of a verb: context, Ctrl-C, messages, devices. Options are in options.c. */
#include "command.h"

#include "base/clock.h"
#include "base/text.h"
#include "graft/ranks.h"
#include "graft/train.h"
#include "io/network_source.h"
#include "options.h"
#include "terminal.h"
#include "together.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 4096

/* A signal handler has no argument: the one place where the program keeps something outside of the command.
 */
static struct graft_context *volatile interrupted_context;
static volatile sig_atomic_t interrupted_silently;

static void on_interrupt(int signal_number)
{
    static const char said[] = "\ngraft: ending; Ctrl-C again ends at once\n";
    struct graft_context *const context = interrupted_context;
    /* A terminal that goes away may say so more than once. */
    if (context == NULL || (graft_context_cancelled(context) && signal_number != SIGHUP)) {
        _exit(GRAFT_EXIT_INTERRUPTED);
    }
    graft_context_cancel(context);
    const ssize_t ignored = interrupted_silently ? 0 : write(STDERR_FILENO, said, sizeof said - 1);
    (void)ignored;
}

static void take_interrupts(struct graft_context *context)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    interrupted_context = context;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) { /* nohup */
        sigaction(SIGHUP, &action, NULL);
    }
    /* A file that grows beyond ulimit -f is a failure to write, which is told. */
    action.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &action, NULL);
}

/* The lock is held. */
static void clear_line(struct graft_command *command)
{
    if (command->line_shown) {
        fputs("\r\033[K", stderr);
        command->line_shown = false;
    }
}

static const char warning[] = "warning: ";

/* One line on stderr, whatever the text has in it. */
static void say(struct graft_command *command, const char *prefix, const char *text, const char *suffix)
{
    char raw[TEXT_SIZE], line[TEXT_SIZE], who[32] = "";
    if (command->rank > 0 && strcmp(prefix, warning) != 0) { /* the first process says it */
        snprintf(command->said, sizeof command->said, "%s%s", text, suffix);
        return;
    }
    if (command->rank > 0) {
        snprintf(who, sizeof who, "rank %d: ", command->rank);
    }
    snprintf(raw, sizeof raw, "%s%s%s%s", who, prefix, text, suffix);
    (void)graft_text_show(raw, line, sizeof line);
    pthread_mutex_lock(&command->lock);
    clear_line(command);
    errno = 0;
    graft_command_printed(command, fflush(stdout) == 0); /* where both go to one file, lines stay whole */
    fprintf(stderr, "%s\n", line);
    pthread_mutex_unlock(&command->lock);
}

void graft_command_let_wait(struct graft_command *command)
{
    command->waits = true;
}

void graft_command_opened(struct graft_command *command)
{
    command->waits = false;
}

void graft_command_tell_waiting(struct graft_command *command)
{
    char *rest = command->waiting, *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] != '\0') {
            say(command, "", line, "");
        }
    }
    if (command->waiting[0] != '\0') { /* others may log at the same time, once there is nothing */
        command->waiting[0] = '\0';
    }
}

static bool keep_waiting(struct graft_command *command, const char *text)
{
    const size_t used = strlen(command->waiting), left = sizeof command->waiting - used;
    if (!command->waits || strlen(text) + 2 > left) {
        return false;
    }
    snprintf(command->waiting + used, left, "%s\n", text);
    return true;
}

static void on_log(void *user, enum graft_log_level level, const char *text)
{
    struct graft_command *const command = user;
    if (level == GRAFT_LOG_PROGRESS && text[0] != '\0') {
        graft_command_progress(command, "%s", text);
    } else if (level == GRAFT_LOG_PROGRESS) {
        graft_command_progress_end(command);
    } else if (level == GRAFT_LOG_WARNING) {
        say(command, warning, text, "");
    } else if (!command->quiet && !keep_waiting(command, text)) {
        say(command, "", text, "");
        graft_command_tell_waiting(command);
    }
}

int graft_command_begin(struct graft_command *command, const struct graft_option *options, size_t count)
{
    pthread_mutex_init(&command->lock, NULL);
    command->terminal = graft_terminal_rewrites();
    const int done = graft_options_read(command, options, count);
    if (done != GRAFT_EXIT_GO_ON) {
        return done;
    }
    int threads = (int)command->threads, shared = 0;
    if (command->ranks != NULL && graft_ranks_threads(command->ranks, &shared) != GRAFT_OK) {
        return graft_command_error(command, "%s", graft_context_error(command->together));
    }
    const struct graft_context_options settings = {
        .log = on_log, .log_user = command, .threads = threads > 0 ? threads : shared};
    const enum graft_status status = graft_context_open(&settings, &command->context);
    if (status != GRAFT_OK) {
        return graft_command_error(command, "the library does not start: %s", graft_status_name(status));
    }
    if (command->verb->cancels) {
        interrupted_silently = command->rank > 0;
        take_interrupts(command->context);
    }
    return GRAFT_EXIT_GO_ON;
}

/* The reader of a pipe has gone away. */
static bool output_is_closed(int error)
{
    struct pollfd output = {.fd = STDOUT_FILENO};
    return error == EPIPE || (error == 0 && poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0);
}

void graft_command_printed(struct graft_command *command, bool done)
{
    if (!done && command->output_error == 0) {
        command->output_error = errno;
    }
}

bool graft_command_flush(struct graft_command *command)
{
    errno = 0;
    graft_command_printed(command, fflush(stdout) == 0);
    return ferror(stdout) == 0 && command->output_error == 0;
}

int graft_command_end(struct graft_command *command, int code)
{
    graft_command_progress_end(command);
    /* Where results lie in files, stdout only tells of them; the help is on stdout alone. */
    const bool told = command->verb->writes_files && command->context != NULL;
    if (!graft_command_flush(command) && !told) {
        const int error = command->output_error;
        if (output_is_closed(error)) {
            code = code == GRAFT_EXIT_DONE ? GRAFT_EXIT_CLOSED : code;
        } else {
            code = graft_command_error(command, "standard output cannot be written: %s",
                                       error != 0 ? strerror(error) : "an earlier write failed");
        }
    }
    interrupted_context = NULL;
    graft_together_end(command, code);
    graft_context_close(&command->context);
    free(command->operands);
    command->operands = NULL;
    return code;
}

int graft_command_failed(struct graft_command *command, enum graft_status status)
{
    const char *const text = graft_context_error(command->context);
    if (status == GRAFT_ERROR_CANCELLED) {
        say(command, "graft: ", "interrupted", "");
        return GRAFT_EXIT_INTERRUPTED;
    }
    say(command, "graft: ", text[0] != '\0' ? text : graft_status_name(status), "");
    return GRAFT_EXIT_FAILED;
}

int graft_command_failed_name(struct graft_command *command, enum graft_status status)
{
    const int code = graft_command_failed(command, status);
    return status == GRAFT_ERROR_NOT_FOUND || status == GRAFT_ERROR_ARGUMENT ? GRAFT_EXIT_USAGE : code;
}

int graft_command_usage(struct graft_command *command, const char *format, ...)
{
    char text[TEXT_SIZE / 2];
    char suffix[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(suffix, sizeof suffix, " (see: graft %s --help)", command->verb->name);
    say(command, "graft: ", text, suffix);
    return GRAFT_EXIT_USAGE;
}

int graft_command_error(struct graft_command *command, const char *format, ...)
{
    char text[TEXT_SIZE / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say(command, "graft: ", text, "");
    return GRAFT_EXIT_FAILED;
}

void graft_command_remark(struct graft_command *command, const char *format, ...)
{
    char text[TEXT_SIZE / 2];
    va_list arguments;
    if (command->quiet) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say(command, "", text, "");
}

void graft_command_progress(struct graft_command *command, const char *format, ...)
{
    char text[TEXT_SIZE / 2];
    va_list arguments;
    const double now = graft_seconds();
    if (command->quiet || !command->terminal || now - command->line_time < 0.1) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char shown[TEXT_SIZE];
    (void)graft_text_show(text, shown, sizeof shown);
    /* A line that reaches the last column makes some terminals begin another one. */
    shown[graft_columns_fit(shown, graft_terminal_width() - 1)] = '\0';
    pthread_mutex_lock(&command->lock);
    fprintf(stderr, "\r%s\033[K", shown);
    fflush(stderr);
    command->line_shown = true;
    command->line_time = now;
    pthread_mutex_unlock(&command->lock);
}

void graft_command_progress_end(struct graft_command *command)
{
    pthread_mutex_lock(&command->lock);
    clear_line(command);
    pthread_mutex_unlock(&command->lock);
}

int graft_command_open_device(struct graft_command *command, const char *network, bool train,
                              struct graft_device **device)
{
    const char *const which = command->device != NULL ? command->device : "auto";
    /* What is measured is remembered by a network's name; a file has none. */
    const bool named = network != NULL && network[0] != '\0' && !graft_network_is_file(network);
    const bool automatic = strcasecmp(which, "auto") == 0 && named;
    const struct graft_fastest_options fastest = {
        .network = network, .train = train, .measure = command->device != NULL};
    const enum graft_status status = automatic ? graft_device_open_fastest(command->context, &fastest, device)
                                               : graft_device_open(command->context, which, device);
    return status == GRAFT_OK ? GRAFT_EXIT_GO_ON : graft_command_failed_name(command, status);
}

int graft_command_next_device(struct graft_command *command, const char **rest, char *name, size_t size)
{
    const size_t length = strcspn(*rest, ",");
    bool fits = length < size;
    for (const char *at = *rest; at != NULL && fits;) { /* all of it, before the first device has begun */
        const size_t part = strcspn(at, ",");
        fits = part > 0;
        at = at[part] == ',' ? at + part + 1 : NULL;
    }
    if (!fits) {
        return graft_command_usage(command, "--device \"%s\" is no list of devices such as cpu,opencl:0",
                                   command->device);
    }
    memcpy(name, *rest, length);
    name[length] = '\0';
    *rest = (*rest)[length] == ',' ? *rest + length + 1 : NULL;
    return GRAFT_EXIT_GO_ON;
}

int graft_command_choice(struct graft_command *command, const char *option, const char *name,
                         const char *const *names, int count)
{
    char list[256] = "";
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s",
                 i == 0           ? ""
                 : i == count - 1 ? " or "
                                  : ", ",
                 names[i]);
    }
    const char *const nearest = graft_text_nearest(name, names, (size_t)count);
    graft_command_usage(command, "%s is %s, not \"%s\"%s%s%s", option, list, name,
                        nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                        nearest != NULL ? "?" : "");
    return -1;
}
