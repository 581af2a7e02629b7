/* SPDX-License-Identifier: MIT */
/* The `graft` command: finds the verb and runs it. */
#include "command.h"

#include "base/text.h"
#include "verbs/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct graft_verb *const verbs[] = GRAFT_VERBS;
#define VERBS (sizeof verbs / sizeof verbs[0])

static void print_overview(void)
{
    printf("Graft trains and uses image networks, on the CPU and on OpenCL devices.\n\n"
           "  graft fit photos --model squeezenet1_0 --weights squeezenet1_0.safetensors\n"
           "                                    learns the classes of photos/CLASS/*.jpg into a folder "
           "runs/...\n"
           "  graft predict runs/photos-squeezenet1_0-1 new.jpg\n"
           "                                    says which class a picture is of\n"
           "  graft evaluate runs/photos-squeezenet1_0-1 more-photos\n"
           "                                    says how often that is right\n\n");
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

static int finish_overview(void)
{
    print_overview();
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
        printf("graft %s\n", GRAFT_VERSION);
        return GRAFT_EXIT_DONE;
    }
    bool help = strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    if (help && count < 3) {
        return finish_overview();
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
