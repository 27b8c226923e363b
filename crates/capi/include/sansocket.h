/* sansocket: a WebSocket connection (RFC 6455) as a state machine without IO.
 *
 * Made from the Rust sources: see README.md for how to use it. */

#ifndef SANSOCKET_H
#define SANSOCKET_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/**
 * No such time: a deadline that is off, a round trip that is not known.
 */
#define SS_NEVER UINT64_MAX

/**
 * For `origin_policy`: pages of the host that they connect to, and clients that are no browsers, may connect (RFC 6455
 * §10.2).
 */
#define SS_ORIGINS_SAME_HOST 0

/**
 * For `origin_policy`: pages of the origins in `origins`, and clients that are no browsers.
 */
#define SS_ORIGINS_LIST 1

/**
 * For `origin_policy`: anybody.
 */
#define SS_ORIGINS_ANY 2

/**
 * For `delivery`: messages come whole, as `SS_EVENT_MESSAGE`.
 */
#define SS_WHOLE 0

/**
 * For `delivery`: as the bytes arrive, as `SS_EVENT_CHUNK`, in constant memory.
 */
#define SS_CHUNKS 1

/**
 * For `delivery`: `SS_EVENT_START` first; then whole, unless `ss_stream_message` is called.
 */
#define SS_ASK 2

/**
 * Pongs are left to the application.
 */
#define SS_MANUAL_PONG 1

/**
 * The answer to a Close frame is left to the application.
 */
#define SS_MANUAL_CLOSE 2

/**
 * The Close frames of failures have no reason.
 */
#define SS_SILENT_FAILURES 4

/**
 * The answer to a Close frame repeats its reason.
 */
#define SS_ECHO_CLOSE_REASON 8

/**
 * Server: requests that ask for no upgrade come as `SS_EVENT_HTTP`.
 */
#define SS_SERVE_HTTP 16

/**
 * Server: frames that are not masked are taken, against RFC 6455 §5.1.
 */
#define SS_ACCEPT_UNMASKED 32

/**
 * Server: a request without an Origin is refused.
 */
#define SS_REQUIRE_ORIGIN 64

/**
 * Client: an answer without a subprotocol fails the handshake if some were offered.
 */
#define SS_REQUIRE_SUBPROTOCOL 128

/**
 * permessage-deflate (RFC 7692) is offered or accepted.
 */
#define SS_DEFLATE 256

/**
 * With `SS_DEFLATE`: the server begins each message with an empty window.
 */
#define SS_SERVER_NO_CONTEXT_TAKEOVER 512

/**
 * With `SS_DEFLATE`: the client begins each message with an empty window.
 */
#define SS_CLIENT_NO_CONTEXT_TAKEOVER 1024

/**
 * How often pings, empty frames, tiny fragments and messages may come is bounded tightly, as for peers that people sit at.
 */
#define SS_TIGHT_BUDGETS 2048

/**
 * Whether a message is compressed, where permessage-deflate was agreed on: from a threshold on.
 */
#define SS_COMPRESS_AUTO 0

/**
 * Not compressed: for what is compressed already, and for secrets.
 */
#define SS_COMPRESS_NEVER 1

/**
 * Compressed, whatever its length.
 */
#define SS_COMPRESS_ALWAYS 2

/**
 * Compressed in a context of its own, so that its length says nothing about other messages.
 */
#define SS_COMPRESS_ALONE 3

/**
 * The first part of its message.
 */
#define SS_FIRST 1

/**
 * The last part of its message, or all of it.
 */
#define SS_LAST 2

/**
 * The frame ends here (RFC 6455 §5.4).
 */
#define SS_ENDS_FRAME 256

/**
 * The message is compressed.
 */
#define SS_COMPRESSED 4

/**
 * The body was cut at a limit or by the end of the stream.
 */
#define SS_TRUNCATED 8

/**
 * The transport can be used for another request.
 */
#define SS_REUSABLE 16

/**
 * The closing handshake was complete.
 */
#define SS_CLEAN 32

