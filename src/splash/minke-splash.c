// Shows a picture on the screens of a device while no program uses them; see usage below. Runs in the initrd and as a service (recipes/splash).
// Uses no stdio, which a static program would be much larger with.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "splash.h"

enum { FAILED = 1, USAGE = 2, MOST_SCREENS = 8, LEAVE = SIGUSR1, RETURN = SIGUSR2 };

static const char usage[] =
  "usage: minke-splash show PICTURE\n"
  "       minke-splash stay PICTURE\n"
  "       minke-splash text\n"
  "show draws a PNG file on every screen, hides the console's text and ends. stay does the same for terminal 1, draws again on screens that are found later and\n"
  "when terminal 1 is returned to, until SIGTERM, which leaves the picture. text lets the console draw again.\n"
  "exit status: 0 done, 1 failed, 2 wrong arguments\n";

static void say(const char *text) {
  for (size_t left = strlen(text); left > 0;) {
    ssize_t written = write(STDERR_FILENO, text, left);
    if (written <= 0) return;
    text += written;
    left -= (size_t)written;
  }
}

/** Says `minke-splash: subject what: why`. Returns FAILED. */
static int failed(const char *subject, const char *what) {
  int error = errno;
  say("minke-splash: ");
  say(subject);
  say(" ");
  say(what);
  if (error != 0) {
    say(": ");
    say(strerror(error));
  }
  say("\n");
  return FAILED;
}

/** Draws on all screens that there are, which may be none yet. The picture is read each time: it is larger in memory than all the rest. */
static int draw(const char *path) {
  struct picture picture;
  int status = 0;
  const char *wrong = png_read(path, &picture);
  if (wrong != NULL) return failed(path, wrong);
  for (char number = '0'; number < '0' + MOST_SCREENS; number++) {
    char device[] = "/dev/fb0";
    device[sizeof device - 2] = number;
    if (access(device, F_OK) < 0) continue;
    wrong = screen_draw(device, &picture);
    if (wrong != NULL) status = failed(device, wrong);
  }
  free(picture.pixels);
  return status;
}

static int show(const char *path) {
  // Text first: what is drawn below it would be scrolled away.
  const char *wrong = console_hide();
  if (wrong != NULL) (void)failed("the console", wrong);
  return draw(path);
}

static int signals(void) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, LEAVE);
  sigaddset(&wanted, RETURN);
  sigaddset(&wanted, SIGTERM);
  if (sigprocmask(SIG_BLOCK, &wanted, NULL) < 0) return -1;
  return signalfd(-1, &wanted, SFD_CLOEXEC);
}

static int stay(const char *path) {
  int terminal;
  int events;
  int told = signals();
  if (told < 0) return failed("signals", "cannot be waited for");
  const char *wrong = uevents_open(&events);
  if (wrong != NULL) return failed("the kernel's events", wrong);
  wrong = console_hold(&terminal, LEAVE, RETURN);
  if (wrong != NULL) return failed("terminal 1", wrong);
  bool here = true;
  (void)draw(path);
  struct pollfd waiting[] = {{.fd = told, .events = POLLIN}, {.fd = events, .events = POLLIN}};
  for (;;) {
    if (poll(waiting, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return failed("events", "cannot be waited for");
    }
    bool again = (waiting[1].revents & (POLLIN | POLLERR)) != 0 && uevents_new_screen(events) && here;
    if ((waiting[0].revents & POLLIN) != 0) {
      struct signalfd_siginfo signal;
      if (read(told, &signal, sizeof signal) != sizeof signal) return failed("signals", "cannot be read");
      if (signal.ssi_signo == SIGTERM) return 0;
      here = signal.ssi_signo == RETURN;
      if (here) console_returned(terminal);
      else console_left(terminal);
      again = again || here;
    }
    if (again) (void)draw(path);
  }
}

static int text(void) {
  const char *wrong = console_show();
  return wrong == NULL ? 0 : failed("the console", wrong);
}

int main(int count, char **words) {
  if (count == 3 && strcmp(words[1], "show") == 0) return show(words[2]);
  if (count == 3 && strcmp(words[1], "stay") == 0) return stay(words[2]);
  if (count == 2 && strcmp(words[1], "text") == 0) return text();
  say(usage);
  return USAGE;
}
