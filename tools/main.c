/* SPDX-License-Identifier: MIT */
/* The `graft` command: finds the verb and runs it. */
#include "command.h"

#include "base/text.h"
#include "built_with.h"
#include "commit.h"
#include "output.h"
#include "verbs/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct graft_verb *const verbs[] = {
#define GRAFT_VERB(name) &graft_verb_##name,
#include "verbs.def"
#undef GRAFT_VERB
};
#define VERBS (sizeof verbs / sizeof verbs[0])

static const char purpose[] = "Graft trains and uses image networks, on the CPU and on OpenCL devices.";
static const char examples[] =
    "  graft fit photos --model squeezenet1_0 --weights squeezenet1_0.safetensors\n"
    "                                    learns the classes of photos/CLASS/*.jpg into a folder runs/...\n"
    "  graft predict runs/photos-squeezenet1_0-1 new.jpg\n"
    "                                    says which class a picture is of\n"
    "  graft evaluate runs/photos-squeezenet1_0-1 more-photos\n"
    "                                    says how often that is right\n";

static void print_overview(void)
{
    printf("%s\n\n%s\n", purpose, examples);
    for (size_t i = 0; i < VERBS; i++) {
        printf("  %-10s %s\n", verbs[i]->name, verbs[i]->purpose);
    }
    printf("\nEach explains itself by example: graft fit --help\n");
}

static int unknown_verb(const char *name)
{
    const char *names[VERBS];
    for (size_t i = 0; i < VERBS; i++) {
        names[i] = verbs[i]->name;
    }
    const char *const nearest = graft_text_nearest(name, names, VERBS);
    fprintf(stderr, "graft: there is no verb \"%s\"%s%s%s (a bare \"graft\" lists them)\n", name,
            nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
            nearest != NULL ? "?" : "");
    return GRAFT_EXIT_USAGE;
}

/* Of which each verb says more: graft VERB --help --json. */
static int print_overview_json(void)
{
    json_t *const names = json_array();
    for (size_t i = 0; i < VERBS; i++) {
        graft_json_add_item(names, json_string(verbs[i]->name));
    }
    struct graft_command command = {.verb = verbs[0]};
    return graft_json_print(&command, json_pack("{s:s, s:s, s:s, s:s, s:o}", "version", GRAFT_VERSION, "commit",
                                                GRAFT_COMMIT, "purpose", purpose, "examples", examples, "verbs",
                                                names));
}

static void print_version(void)
{
    printf("graft %s, commit %s\nwith %s\n", GRAFT_VERSION, GRAFT_COMMIT, GRAFT_FEATURES);
    if (GRAFT_FEATURES_ABSENT[0] != '\0') {
        printf("without %s\n", GRAFT_FEATURES_ABSENT);
    }
}

static int finish(void (*print)(void))
{
    print();
    return fflush(stdout) == 0 ? GRAFT_EXIT_DONE : errno == EPIPE ? GRAFT_EXIT_CLOSED : GRAFT_EXIT_FAILED;
}

/*
 * A descriptor that is closed is taken, so that no file that is opened later becomes standard output; writing
 * to it fails as before.
 */
static void take_descriptors(void)
{
    for (int descriptor = 0; descriptor < 3; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF &&
            open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor) {
            _exit(GRAFT_EXIT_FAILED);
        }
    }
}

int main(int count, char **arguments)
{
    take_descriptors();
    if (isatty(STDOUT_FILENO) != 1) {
        setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* most output fails at the end, when errno is known */
    }
    signal(SIGPIPE, SIG_IGN); /* work goes on without a reader of its remarks */
    signal(SIGXFSZ, SIG_IGN); /* so is a limit on the size of files */
    const char *const word = count > 1 ? arguments[1] : "help";
    if (strcmp(word, "--version") == 0) {
        return finish(print_version);
    }
    bool help = strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    if (help && count < 3) {
        return finish(print_overview);
    }
    if (help && strcmp(arguments[2], "--json") == 0) {
        const int code = print_overview_json();
        return fflush(stdout) == 0 ? code : GRAFT_EXIT_FAILED;
    }
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i]->name, help ? arguments[2] : word) == 0) {
            static char help_option[] = "--help"; /* "graft help fit" is "graft fit --help" */
            char *only[] = {help_option};
            struct graft_command command = {.verb = verbs[i],
                                            .arguments = help ? only : arguments + 2,
                                            .argument_count = help ? 1 : count - 2};
            return graft_command_end(&command, verbs[i]->run(&command));
        }
    }
    return unknown_verb(help ? arguments[2] : word);
}