/**
 * This end sent the first Close frame, or both at once.
 */
#define SS_BEGUN_BY_US 64

/**
 * The peer sent the first Close frame, or both at once.
 */
#define SS_BEGUN_BY_PEER 128

/**
 * For `ss_request_part`: the method.
 */
#define SS_METHOD 0

/**
 * For `ss_request_part`: the request target as it was sent.
 */
#define SS_TARGET 1

/**
 * For `ss_request_part`: its path.
 */
#define SS_PATH 2

/**
 * For `ss_request_part`: its query, without the question mark.
 */
#define SS_QUERY 3

/**
 * For `ss_request_part`: the host and port that were asked for.
 */
#define SS_AUTHORITY 4

/**
 * For `ss_request_part`: the origin.
 */
#define SS_ORIGIN 5

/**
 * What happened. The fields of `ss_event` that each has are named here; `type` is one of these.
 */
typedef enum {
  /**
   * Nothing: all of the input was taken.
   */
  SS_EVENT_NONE = 0,
  /**
   * Server: a request waits for `ss_accept` or `ss_respond`. `ss_request_part` and `ss_headers` tell what it has.
   */
  SS_EVENT_REQUEST = 1,
  /**
   * Server, with `SS_SERVE_HTTP`: a request that asks for no upgrade waits for `ss_respond`.
   */
  SS_EVENT_HTTP = 2,
  /**
   * Client: the server refused: `status`, the body as `data`, `SS_TRUNCATED` and `SS_REUSABLE` in `flags`, and
   * `ss_headers`.
   */
  SS_EVENT_REFUSED = 3,
  /**
   * The connection is open. For a client `ss_headers` has those of the answer.
   */
  SS_EVENT_OPEN = 4,
  /**
   * With `SS_ASK`, the head of a message: `kind`, `number` bytes in its first frame, `SS_LAST` if that is all of
   * it, `SS_COMPRESSED`.
   */
  SS_EVENT_START = 5,
  /**
   * A message: `kind` and `data`.
   */
  SS_EVENT_MESSAGE = 6,
  /**
   * A part of a message: `kind`, `data`, `SS_FIRST`, `SS_LAST` and `SS_ENDS_FRAME`. It is empty only where it ends a
   * frame.
   */
  SS_EVENT_CHUNK = 7,
  /**
   * A Ping: `data`. The Pong is queued already, unless `SS_MANUAL_PONG` is set.
   */
  SS_EVENT_PING = 8,
  /**
   * A Pong: `data`, and in `number` the nanoseconds since the ping that it answers, or `SS_NEVER`.
   */
  SS_EVENT_PONG = 9,
  /**
   * The peer's Close frame: `code`, 0 if it has none, and the reason as `data`. The answer is queued already,
   * unless `SS_MANUAL_CLOSE` is set.
   */
  SS_EVENT_CLOSE = 10,
  /**
   * The connection was failed: `number` is the stable number of the failure, `name` its name, `code` that of our
   * Close frame or 0, and a sentence as `data`.
   */
  SS_EVENT_FAILED = 11,
  /**
   * The connection is closed, once and last: `code`, which is 1005 for a Close without a code and 1006 without a
   * Close; `SS_CLEAN`, `SS_BEGUN_BY_US` and `SS_BEGUN_BY_PEER` in `flags`; `status` if an HTTP answer was the end;
   * a sentence as `data`.
   */
  SS_EVENT_CLOSED = 12,
  /**
   * An event that this version of the library cannot tell more about.
   */
  SS_EVENT_OTHER = 13,
} ss_event_type;

/**
 * The kind of a message (RFC 6455 §5.6).
 */
typedef enum {
  /**
   * Text, which is UTF-8.
   */
  SS_TEXT = 1,
  /**
   * Binary.
   */
  SS_BINARY = 2,
} ss_kind;

/**
 * What a call came to: `SS_OK`, or the number of an error, which is the same in every version. The call has
 * changed nothing then, and `ss_last_error` says why in a sentence.
 *
 * Numbers from 1 to 99 are this library's, the others the core's.
 */
