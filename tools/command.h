/* SPDX-License-Identifier: MIT */
/*
 * What all verbs of the command share: options, help, the context, messages, exit codes.
 *
 * A verb is a constant description and a function. The function declares where its options are stored, calls
 * graft_command_begin, and returns its exit code; results go to stdout, everything else to stderr.
 */
#ifndef GRAFT_TOOLS_COMMAND_H
#define GRAFT_TOOLS_COMMAND_H

#include "graft/device.h"

#include <pthread.h>

enum graft_exit {
    GRAFT_EXIT_GO_ON = -1, /* of graft_command_begin and the like: nothing to return yet */
    GRAFT_EXIT_DONE = 0,
    GRAFT_EXIT_FAILED = 1,
    GRAFT_EXIT_USAGE = 2,
    GRAFT_EXIT_NOTHING = 77,
    GRAFT_EXIT_INTERRUPTED = 130, /* by Ctrl-C; what a shell expects */
    GRAFT_EXIT_CLOSED = 141       /* nobody reads what is printed (| head): what a shell expects of SIGPIPE */
};

enum graft_option_kind {
    GRAFT_OPTION_FLAG,    /* bool */
    GRAFT_OPTION_TEXT,    /* const char * */
    GRAFT_OPTION_INTEGER, /* int64_t in least..most */
    GRAFT_OPTION_SIDES,   /* int64_t[2]: "224", or height and width: "192x256"; one of a square is 224 and 0 */
    GRAFT_OPTION_REAL,    /* double in least..most */
    GRAFT_OPTION_BYTES    /* uint64_t: "1500000", "512M", "2G" (powers of 1024) */
};

struct graft_option {
    const char *name;     /* "--top" */
    const char *argument; /* "K"; NULL for a flag */
    const char *help;
    enum graft_option_kind kind;
    void *target;
    double least, most; /* of numbers */
    const char *usual;  /* the default, for the help; NULL: none */
    bool *given;        /* NULL, or set when the option is there */
};

struct graft_command;

struct graft_verb {
    const char *name;
    const char *operands; /* "RUN-or-MODEL IMAGE..." */
    const char *purpose;  /* one line, no full stop */
    const char *examples; /* whole lines: two spaces, the command; more spaces, what it does */
    const char *notes;    /* whole lines, or NULL */
    int least, most;      /* number of operands; most < 0: any */
    bool cancels;         /* the verb ends by itself when the context is cancelled; else Ctrl-C just kills */
    bool writes_files; /* results lie in files: it is no failure if what is said of them cannot be printed */
    int (*run)(struct graft_command *command);
};

struct graft_command {
    const struct graft_verb *verb;
    char **arguments; /* behind the verb */
    int argument_count;
    const char **operands;
    int operand_count;
    bool json, quiet;
    int output_error;   /* errno of the first failure to print; 0: none */
    const char *device; /* NULL: not given */
    int64_t threads;
    int64_t seed;
    struct graft_context *context;
    /* processes that were started together: see together.h */
    struct graft_ranks *ranks; /* NULL: this one is alone */
    struct graft_context *together;
    int rank;
    char said[512]; /* the latest error of one that does not speak itself */
    /* the line of progress on the terminal */
    pthread_mutex_t lock;
    bool terminal, line_shown;
    /* remarks that are told behind the next one */
    bool waits;
    char waiting[512];
    double line_time;
};

/*
 * Reads the options (at most 96 of the verb's own), answers --help, opens the context and takes over Ctrl-C.
 * Returns GRAFT_EXIT_GO_ON, or what the verb must return.
 */
GRAFT_MUST_CHECK int graft_command_begin(struct graft_command *command, const struct graft_option *options,
                                         size_t count);
/* Remarks wait from now on until graft_command_opened, and then for one to stand before them: that on the device for that
 * on the network. graft_command_tell_waiting: no other will come. */
void graft_command_let_wait(struct graft_command *command);
void graft_command_opened(struct graft_command *command);
void graft_command_tell_waiting(struct graft_command *command);
/* Notes whether printing went well, while errno is known. */
void graft_command_printed(struct graft_command *command, bool done);
/* Hands to stdout what was printed so far. False: it cannot be written, and going on makes no sense. */
bool graft_command_flush(struct graft_command *command);
/* Closes the context; says if stdout could not be written, but for a pipe that was closed. Returns `code`,
 * GRAFT_EXIT_FAILED or GRAFT_EXIT_CLOSED. */
int graft_command_end(struct graft_command *command, int code);

/* "graft: …" on stderr, from the context; returns GRAFT_EXIT_FAILED or GRAFT_EXIT_INTERRUPTED. */
int graft_command_failed(struct graft_command *command, enum graft_status status);
/* The same for a name that the user gave: a name that is not known or makes no sense is GRAFT_EXIT_USAGE. */
int graft_command_failed_name(struct graft_command *command, enum graft_status status);
/* "graft: …" and where help is, on stderr; returns GRAFT_EXIT_USAGE. */
int graft_command_usage(struct graft_command *command, const char *format, ...) GRAFT_PRINTF(2, 3);
/* "graft: …" on stderr; returns GRAFT_EXIT_FAILED. */
int graft_command_error(struct graft_command *command, const char *format, ...) GRAFT_PRINTF(2, 3);
/* A line on stderr, unless --quiet. */
void graft_command_remark(struct graft_command *command, const char *format, ...) GRAFT_PRINTF(2, 3);

/* Shows a line that the next one overwrites; only on a terminal, and not more often than ten times a second.
 */
void graft_command_progress(struct graft_command *command, const char *format, ...) GRAFT_PRINTF(2, 3);
/* Takes it away. */
void graft_command_progress_end(struct graft_command *command);

/*
 * Opens --device. "auto" is the device that is the fastest for `network` (NULL: not known), as measured now
 * or before; where no device is named, it is what was measured before, else `cpu`. GRAFT_EXIT_GO_ON or an
 * exit code.
 */
GRAFT_MUST_CHECK int graft_command_open_device(struct graft_command *command, const char *network, bool train,
                                               struct graft_device **device);
/* The same for one of several names: "cpu,opencl:0" is walked with *rest, which starts as the list and ends
 * as NULL. */
GRAFT_MUST_CHECK int graft_command_next_device(struct graft_command *command, const char **rest, char *name,
                                               size_t size);

/* The index of `name` among `names`, or -1 with a usage message: "--pool is avg, max or none, not 'avgg'; …".
 */
int graft_command_choice(struct graft_command *command, const char *option, const char *name,
                         const char *const *names, int count);

#endif
