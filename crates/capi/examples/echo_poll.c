/* An echo server: one thread, poll, a bounded number of connections.
 *
 *     echo_poll [127.0.0.1:]PORT [CONNECTIONS | --autobahn]
 *
 * 900 WebSockets (CONNECTIONS, up to 10,000) are served at once. Others are told 503; where too many are being told,
 * or there is no descriptor, they wait in the listen queue. A peer that does not read is not read from; one that is dead
 * is found by pings; SIGTERM and SIGINT close all connections with 1001. --autobahn allows what the conformance suite
 * asks for: large messages. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sansocket.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* As most systems let a process have 1,024 descriptors. */
enum { SERVED = 900, TURNED_AWAY = 100, MOST = 10000 + TURNED_AWAY };
enum { QUEUED = 1 << 20, READ = 1 << 16, PIECES = 16 };

typedef struct {
  int fd;
  ss_connection *ws;
  bool is_open, shut, ended;
  char name[32]; /* its address */
} peer;

static peer peers[MOST];
static size_t n_peers, n_open, most_open = SERVED;
/* When to accept again after it failed, if not now. */
static uint64_t accept_at;
static bool failing;
static volatile sig_atomic_t stopping;

static void stop(int number) {
  (void)number;
  stopping = 1;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Writes what can be written. */
static void flush(peer *p) {
  struct iovec pieces[PIECES];
  while (ss_output_len(p->ws) > 0) {
    size_t n = ss_output(p->ws, (ss_slice *)pieces, PIECES);
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = n};
    ssize_t sent = sendmsg(p->fd, &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      ss_consume_output(p->ws, (size_t)sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      ss_write_lost(p->ws);
      return;
    }
  }
}

static void answer(peer *p, const ss_event *event) {
  switch (event->type) {
  case SS_EVENT_REQUEST: {
    ss_field later = {{(const uint8_t *)"Retry-After", 11}, {(const uint8_t *)"10", 2}};
    if (n_open < most_open)
      ss_accept(p->ws, NULL);
    else
      ss_respond(p->ws, 503, &later, 1, (const uint8_t *)"there are too many connections\n", 31);
    break;
  }
  case SS_EVENT_OPEN:
    p->is_open = true;
    n_open++;
    break;
  case SS_EVENT_HTTP:
    ss_respond(p->ws, 200, NULL, 0, (const uint8_t *)"a WebSocket echo server\n", 24);
    break;
  case SS_EVENT_MESSAGE: {
    ss_status sent = event->kind == SS_TEXT
                         ? ss_send_text(p->ws, (const char *)event->data, event->len, SS_COMPRESS_AUTO)
                         : ss_send_binary(p->ws, event->data, event->len, SS_COMPRESS_AUTO);
    if (sent != SS_OK)
      fprintf(stderr, "%s: %s\n", p->name, ss_last_error(p->ws));
    break;
  }
  case SS_EVENT_CLOSED:
    fprintf(stderr, "%s: %.*s\n", p->name, (int)event->len, (const char *)event->data);
    break;
  default:
    break;
  }
}

static bool is_full(const peer *p) { return ss_output_len(p->ws) >= QUEUED; }

/* All events of these bytes, until the queue is full: the rest waits in the connection. */
static void handle(peer *p, uint8_t *data, size_t len) {
  ss_event event;
  size_t used;
  while (!is_full(p) && ss_receive(p->ws, data, len, &used, &event)) {
    data += used;
    len -= used;
    answer(p, &event);
    if (is_full(p))
      flush(p);
  }
  if (is_full(p) && len > 0)
    ss_keep_input(p->ws, data, len);
}

/* Events, output and transport, after anything was told to a connection. False: it is over. */
static bool settle(peer *p, uint8_t *data, size_t len) {
  handle(p, data, len);
  flush(p);
  if (!is_full(p)) { /* there was no room before */
    handle(p, NULL, 0);
    flush(p);
  }
  if (ss_output_len(p->ws) > 0)
    return true;
  switch (ss_get_transport(p->ws)) {
  case SS_CLOSE_TRANSPORT:
    return false;
  case SS_SHUTDOWN_WRITE:
    if (!p->shut)
      shutdown(p->fd, SHUT_WR);
    p->shut = true;
    return true;
  default:
    return true;
  }
}

static bool read_once(peer *p, uint8_t *buffer) {
  ssize_t got = recv(p->fd, buffer, READ, 0);
  if (got > 0)
    return settle(p, buffer, (size_t)got);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    return true;
  if (got == 0) {
    p->ended = true;
    ss_receive_eof(p->ws);
  } else {
    ss_transport_lost(p->ws);
  }
  return settle(p, NULL, 0);
}

static void end(size_t at) {
  n_open -= peers[at].is_open;
  close(peers[at].fd);
  ss_free(peers[at].ws);
  peers[at] = peers[--n_peers];
  accept_at = 0; /* a descriptor is free */
}

static void take_in(int listener, const ss_server *settings, uint64_t time) {
  struct sockaddr_in from = {0};
  socklen_t len = sizeof from;
  int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED))
    return;
  if (fd < 0) { /* no descriptor, no memory: it may work when one has left, and is tried again in any case */
    if (!failing)
      perror("accept");
    failing = true;
    accept_at = time + 100000000u;
    return;
  }
  failing = false;
  peer *p = &peers[n_peers++];
  *p = (peer){.fd = fd, .ws = ss_server_new(settings)};
  char host[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &from.sin_addr, host, sizeof host);
  snprintf(p->name, sizeof p->name, "%s:%d", host, ntohs(from.sin_port));
  ss_advance_time(p->ws, time);
}