typedef enum {
  /**
   * It was done.
   */
  SS_OK = 0,
  /**
   * An argument that cannot be: text that is not UTF-8, a NULL, a name that does not exist, a close code that no
   * Close frame may have.
   */
  SS_BAD_ARGUMENT = 1,
  /**
   * An entry of a list of origins or hosts.
   */
  SS_BAD_ENTRY = 2,
  /**
   * A URI that is no ws or wss URI.
   */
  SS_BAD_URI = 3,
  /**
   * The connection is not open yet.
   */
  SS_NOT_OPEN = 401,
  /**
   * The connection is closing: nothing more can be sent.
   */
  SS_CLOSING = 402,
  /**
   * The output queue is full: write some of it first.
   */
  SS_FULL = 403,
  /**
   * A message is being sent in parts: finish it first.
   */
  SS_MESSAGE_IN_PROGRESS = 404,
  /**
   * No message was begun.
   */
  SS_NO_MESSAGE_IN_PROGRESS = 405,
  /**
   * More bytes than fit.
   */
  SS_TOO_LONG = 406,
  /**
   * Text that is not UTF-8.
   */
  SS_NOT_UTF8 = 407,
  /**
   * Reserved bits that no extension uses.
   */
  SS_RESERVED_BITS = 408,
  /**
   * No answer was begun with `ss_begin_response`.
   */
  SS_NO_RESPONSE_IN_PROGRESS = 409,
  /**
   * The answer that was begun is not as long as it was said to be.
   */
  SS_RESPONSE_INCOMPLETE = 410,
  /**
   * It would take the connection above its ceiling on memory.
   */
  SS_MEMORY_FULL = 411,
  /**
   * 1010 is sent by clients only.
   */
  SS_CLIENT_CODE = 501,
  /**
   * A reason follows a code, and there is none.
   */
  SS_REASON_WITHOUT_CODE = 502,
  /**
   * A reason of more than 123 bytes.
   */
  SS_REASON_TOO_LONG = 503,
  /**
   * No request waits for an answer.
   */
  SS_NO_REQUEST = 601,
  /**
   * The client does not offer this subprotocol.
   */
  SS_SUBPROTOCOL_NOT_OFFERED = 602,
  /**
   * The client does not offer this extension.
   */
  SS_EXTENSION_NOT_OFFERED = 603,
  /**
   * Two extensions that cannot be used together.
   */
  SS_EXTENSION_CONFLICT = 604,
  /**
   * A status that is not from 200 to 599.
   */
  SS_BAD_STATUS = 605,
  /**
   * The body is longer than it was said to be.
   */
  SS_BODY_TOO_LONG = 606,
  /**
   * The answer would take the connection above its ceiling on memory.
   */
  SS_ANSWER_BEYOND_MEMORY = 607,
  /**
   * A header field's name is no token.
   */
  SS_BAD_NAME = 701,
  /**
   * A header field's value has a byte that it may not have.
   */
  SS_BAD_VALUE = 702,
  /**
   * A header field that the opening handshake writes itself.
   */
  SS_RESERVED_FIELD = 703,
  /**
   * A subprotocol is no token, or is named twice.
   */
  SS_BAD_SUBPROTOCOL = 704,
  /**
   * An extension that is not well-formed.
   */
  SS_BAD_EXTENSION = 705,
  /**
   * There is no source of randomness.
   */
  SS_NO_ENTROPY = 801,
  /**
   * An error of the core that this version of the header does not name.
   */
  SS_OTHER = 999,
} ss_status;

/**
 * Where a connection is in its life.
 */
typedef enum {
  /**
   * Nothing was sent yet: a server is in it until it accepts.
   */
  SS_STATE_INITIAL = 0,
  /**
   * A client's request is on its way, or the answer.
   */
  SS_STATE_CONNECTING = 1,
  /**
   * Messages can be sent.
   */
  SS_STATE_OPEN = 2,
  /**
   * The closing handshake is going on, or the connection was failed.
   */
  SS_STATE_CLOSING = 3,
  /**
   * It is over.
   */
  SS_STATE_CLOSED = 4,
} ss_state;

