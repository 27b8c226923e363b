/* An echo server inside libuv's loop.
 *
 *     echo_libuv PORT [CONNECTIONS]
 *
 * 900 WebSockets (CONNECTIONS) are served at once. Others are told 503; where too many are being told, they wait in the
 * listen queue. SIGTERM and SIGINT close all connections with 1001; a peer that does not read is not read from. */

#define _GNU_SOURCE
#include <sansocket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* As most systems let a process have 1,024 descriptors. */
enum { SERVED = 900, TURNED_AWAY = 100 };
enum { QUEUED = 1 << 20, READ = 1 << 16 };

typedef struct peer {
  uv_tcp_t tcp;
  uv_timer_t timer;
  uv_write_t write;
  uv_shutdown_t shutdown;
  ss_connection *ws;
  struct peer *next, **place; /* in the list of all */
  int open_handles;
  bool is_open, reading, shut, closing;
  char *copy; /* what libuv is writing */
  size_t copied;
  char name[32]; /* its address */
} peer;

static peer *peers;
static size_t n_peers, n_open, most_open = SERVED;
/* Somebody is in the listen queue. */
static bool waiting;
static ss_server *settings;
static uv_tcp_t listener;
static uv_signal_t signals[2];
/* One for all: what was read is handled before anything else is read. */
static uint8_t buffer[READ];

static uint64_t now(uv_handle_t *handle) { return uv_now(handle->loop) * 1000000u; }

static void settle(peer *p, uint8_t *data, size_t len);
static void on_connection(uv_stream_t *server, int status);

static void on_closed(uv_handle_t *handle) {
  peer *p = handle->data;
  if (--p->open_handles > 0)
    return;
  *p->place = p->next;
  if (p->next != NULL)
    p->next->place = p->place;
  ss_free(p->ws);
  n_open -= p->is_open;
  n_peers--;
  free(p);
  if (waiting && !uv_is_closing((uv_handle_t *)&listener))
    on_connection((uv_stream_t *)&listener, 0);
}

