// Says whether what stands on standard input, as one message of the kernel with others around it, tells of a new frame buffer: 1 or 0.
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "splash.h"

int main(void) {
  static char message[65536];
  int ends[2];
  ssize_t bytes = read(STDIN_FILENO, message, sizeof message);
  if (bytes < 0 || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) < 0) abort();
  static const char other[] = "add@/devices/x\0SUBSYSTEM=block";
  if (send(ends[0], other, sizeof other, 0) < 0 || send(ends[0], message, (size_t)bytes, 0) != bytes || send(ends[0], other, sizeof other, 0) < 0) abort();
  printf("%d\n", uevents_new_screen(ends[1]));
  if (uevents_new_screen(ends[1])) abort();
  return 0;
}
