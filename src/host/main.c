// Runs the program whose bytecode is linked in.
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "init.h"

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

int main(int argc, char **argv) {
  if (argc && !strcmp(base_name(argv[0]), INIT_NAME)) return init_run(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  mallopt(M_ARENA_MAX, 2);                // one for the pool's threads is plenty: each arena keeps its own spare pages
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);  // large buffers go back to the system as soon as they are freed
  mallopt(M_TRIM_THRESHOLD, 256 * 1024);
  host.argc = argc;
  host.argv = argv;
  host.loop = uv_default_loop();
  if (!host.loop || runtime_start()) {
    fprintf(stderr, "%s: cannot start the runtime\n", argc ? argv[0] : "minke");
    return 70;
  }
  runtime_exit(runtime_run());
}