/**
 * What to do with the transport once the output was written.
 */
typedef enum {
  /**
   * Read and write on.
   */
  SS_KEEP_OPEN = 0,
  /**
   * Shut down writing, then read until the peer's end.
   */
  SS_SHUTDOWN_WRITE = 1,
  /**
   * The server ends the transport first: read on until it does.
   */
  SS_AWAIT_PEER_END = 2,
  /**
   * Close it now.
   */
  SS_CLOSE_TRANSPORT = 3,
} ss_transport;

/**
 * One end of a WebSocket connection. Make it with `ss_server_new`, `ss_client_new` or their siblings, and free it with
 * `ss_free`. One thread at a time may use it.
 */
typedef struct ss_connection ss_connection;

/**
 * Settings that all connections of a server share, together with the memory for compression. Any number of threads may
 * use it at once.
 */
typedef struct ss_server ss_server;

/**
 * Settings of a connection. Set them all with `ss_config_server` or `ss_config_client` first, and change what you
 * need. Times are in nanoseconds, `SS_NEVER` for a deadline that is off. Nothing of it is used after the call that
 * it is given to, but `entropy`.
 */
typedef struct {
  /**
   * The size of this structure, by which a later version of the library knows an earlier one's.
   */
  size_t size;
  /**
   * Those of `SS_MANUAL_PONG` and the following that are wanted.
   */
  uint32_t flags;
  /**
   * How messages are handed out.
   */
  uint32_t delivery;
  /**
   * Bytes of the head of the opening handshake.
   */
  uint32_t max_head;
  /**
   * Bytes of payload that a frame may announce. Beyond it: 1009.
   */
  uint64_t max_frame;
  /**
   * Bytes of a message, after decompression. Beyond it: 1009.
   */
  uint64_t max_message;
  /**
   * Frames of a message. Beyond it: 1008.
   */
  uint32_t max_fragments;
  /**
   * Bytes of queued output from which on nothing more is taken: `SS_FULL`.
   */
  uint32_t max_output;
  /**
   * Bytes that are kept after a request that waits for its answer.
   */
  uint32_t max_held;
  /**
   * Bytes of the body of a refusal that a client keeps.
   */
  uint32_t max_body;
  /**
   * Bytes of heap that the connection may take in all, 16 KiB at least; `SS_NEVER`: no such ceiling.
   */
  uint64_t max_memory;
  /**
   * From the first `ss_advance_time` until the connection is open.
   */
  uint64_t handshake_timeout;
  /**
   * How long the peer may take for its end of the closing handshake.
   */
  uint64_t close_timeout;
  /**
   * A ping is sent when no frame came for this long.
   */
  uint64_t ping_interval;
  /**
   * How long nothing may come after such a ping.
   */
  uint64_t pong_timeout;
  /**
   * How long nothing may be received.
   */
  uint64_t idle_timeout;
  /**
   * How long a message may take from its first byte to its last.
   */
  uint64_t message_timeout;
  /**
   * Messages are sent in frames of at most so many bytes of payload. 0: each in one.
   */
  uint32_t fragment;
  /**
   * With `SS_DEFLATE`: how hard to compress, from 0 to 9.
   */
  uint8_t deflate_level;
  /**
   * With `SS_DEFLATE`: the server's window has at most 2^this bytes, 8 to 15; 0 asks for nothing.
   */
  uint8_t server_max_window_bits;
  /**
   * With `SS_DEFLATE`: the client's window.
   */
  uint8_t client_max_window_bits;
  /**
   * Server: who may connect.
   */
  uint32_t origin_policy;
  /**
   * Server: the origins for `SS_ORIGINS_LIST`, such as `https://example.com`; the first label of a host may be `*`.
   */
  const char *const *origins;
  /**
   * How many.
   */
  size_t origins_len;
  /**
   * Server: the only hosts that it answers to.
   */
  const char *const *hosts;
  /**
   * How many. 0: any.
   */
  size_t hosts_len;
  /**
   * Client: fills `out` with `len` random bytes that nobody can predict, and returns 0; another value says that it
   * cannot. NULL: the operating system's randomness. It is called within calls on the connection, on which it may
   * not call anything itself.
   */
  int (*entropy)(void *context, uint8_t *out, size_t len);
  /**
   * What `entropy` gets. It lives as long as the connection.
   */
  void *entropy_context;
} ss_config;

