// Says whether what stands on standard input, as one message of the kernel, tells of a new frame buffer: 1 or 0.
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "splash.h"

int main(void) {
  static char message[65536];
  int ends[2];
  ssize_t bytes = read(STDIN_FILENO, message, sizeof message);
  if (bytes < 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0) abort();
  if (send(ends[0], message, (size_t)bytes, 0) != bytes) abort();
  printf("%d\n", uevents_new_screen(ends[1]));
  return 0;
}
