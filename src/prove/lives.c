/* lives.c: starts, signals and buries child processes. */
#include "prove/lives.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prove/moment.h"

enum { EXIT_NOT_STARTED = 127, SIGNAL_BASE = 128 };

extern char **environ;

/* Between fork and exec in a process with threads: nothing but plain system calls. */
static _Noreturn void become(char *const argv[], char *const envp[], int log_fd, pid_t parent)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)setpgid(0, 0); /* Ctrl-C is for us, not for it */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0) {
        _exit(EXIT_NOT_STARTED);
    }
    /* Old kernels lack it; what would stay open then does no harm. */
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    (void)execve(argv[0], argv, envp);
    _exit(EXIT_NOT_STARTED);
}

int prove_life_start(struct prove_life *life, char *const argv[], char *const envp[],
                     const char *log_path, struct weir_error *err)
{
    int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t parent = getpid();
    pid_t pid;

    if (log_fd < 0) {
        return weir_error_set_errno(err, WEIR_EIO, errno, "cannot open %s", log_path);
    }
    pid = fork();
    if (pid == 0) {
        become(argv, envp, log_fd, parent);
    }
    int fork_errno = errno;
    (void)close(log_fd);
    if (pid < 0) {
        return weir_error_set_errno(err, WEIR_EIO, fork_errno, "cannot start %s", argv[0]);
    }
    (void)setpgid(pid, pid); /* the child does it too: whoever is first */
    *life = (struct prove_life){ .pid = pid, .started_at = prove_now() };
    return WEIR_OK;
}

static int exit_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? SIGNAL_BASE + WTERMSIG(wait_status)
                                    : WEXITSTATUS(wait_status);
}

bool prove_life_ended(struct prove_life *life, int *ret_status)
{
    int status = 0;

    if (life->pid == 0) {
        *ret_status = 0;
        return true;
    }
    if (waitpid(life->pid, &status, WNOHANG) != life->pid) {
        return false;
    }
    life->pid = 0;
    life->status = exit_status(status);
    *ret_status = life->status;
    return true;
}

bool prove_life_wait(struct prove_life *life, double seconds, int *ret_status)
{
    double until = prove_now() + seconds;

    while (!prove_life_ended(life, ret_status)) {
        if (prove_now() > until || prove_interrupted()) {
            return false;
        }
        prove_sleep(0.002);
    }
    return true;
}

bool prove_life_kill(struct prove_life *life)
{
    int status = 0;

    if (life->pid == 0 || prove_life_ended(life, &status)) {
        return false;
    }
    (void)kill(-life->pid, SIGKILL); /* LV1: the group, for commands that start others */
    while (waitpid(life->pid, &status, 0) < 0 && errno == EINTR) {
    }
    life->pid = 0;
    life->is_frozen = false;
    life->status = exit_status(status);
    return life->status == SIGNAL_BASE + SIGKILL;
}

static void signal_life(const struct prove_life *life, int number)
{
    if (life->pid != 0) {
        (void)kill(-life->pid, number); /* LV1: not waited for, so it is still ours */
    }
}

void prove_life_freeze(struct prove_life *life)
{
    signal_life(life, SIGSTOP);
    life->is_frozen = true;
}

void prove_life_thaw(struct prove_life *life)
{
    signal_life(life, SIGCONT);
    life->is_frozen = false;
}

void prove_life_terminate(struct prove_life *life)
{
    signal_life(life, SIGTERM);
}

int prove_life_shell(const char *command, const char *log_path, double seconds, int *ret_status,
                     struct weir_error *err)
{
    char *argv[] = { "/bin/sh", "-c", (char *)command, NULL };
    struct prove_life life = { 0 };
    int rc = prove_life_start(&life, argv, environ, log_path, err);

    if (rc == WEIR_OK && !prove_life_wait(&life, seconds, ret_status)) {
        (void)prove_life_kill(&life);
        rc =
            weir_error_set(err, WEIR_EIO, "'%s' did not end within %.0f seconds", command, seconds);
    }
    return rc;
}