/**
 * Bytes that belong to the library or to the caller. Laid out like `struct iovec` where that exists.
 */
typedef struct {
  /**
   * The first of them; NULL if there is nothing.
   */
  const uint8_t *data;
  /**
   * How many there are.
   */
  size_t len;
} ss_slice;

/**
 * An event. Its pointers are valid until the next call on the connection, and while the input is not touched:
 * payloads that arrived whole lie in the caller's own buffer.
 */
typedef struct {
  /**
   * Which event it is.
   */
  ss_event_type type;
  /**
   * The kind of a message.
   */
  ss_kind kind;
  /**
   * What `ss_event_type` says of each.
   */
  uint32_t flags;
  /**
   * A close code.
   */
  uint16_t code;
  /**
   * A status of HTTP.
   */
  uint16_t status;
  /**
   * A payload, a reason, a body or a sentence.
   */
  const uint8_t *data;
  /**
   * How many bytes of it there are.
   */
  size_t len;
  /**
   * A length, a time or a number.
   */
  uint64_t number;
  /**
   * A name in lower case, which lives for ever.
   */
  ss_slice name;
} ss_event;

/**
 * A header field.
 */
typedef struct {
  /**
   * Its name.
   */
  ss_slice name;
  /**
   * Its value.
   */
  ss_slice value;
} ss_field;

/**
 * What a client asks for. Set it to zeros first.
 */
typedef struct {
  /**
   * A ws or wss URI, which ends with NUL.
   */
  const char *uri;
  /**
   * Subprotocols, most wanted first.
   */
  const char *const *subprotocols;
  /**
   * How many.
   */
  size_t subprotocols_len;
  /**
   * More header fields.
   */
  const ss_field *fields;
  /**
   * How many.
   */
  size_t fields_len;
  /**
   * The origin, as a browser sends it; or NULL.
   */
  const char *origin;
} ss_request;

/**
 * What a request is accepted with. Set it to zeros first.
 */
typedef struct {
  /**
   * A subprotocol that the client offers; or NULL.
   */
  const char *subprotocol;
  /**
   * Subprotocols of which the first that the client offers is chosen.
   */
  const char *const *prefer;
  /**
   * How many.
   */
  size_t prefer_len;
  /**
   * More header fields of the answer.
   */
  const ss_field *fields;
  /**
   * How many.
   */
  size_t fields_len;
  /**
   * This connection is not compressed, whatever the configuration says.
   */
  bool uncompressed;
} ss_accept_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Settings for a server on the open internet: 1 MiB a message, browsers of the same host only, no compression.
 *
 * # Safety
 * `out` may be written to.
 */
void ss_config_server(ss_config *out);

/**
 * Settings for a server that expects attacks on many connections: tight in all limits.
 *
 * # Safety
 * `out` may be written to.
 */
void ss_config_strict(ss_config *out);

/**
 * Settings for a client, which chose its server: 16 MiB a message, no compression.
 *
 * # Safety
 * `out` may be written to.
 */
void ss_config_client(ss_config *out);

/**
 * Ends a connection, whatever its state, and gives its memory back. NULL does nothing.
 */
void ss_free(ss_connection *connection);

/**
 * Why the last call that did not give `SS_OK` was refused, as a sentence. It is valid until the next call.
 */
const char *ss_last_error(ss_connection *connection);

/**
 * Takes bytes that were received, up to the next event, and tells how many were `used`. True: there is an event. False:
 * all of them were taken, and more has to be read. Payload is unmasked where it lies, so `data` is written to.
 *
 * Call it again with the rest until it gives false. With no bytes it gives events that other calls have brought, such as
 * `ss_advance_time`. Where it leaves some while it gives false, the connection takes no more.
 */
