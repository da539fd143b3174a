// Plans of programs (delta_plan.c). Functions give 0, an errno, or −1 with what is wrong with the delta in `why`.
#ifndef HOST_DELTA_PLAN_H
#define HOST_DELTA_PLAN_H

#include "delta.h"
#include "delta_address.h"

typedef struct Plan Plan;

// Of a base file that is a program, and the new one's layout as differences to it.
int plan_new(Plan **made, uint64_t base_size, AddressRead read, void *with, Stream *moves, const char **why);
void plan_free(Plan *p);
int plan_add(Plan *p, uint64_t count, Stream *lanes, const char **why);
// Some of the next bytes, at most `room` and at least one.
int plan_give(Plan *p, Stream *lanes, AddressRead read, void *with, uint8_t *out, size_t room, size_t *gave, const char **why);
// Nothing has been taken from the streams that has not come out.
bool plan_rests(const Plan *p);

#endif
