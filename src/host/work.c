// Jobs on libuv's pool that settle a promise.
#include "host.h"

static void run(uv_work_t *req) {
  Work *job = (Work *)req;
  job->run(job);
}

static void done(uv_work_t *req, int status) {
  Work *job = (Work *)req;
  JSContext *ctx = host.ctx;
  if (status == UV_ECANCELED) job->err = ECANCELED, job->failed = "cancel";
  JSValue v = job->err ? host_error(ctx, job->err, job->failed ? job->failed : "work", job->path, job->target)
                       : job->result ? job->result(ctx, job) : JS_UNDEFINED;
  bool failed = job->err;
  if (JS_IsException(v)) v = JS_GetException(ctx), failed = true;
  if (failed) deferred_reject(ctx, &job->deferred, v);
  else deferred_resolve(ctx, &job->deferred, v);
  if (job->destroy) job->destroy(job);
  free(job->path);
  free(job->target);
  free(job);
  runtime_drain();
}

JSValue work_start(JSContext *ctx, Work *job) {
  JSValue promise = deferred_new(ctx, &job->deferred);
  uv_queue_work(host.loop, &job->req, run, done); // fails only without a callback
  return promise;
}