bool ss_receive(ss_connection *connection,
                uint8_t *data,
                size_t len,
                size_t *used,
                ss_event *event);

/**
 * The same for input that is not written to: payloads are copied.
 */
bool ss_receive_copy(ss_connection *connection,
                     const uint8_t *data,
                     size_t len,
                     size_t *used,
                     ss_event *event);

/**
 * Copies bytes into the connection that cannot be handled yet, so that the buffer is free: the next `ss_receive` goes
 * on from there.
 */
void ss_keep_input(ss_connection *connection,
                   uint8_t *data,
                   size_t len);

/**
 * The peer has ended the stream. What that brings comes from the next `ss_receive`.
 */
void ss_receive_eof(ss_connection *connection);

/**
 * Nothing can be written any more; reading goes on.
 */
void ss_write_lost(ss_connection *connection);

/**
 * The transport is gone, in both directions.
 */
void ss_transport_lost(ss_connection *connection);

/**
 * The TLS handshake failed (1015).
 */
void ss_tls_failed(ss_connection *connection);

/**
 * With `SS_ASK`: the message that `SS_EVENT_START` told of comes in chunks.
 */
void ss_stream_message(ss_connection *connection);

/**
 * What is to be written, in up to `n` pieces. Returns how many there are; they are valid until the next call. An
 * `ss_slice` is laid out like `struct iovec`, so that they can be given to `writev`.
 */
size_t ss_output(ss_connection *connection,
                 ss_slice *pieces,
                 size_t n);

/**
 * How many bytes are to be written.
 */
size_t ss_output_len(ss_connection *connection);

/**
 * So many of them were written.
 */
void ss_consume_output(ss_connection *connection, size_t n);

/**
 * Bytes of messages that are queued, without their frames.
 */
uint64_t ss_buffered_amount(ss_connection *connection);

/**
 * Queues a text message. It is copied.
 */
ss_status ss_send_text(ss_connection *connection, const char *text, size_t len, uint32_t how);

/**
 * Queues a binary message. It is copied.
 */
ss_status ss_send_binary(ss_connection *connection, const uint8_t *data, size_t len, uint32_t how);

/**
 * Queues one frame of a message: `text` says which kind it is, `last` that it is the last one.
 */
ss_status ss_send_part(ss_connection *connection,
                       bool text,
                       const uint8_t *data,
                       size_t len,
                       bool last,
                       uint32_t how);

/**
 * Queues a Ping, of at most 125 bytes.
 */
ss_status ss_ping(ss_connection *connection, const uint8_t *data, size_t len);

/**
 * Queues a Pong, of at most 125 bytes.
 */
ss_status ss_pong(ss_connection *connection, const uint8_t *data, size_t len);

/**
 * Begins the closing handshake (RFC 6455 §7.1.2) with a code, 0 for none, and a reason, NULL for none.
 */
ss_status ss_close(ss_connection *connection,
                   uint16_t code,
                   const char *why);

/**
 * Fails the connection with a code (RFC 6455 §7.1.7): nothing is delivered after it.
 */
ss_status ss_fail(ss_connection *connection, uint16_t code, const char *why);

/**
 * Our Close frame, as soon as it is queued: false if there is none. The code is 0 if it has none.
 */
bool ss_close_sent(ss_connection *connection, uint16_t *code, ss_slice *why);

/**
 * The peer's Close frame, in the same way.
 */
bool ss_close_received(ss_connection *connection, uint16_t *code, ss_slice *why);

/**
 * Tells the time, in nanoseconds of a clock that never goes back. What a deadline brings comes from the next
 * `ss_receive`.
 */
void ss_advance_time(ss_connection *connection,
                     uint64_t now);

/**
 * When `ss_advance_time` has to be called next, on the same clock; `SS_NEVER` while nothing is waited for.
 */
uint64_t ss_next_deadline(ss_connection *connection);

/**
 * Where it is in its life.
 */
