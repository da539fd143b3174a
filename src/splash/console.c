// Virtual terminals (console_ioctl(2)): one in graphics mode is written to as before, and drawn when it is back in text mode.
#include <errno.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "splash.h"

static const char in_front[] = "/dev/tty0";
static const char first[] = "/dev/tty1";

static int open_terminal(const char *path) { return open(path, O_RDWR | O_NOCTTY | O_CLOEXEC); }

const char *console_hide(void) {
  int terminal = open_terminal(in_front);
  if (terminal < 0) return "cannot be opened";
  const char *wrong = ioctl(terminal, KDSETMODE, KD_GRAPHICS) < 0 ? "cannot be switched to graphics" : NULL;
  close(terminal);
  return wrong;
}

/** Of one that nobody holds any more: the kernel alone switches. */
static const char *give_back(const char *path) {
  struct vt_mode alone = {.mode = VT_AUTO};
  int terminal = open_terminal(path);
  if (terminal < 0) return "cannot be opened";
  const char *wrong = ioctl(terminal, VT_SETMODE, &alone) < 0 || ioctl(terminal, KDSETMODE, KD_TEXT) < 0 ? "cannot be switched to text" : NULL;
  close(terminal);
  return wrong;
}

const char *console_show(void) {
  const char *wrong = give_back(first);
  const char *also = give_back(in_front);
  return wrong == NULL ? also : wrong;
}

const char *console_hold(int *terminal, int leave_signal, int return_signal) {
  // The kernel alone refuses to leave a terminal in graphics mode: who asks for another one would wait for ever.
  struct vt_mode asked = {.mode = VT_PROCESS, .relsig = (short)leave_signal, .acqsig = (short)return_signal};
  *terminal = open_terminal(first);
  if (*terminal < 0) return "cannot be opened";
  if (ioctl(*terminal, VT_SETMODE, &asked) == 0 && ioctl(*terminal, KDSETMODE, KD_GRAPHICS) == 0) return NULL;
  int error = errno;
  close(*terminal);
  errno = error;
  return "cannot be switched to graphics";
}

void console_left(int terminal) { (void)ioctl(terminal, VT_RELDISP, 1); }

void console_returned(int terminal) { (void)ioctl(terminal, VT_RELDISP, VT_ACKACQ); }
