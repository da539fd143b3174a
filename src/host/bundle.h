// The program that is linked in: its modules as QuickJS's bytecode, the first is where it begins. Generated (Makefile).
#ifndef BUNDLE_H
#define BUNDLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct BundleModule {
  const char *name;
  const uint8_t *bytecode;
  size_t size;
} BundleModule;

extern const BundleModule bundle[]; // ends with one that has no name

#endif