ss_state ss_get_state(ss_connection *connection);

/**
 * What to do with the transport.
 */
ss_transport ss_get_transport(ss_connection *connection);

/**
 * It is a server's end.
 */
bool ss_is_server(ss_connection *connection);

/**
 * The subprotocol in use; its `data` is NULL if there is none. It is valid until the next call.
 */
ss_slice ss_subprotocol(ss_connection *connection);

/**
 * The extensions in use, as the value of Sec-WebSocket-Extensions. It is valid until the next call.
 */
ss_slice ss_extensions(ss_connection *connection);

/**
 * Bytes of heap that it holds.
 */
size_t ss_memory_held(ss_connection *connection);

/**
 * Makes the settings of a server's connections. If they are refused, `out` is NULL and `why`, if it is not NULL, has a
 * sentence of at most `why_len` bytes with its NUL.
 */
ss_status ss_server_settings(const ss_config *config,
                             ss_server **out,
                             char *why,
                             size_t why_len);

/**
 * Gives the settings back; the connections that were made with them live on. NULL does nothing.
 */
void ss_server_settings_free(ss_server *settings);

/**
 * A server's end, which waits for a request. `ss_free` frees it.
 */
ss_connection *ss_server_new(const ss_server *settings);

/**
 * A server's end of a stream that was upgraded elsewhere. `subprotocol` and `extensions` are what was agreed on, or NULL;
 * the latter is the value of Sec-WebSocket-Extensions in the answer. NULL is returned for text that is not UTF-8.
 */
ss_connection *ss_server_upgraded(const ss_server *settings,
                                  const char *subprotocol,
                                  const char *extensions);

/**
 * A client's end, whose request is in the output already. `ss_free` frees it. If it is refused, `out` is NULL and `why`
 * says why, as for `ss_server_settings`.
 */
ss_status ss_client_new(const ss_config *config,
                        const ss_request *request,
                        ss_connection **out,
                        char *why,
                        size_t why_len);

/**
 * A client's end of a stream that was upgraded elsewhere, as `ss_server_upgraded`.
 */
ss_status ss_client_upgraded(const ss_config *config,
                             const char *subprotocol,
                             const char *extensions,
                             ss_connection **out,
                             char *why,
                             size_t why_len);

/**
 * A part of the request that the last event told of; its `data` is NULL if there is none. It is valid until the next
 * `ss_receive`.
 */
ss_slice ss_request_part(ss_connection *connection,
                         uint32_t part);

/**
 * The header fields of what the last event told of: a request, a refusal, or for a client the answer that opened the
 * connection. Writes at most `n` of them to `fields`, and returns how many there are. They are valid until the next
 * `ss_receive`.
 */
size_t ss_headers(ss_connection *connection,
                  ss_field *fields,
                  size_t n);

/**
 * The first value of a header field of that name, which ends with NUL, without regard to case; `data` is NULL if there is
 * none.
 */
ss_slice ss_header(ss_connection *connection,
                   const char *name);

/**
 * Accepts the request that waits; NULL for no options.
 */
ss_status ss_accept(ss_connection *connection, const ss_accept_options *options);

/**
 * Answers the request that waits over HTTP instead, with a page or a refusal.
 */
ss_status ss_respond(ss_connection *connection,
                     uint16_t status,
                     const ss_field *fields,
                     size_t fields_len,
                     const uint8_t *body,
                     size_t body_len);

/**
 * Begins such an answer whose body comes in pieces, with `ss_write_response` and `ss_end_response`. `total` is the length
 * of the whole body, or `SS_NEVER` if it is not known.
 */
ss_status ss_begin_response(ss_connection *connection,
                            uint16_t status,
                            const ss_field *fields,
                            size_t fields_len,
                            uint64_t total);

/**
 * Queues the next piece of that body.
 */
ss_status ss_write_response(ss_connection *connection, const uint8_t *piece, size_t len);

/**
 * Ends that body.
 */
ss_status ss_end_response(ss_connection *connection);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SANSOCKET_H */
