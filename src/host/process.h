// What the files of host:process share.
#ifndef HOST_PROCESS_H
#define HOST_PROCESS_H

#include "host.h"

extern const JSCFunctionListEntry process_child_functions[], process_signal_functions[];
extern const int process_child_count, process_signal_count;
int process_child_classes(JSContext *ctx);
int signal_number(JSContext *ctx, JSValueConst v); // of a name or a number; -1 with exception
const char *signal_name(int number);               // without SIG; NULL when unknown

#endif
