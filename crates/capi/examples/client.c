/* Connects to a ws URI, sends its other arguments as messages, and prints what comes back.
 *
 *     client ws://127.0.0.1:9001/ Hello World
 *
 * Control characters in them are shown as \x1b, as a terminal would obey them. A server may take 20 s (SECONDS in the
 * environment) to read on when it has stopped, and to answer a ping.
 *
 * Exit status 0: each was answered, and the end was clean. */

#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sansocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The host and the port of a URI without a user; TLS is a matter of another library. */
static int dial(const char *uri) {
  char host[256] = "", port[6] = "80";
  if (sscanf(uri, "ws://[%255[^]]]:%5[0-9]", host, port) < 1 &&
      sscanf(uri, "ws://%255[^:/?]:%5[0-9]", host, port) < 1)
    return -1;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  int fd = -1;
  if (getaddrinfo(host, port, &hints, &found) != 0)
    return -1;
  for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
    fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) < 0) {
      close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(found);
  return fd;
}

/* What the socket takes at once. */
static void flush(int fd, ss_connection *ws) {
  ss_slice piece;
  while (ss_output(ws, &piece, 1) == 1 && piece.len > 0) {
    ssize_t sent = send(fd, piece.data, piece.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0)
      ss_consume_output(ws, (size_t)sent);
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      return;
    else if (errno != EINTR)
      ss_write_lost(ws);
  }
}

/* Those of ASCII, those that UTF-8 has as C2 80 to C2 9F, and those that turn a text around: U+202A to U+202E and U+2066
 * to U+2069. Returns how many bytes it has, 0 for others. */
static size_t harmful(const uint8_t *at, size_t len) {
  if ((at[0] < 0x20 && at[0] != '\t') || at[0] == 0x7f)
    return 1;
  if (len > 1 && at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
    return 2;
  if (len > 2 && at[0] == 0xe2 &&
      ((at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae) || (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9)))
    return 3;
  return 0;
}

/* A message as one line. Binary ones are shown by their length. */
static void show(const ss_event *event) {
  if (event->kind != SS_TEXT) {
    printf("(%zu bytes)\n", event->len);
    return;
  }
  for (size_t i = 0; i < event->len;) {
    size_t n = harmful(event->data + i, event->len - i);
    if (n == 0)
      putchar(event->data[i++]);
    for (; n > 0; n--)
      printf("\\x%02x", event->data[i++]);
  }
  putchar('\n');
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "client URI [MESSAGE...]\n");
    return 2;
  }
  ss_config config;
  ss_connection *ws;
  char why[200];
  ss_request request = {.uri = argv[1]};
  ss_config_client(&config);
  config.flags = SS_DEFLATE;
  const char *seconds = getenv("SECONDS");
  config.ping_interval = config.pong_timeout = (seconds ? strtoull(seconds, NULL, 10) : 20) * 1000000000u;
  if (ss_client_new(&config, &request, &ws, why, sizeof why) != SS_OK) {
    fprintf(stderr, "%s\n", why);
    return 2;
  }
  int fd = dial(argv[1]);
  if (fd < 0) {
    fprintf(stderr, "%s: cannot connect\n", argv[1]);
    ss_free(ws);
    return 1;
  }

  int answered = 0, status = 1;
  bool over = false, ended = false;
  uint8_t buffer[65536];
  size_t len = 0;
  ss_advance_time(ws, now());
  flush(fd, ws);
  while (!over) {
    uint64_t deadline = ss_next_deadline(ws), time = now();
    int wait = deadline == SS_NEVER ? -1 : deadline <= time ? 0 : (int)((deadline - time) / 1000000u + 1);
    short events = ended ? 0 : POLLIN;
    if (ss_output_len(ws) > 0)
      events |= POLLOUT;
    struct pollfd polled = {.fd = fd, .events = events};
    if (poll(&polled, 1, wait) > 0 && polled.revents & ~POLLOUT) {
      ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
      len = got > 0 ? (size_t)got : 0;
      ended = got == 0;
      if (ended)
        ss_receive_eof(ws);
      else if (got < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
        ss_transport_lost(ws);
    }
    ss_advance_time(ws, now());
    ss_event event;
    size_t at = 0, used;
    while (ss_receive(ws, buffer + at, len - at, &used, &event)) {
      at += used;
      switch (event.type) {
      case SS_EVENT_OPEN:
        for (int i = 2; i < argc; i++)
          if (ss_send_text(ws, argv[i], strlen(argv[i]), SS_COMPRESS_AUTO) != SS_OK)
            fprintf(stderr, "%s\n", ss_last_error(ws));
        if (argc == 2)
          ss_close(ws, 1000, NULL);
        break;
      case SS_EVENT_MESSAGE:
        show(&event);
        if (++answered == argc - 2)
          ss_close(ws, 1000, NULL);
        break;
      case SS_EVENT_REFUSED:
        fprintf(stderr, "refused with status %d\n", event.status);
        break;
      case SS_EVENT_FAILED:
        fprintf(stderr, "%.*s\n", (int)event.len, (const char *)event.data);
        break;
      case SS_EVENT_CLOSED:
        status = event.flags & SS_CLEAN && answered == argc - 2 ? 0 : 1;
        break;
      default:
        break;
      }
    }
    len = 0;
    flush(fd, ws);
    if (ss_output_len(ws) > 0)
      continue;
    if (ss_get_transport(ws) == SS_CLOSE_TRANSPORT)
      over = true;
    else if (ss_get_transport(ws) == SS_SHUTDOWN_WRITE)
      shutdown(fd, SHUT_WR);
  }
  close(fd);
  ss_free(ws);
  return status;
}
