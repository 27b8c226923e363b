/* Connects to a ws URI, sends its other arguments as messages, and prints what comes back.
 *
 *     client ws://127.0.0.1:9001/ Hello World
 *
 * Exit status 0: each was answered, and the end was clean. */

#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sansocket.h>
#include <stdio.h>
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

static void flush(int fd, ss_connection *ws) {
  ss_slice piece;
  while (ss_output(ws, &piece, 1) == 1 && piece.len > 0) {
    ssize_t sent = send(fd, piece.data, piece.len, MSG_NOSIGNAL);
    if (sent >= 0)
      ss_consume_output(ws, (size_t)sent);
    else if (errno != EINTR)
      ss_write_lost(ws);
  }
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
  bool over = false;
  uint8_t buffer[65536];
  size_t len = 0;
  ss_advance_time(ws, now());
  flush(fd, ws);
  while (!over) {
    uint64_t deadline = ss_next_deadline(ws), time = now();
    int wait = deadline == SS_NEVER ? -1 : deadline <= time ? 0 : (int)((deadline - time) / 1000000u + 1);
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    if (poll(&polled, 1, wait) > 0) {
      ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      len = got > 0 ? (size_t)got : 0;
      if (got == 0)
        ss_receive_eof(ws);
      else if (got < 0 && errno != EINTR)
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
        printf("%.*s\n", (int)event.len, (const char *)event.data);
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
    if (ss_get_transport(ws) == SS_CLOSE_TRANSPORT)
      over = true;
    else if (ss_get_transport(ws) == SS_SHUTDOWN_WRITE)
      shutdown(fd, SHUT_WR);
  }
  close(fd);
  ss_free(ws);
  return status;
}
