// Waiting for descriptors: an epoll of ours, which the loop watches through one uv_poll.
#include <sys/epoll.h>

#include "host.h"

static int epoll_fd;
static uv_poll_t poll_handle;
static uv_prepare_t turn_handle; // counts the turns of the loop and calls what was kicked
static uv_idle_t awake_handle;   // keeps the loop from sleeping while something is kicked
static Watch *kicked, *calling;
static struct epoll_event batch[64];
static int batch_size, batch_next;
static int held;
static uint64_t turn;

static void dispatch(uv_poll_t *handle, int status, int events) {
  (void)handle, (void)status, (void)events;
  batch_size = epoll_wait(epoll_fd, batch, COUNT(batch), 0);
  for (batch_next = 0; batch_next < batch_size;) {
    struct epoll_event e = batch[batch_next++];
    if (!e.data.ptr) continue; // forgotten since the batch was taken
    Watch *w = e.data.ptr;
    w->ready(w, e.events);
    runtime_drain();
  }
  batch_size = 0;
}

static void next_turn(uv_prepare_t *handle) {
  (void)handle;
  turn++;
  if (!kicked) return;
  calling = kicked; // what is kicked meanwhile waits for the next turn
  kicked = NULL;
  uv_idle_stop(&awake_handle);
  while (calling) {
    Watch *w = calling;
    calling = w->next_ready;
    w->queued = false;
    w->ready(w, EPOLLIN | EPOLLOUT);
    runtime_drain();
  }
}

static void stay_awake(uv_idle_t *handle) { (void)handle; }

int poller_start(void) {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return -errno;
  int r = uv_poll_init(host.loop, &poll_handle, epoll_fd);
  if (!r) r = uv_poll_start(&poll_handle, UV_READABLE, dispatch);
  uv_prepare_init(host.loop, &turn_handle);
  uv_prepare_start(&turn_handle, next_turn);
  uv_idle_init(host.loop, &awake_handle);
  uv_unref((uv_handle_t *)&poll_handle);
  uv_unref((uv_handle_t *)&turn_handle);
  uv_unref((uv_handle_t *)&awake_handle);
  return r;
}

void poller_hold(int change) {
  int before = held;
  held += change;
  if (!before && held) uv_ref((uv_handle_t *)&poll_handle);
  if (before && !held) uv_unref((uv_handle_t *)&poll_handle);
}

uint64_t poller_turn(void) { return turn; }

void poller_kick(Watch *w) {
  if (w->queued) return;
  w->queued = true;
  w->next_ready = kicked;
  kicked = w;
  uv_idle_start(&awake_handle, stay_awake);
}

int poller_want(Watch *w, uint32_t events) {
  if (w->always) {
    poller_kick(w);
    return 0;
  }
  if (w->armed == events) return 0;
  struct epoll_event e = {.events = events, .data.ptr = w};
  if (epoll_ctl(epoll_fd, w->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &e)) {
    if (errno != EPERM) return -errno;
    w->always = true; // a regular file or a device that never blocks
    poller_kick(w);
    return 0;
  }
  w->armed = events;
  return 0;
}

void poller_idle(Watch *w) {
  // removed, not set to no events: a hang-up would be reported all the same, again and again
  if (w->armed) epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
  w->armed = 0;
}

static void unlink_watch(Watch **list, Watch *w) {
  for (; *list; list = &(*list)->next_ready)
    if (*list == w) {
      *list = w->next_ready;
      return;
    }
}

void poller_forget(Watch *w) {
  poller_idle(w);
  for (int i = batch_next; i < batch_size; i++)
    if (batch[i].data.ptr == w) batch[i].data.ptr = NULL;
  if (w->queued) {
    unlink_watch(&kicked, w);
    unlink_watch(&calling, w);
    w->queued = false;
  }
}