static void end(peer *p) {
  if (p->closing)
    return;
  p->closing = true;
  uv_close((uv_handle_t *)&p->tcp, on_closed);
  uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void on_written(uv_write_t *request, int status) {
  peer *p = request->data;
  free(p->copy);
  p->copy = NULL;
  if (status == UV_ECANCELED)
    return;
  if (status < 0)
    ss_write_lost(p->ws);
  else
    ss_consume_output(p->ws, p->copied);
  settle(p, NULL, 0);
}

/* What the socket takes at once is written from where it lies. Of the rest a part is copied for libuv to write later, as
 * the queue may move when more is queued. */
static void flush(peer *p) {
  while (p->copy == NULL && ss_output_len(p->ws) > 0) {
    ss_slice pieces[16];
    uv_buf_t out[16];
    size_t n = ss_output(p->ws, pieces, 16);
    for (size_t i = 0; i < n; i++)
      out[i] = uv_buf_init((char *)pieces[i].data, (unsigned)pieces[i].len);
    int sent = uv_try_write((uv_stream_t *)&p->tcp, out, (unsigned)n);
    if (sent >= 0) {
      ss_consume_output(p->ws, (size_t)sent);
      continue;
    }
    p->copied = pieces[0].len < READ ? pieces[0].len : READ;
    p->copy = sent == UV_EAGAIN ? malloc(p->copied) : NULL;
    if (p->copy == NULL) {
      ss_write_lost(p->ws);
      return;
    }
    memcpy(p->copy, pieces[0].data, p->copied);
    uv_buf_t copy = uv_buf_init(p->copy, (unsigned)p->copied);
    p->write.data = p;
    if (uv_write(&p->write, (uv_stream_t *)&p->tcp, &copy, 1, on_written) < 0) {
      free(p->copy);
      p->copy = NULL;
      ss_write_lost(p->ws);
    }
  }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *read) {
  peer *p = stream->data;
  ss_advance_time(p->ws, now((uv_handle_t *)stream));
  if (got > 0) {
    settle(p, (uint8_t *)read->base, (size_t)got);
    return;
  }
  if (got == UV_EOF)
    ss_receive_eof(p->ws);
  else if (got < 0)
    ss_transport_lost(p->ws);
  settle(p, NULL, 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *read) {
  (void)handle;
  (void)suggested;
  *read = uv_buf_init((char *)buffer, READ);
}

static void on_timer(uv_timer_t *timer) {
  peer *p = timer->data;
  ss_advance_time(p->ws, now((uv_handle_t *)timer));
  settle(p, NULL, 0);
}

static void on_shutdown(uv_shutdown_t *request, int status) {
  (void)request;
  (void)status;
}

static void answer(peer *p, const ss_event *event) {
  ss_field later = {{(const uint8_t *)"Retry-After", 11}, {(const uint8_t *)"10", 2}};
  if (event->type == SS_EVENT_REQUEST && n_open < most_open)
    ss_accept(p->ws, NULL);
  else if (event->type == SS_EVENT_REQUEST)
    ss_respond(p->ws, 503, &later, 1, (const uint8_t *)"there are too many connections\n", 31);
  else if (event->type == SS_EVENT_OPEN)
    n_open += p->is_open = true;
  else if (event->type == SS_EVENT_MESSAGE && event->kind == SS_TEXT)
    ss_send_text(p->ws, (const char *)event->data, event->len, SS_COMPRESS_AUTO);
  else if (event->type == SS_EVENT_MESSAGE)
    ss_send_binary(p->ws, event->data, event->len, SS_COMPRESS_AUTO);
  else if (event->type == SS_EVENT_CLOSED)
    fprintf(stderr, "%s: %.*s\n", p->name, (int)event->len, (const char *)event->data);
}

static bool is_full(const peer *p) { return ss_output_len(p->ws) >= QUEUED; }

/* All events, until the queue is full: the rest waits in the connection. */
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

/* Events, output, transport and timer, after anything was told to a connection. */
static void settle(peer *p, uint8_t *data, size_t len) {
  if (p->closing)
    return;
  handle(p, data, len);
  flush(p);
  if (!is_full(p)) { /* there was no room before */
    handle(p, NULL, 0);
    flush(p);
  }
  bool wanted = !is_full(p);
  if (wanted && !p->reading)
    uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read);
  else if (!wanted && p->reading)
    uv_read_stop((uv_stream_t *)&p->tcp);
  p->reading = wanted;
  if (ss_output_len(p->ws) == 0 && ss_get_transport(p->ws) == SS_CLOSE_TRANSPORT) {
    end(p);
    return;
  }
  if (ss_output_len(p->ws) == 0 && ss_get_transport(p->ws) == SS_SHUTDOWN_WRITE && !p->shut)
    p->shut = uv_shutdown(&p->shutdown, (uv_stream_t *)&p->tcp, on_shutdown) == 0;
  uint64_t deadline = ss_next_deadline(p->ws), time = now((uv_handle_t *)&p->tcp);
  if (deadline == SS_NEVER)
    uv_timer_stop(&p->timer);
  else
    uv_timer_start(&p->timer, on_timer, deadline <= time ? 0 : (deadline - time) / 1000000u + 1, 0);
}

static void on_connection(uv_stream_t *server, int status) {
  if (status < 0) {
    fprintf(stderr, "accept: %s\n", uv_strerror(status));
    return;
  }
  /* Until it is accepted, libuv listens no further. */
  waiting = n_peers >= most_open + TURNED_AWAY;
  if (waiting)
    return;
  peer *p = calloc(1, sizeof *p);
  if (p == NULL)
    return;
  p->tcp.data = p->timer.data = p;
  p->ws = ss_server_new(settings);
  p->open_handles = 2;
  p->next = peers;
  p->place = &peers;
  if (peers != NULL)
    peers->place = &p->next;
  peers = p;
  n_peers++;
  uv_tcp_init(server->loop, &p->tcp);
  uv_timer_init(server->loop, &p->timer);
  if (uv_accept(server, (uv_stream_t *)&p->tcp) < 0) {
    end(p);
    return;
  }
  struct sockaddr_in from = {0};
  int len = sizeof from;
  char host[INET_ADDRSTRLEN] = "";
  uv_tcp_getpeername(&p->tcp, (struct sockaddr *)&from, &len);
  uv_ip4_name(&from, host, sizeof host);
  snprintf(p->name, sizeof p->name, "%s:%d", host, ntohs(from.sin_port));
  ss_advance_time(p->ws, now((uv_handle_t *)server));
  settle(p, NULL, 0);
}

static void on_signal(uv_signal_t *signal, int number) {
  (void)number;
  if (uv_is_closing((uv_handle_t *)&listener))
    return;
  uv_close((uv_handle_t *)&listener, NULL);
  for (int i = 0; i < 2; i++)
    uv_close((uv_handle_t *)&signals[i], NULL);
  for (peer *p = peers, *next; p != NULL; p = next) {
    next = p->next;
    ss_advance_time(p->ws, now((uv_handle_t *)signal));
    ss_close(p->ws, 1001, "the server stops");
    settle(p, NULL, 0);
  }
}

int main(int argc, char **argv) {
  ss_config config;
  char why[200];
  ss_config_server(&config);
  config.origin_policy = SS_ORIGINS_ANY;
  config.flags = SS_DEFLATE;
  config.ping_interval = 20000000000u;
  if (ss_server_settings(&config, &settings, why, sizeof why) != SS_OK) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  if (argc > 2)
    most_open = strtoul(argv[2], NULL, 10);
  uv_loop_t *loop = uv_default_loop();
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 9001, &address);
  uv_tcp_init(loop, &listener);
  int failed = uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
  if (failed == 0)
    failed = uv_listen((uv_stream_t *)&listener, 128, on_connection);
  if (failed != 0) {
    fprintf(stderr, "listen: %s\n", uv_strerror(failed));
    return 1;
  }
  for (int i = 0; i < 2; i++) {
    uv_signal_init(loop, &signals[i]);
    uv_signal_start(&signals[i], on_signal, i == 0 ? SIGTERM : SIGINT);
  }
  uv_run(loop, UV_RUN_DEFAULT);
  uv_loop_close(loop);
  ss_server_settings_free(settings);
  return 0;
}
