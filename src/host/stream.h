// Streams as the files of host:net see them.
#ifndef HOST_STREAM_H
#define HOST_STREAM_H

#include "host.h"

typedef struct Stream Stream;
JSValue stream_from_fd(JSContext *ctx, int fd); // any descriptor; borrows 0, 1 and 2
HOST_FN(stream_start_tls);

#endif