static int wait_for(uint64_t time) {
  uint64_t first = accept_at > 0 ? accept_at : SS_NEVER;
  for (size_t i = 0; i < n_peers; i++) {
    uint64_t deadline = ss_next_deadline(peers[i].ws);
    if (deadline < first)
      first = deadline;
  }
  if (first == SS_NEVER)
    return -1;
  return first <= time ? 0 : (int)((first - time) / 1000000u + 1);
}

static void serve(int listener, const ss_server *settings) {
  static uint8_t buffer[READ];
  static struct pollfd polled[MOST + 1];
  bool closing = false;
  while (!closing || n_peers > 0) {
    if (stopping && !closing) {
      closing = true;
      for (size_t i = n_peers; i-- > 0;) {
        ss_close(peers[i].ws, 1001, "the server stops");
        if (!settle(&peers[i], NULL, 0))
          end(i);
      }
      continue;
    }
    if (accept_at <= now())
      accept_at = 0;
    bool room = !closing && accept_at == 0 && n_peers < most_open + TURNED_AWAY;
    polled[0] = (struct pollfd){.fd = room ? listener : -1, .events = POLLIN};
    for (size_t i = 0; i < n_peers; i++) {
      short events = is_full(&peers[i]) || peers[i].ended ? 0 : POLLIN;
      if (ss_output_len(peers[i].ws) > 0)
        events |= POLLOUT;
      polled[i + 1] = (struct pollfd){.fd = peers[i].fd, .events = events};
    }
    size_t n = n_peers;
    if (poll(polled, (nfds_t)(n + 1), wait_for(now())) < 0 && errno != EINTR)
      return;
    uint64_t time = now();
    for (size_t i = n; i-- > 0;) {
      short came = polled[i + 1].revents;
      bool goes_on = true;
      if (came & (POLLIN | POLLHUP | POLLERR))
        goes_on = peers[i].ended ? settle(&peers[i], NULL, 0) : read_once(&peers[i], buffer);
      else if (came & POLLOUT)
        goes_on = settle(&peers[i], NULL, 0);
      if (goes_on && (came != 0 || ss_next_deadline(peers[i].ws) <= time)) {
        ss_advance_time(peers[i].ws, time);
        goes_on = settle(&peers[i], NULL, 0);
      }
      if (!goes_on)
        end(i);
    }
    if (polled[0].revents & POLLIN)
      take_in(listener, settings, time);
  }
}

static int listen_on(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) {
    perror("listen");
    exit(1);
  }
  return fd;
}

int main(int argc, char **argv) {
  ss_config config;
  ss_server *settings;
  char why[200];
  ss_config_server(&config);
  config.origin_policy = SS_ORIGINS_ANY;
  config.flags = SS_SERVE_HTTP | SS_DEFLATE;
  config.ping_interval = 20000000000u;
  if (argc > 2 && strcmp(argv[2], "--autobahn") != 0)
    most_open = strtoul(argv[2], NULL, 10);
  if (most_open == 0 || most_open > MOST - TURNED_AWAY) {
    fprintf(stderr, "%s: CONNECTIONS are 1 to %d\n", argv[2], MOST - TURNED_AWAY);
    return 2;
  }
  if (argc > 2 && strcmp(argv[2], "--autobahn") == 0) {
    config.max_message = config.max_frame = 64 << 20;
    config.max_fragments = 1 << 20;
    config.max_output = 64 << 20;
  }
  if (ss_server_settings(&config, &settings, why, sizeof why) != SS_OK) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  const char *port = argc > 1 ? argv[1] : "9001";
  if (strchr(port, ':') != NULL)
    port = strchr(port, ':') + 1;
  int listener = listen_on((uint16_t)atoi(port));
  serve(listener, settings);
  close(listener);
  ss_server_settings_free(settings);
  return 0;
}
