#ifndef INIT_H
#define INIT_H

// Name by which the program is the init of a container.
#define INIT_NAME "docker-init"

// Runs `docker-init [--] program [argument …]`; returns its exit status, 128 + signal when one ended it.
int init_run(int argc, char **argv);

#endif
