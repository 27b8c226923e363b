// Two ends in memory, and a wire between them that the reader holds in the hand.
import { load } from "../js/core.js";
import { explain } from "./explain.js";
import { beginning, hex, read } from "./wire.js";

// A server is in the first until it accepts.
const STATES = ["initial", "connecting", "open", "closing", "closed"];
const TCP = {
  "keep-open": "TCP is open",
  "shutdown-write": "TCP: this end has ended its direction, and waits for the peer's end",
  "await-peer-end": "TCP: the server ends it first, this end waits for that",
  close: "TCP is closed by this end",
};
// Bytes that have arrived and are still shown.
const SHOWN = 12;

const core = await load();
const seed = new URLSearchParams(location.search).get("seed");
const $ = (id) => document.getElementById(id);

let talk;
let timer = null;

// ── a conversation

class Lane {
  bytes = [];
  arrived = [];
  reader = beginning;
  fin = "";
  held = false;

  constructor(id, name) {
    this.id = id;
    this.name = name;
  }

  /** What each byte in flight is, as it would be read now. */
  told() {
    let reader = this.reader;
    return this.bytes.map((byte) => {
      const [told, next] = read(reader, byte.value);
      reader = next;
      return told;
    });
  }

  get idle() {
    return this.bytes.length === 0 && this.fin !== "flying";
  }
}

class End {
  log = [];
  failure = null;
  closed = false;

  constructor(name, ws, out) {
    this.name = name;
    this.ws = ws;
    this.out = out;
  }

  /** What it was told, and what it does then. */
  tell(type, text) {
    this.log.push({ type, text });
  }
}

class Talk {
  chosen = null;
  now = 0;
  sent = 0;

  constructor() {
    const [toServer, toClient] = [new Lane("to-server", "Client → Server"), new Lane("to-client", "Client ← Server")];
    const client = core.client("ws://example.com/chat", { entropy: seed === null ? undefined : seeded(Number(seed)) });
    const server = core.server({ origins: "any" });
    this.client = new End("Client", client, toServer);
    this.server = new End("Server", server.connection(), toClient);
    server.free();
    Object.assign(toServer, { from: this.client, to: this.server });
    Object.assign(toClient, { from: this.server, to: this.client });
    this.lanes = [toServer, toClient];
    this.ends = [this.client, this.server];
    for (const { ws } of this.ends) {
      ws.advanceTime(0);
    }
  }

  free() {
    for (const { ws } of this.ends) {
      ws.free();
    }
  }

  /** An end's events, its output, and its end of TCP. */
  settle(end) {
    for (let events = end.ws.receive(); ; events = end.ws.receive()) {
      for (const event of events) {
        this.handle(end, event);
      }
      const output = end.ws.takeOutput();
      if (!end.closed) {
        for (const value of output) {
          this.sent += 1;
          end.out.bytes.push({ value, original: value, at: this.sent });
        }
      }
      if (events.length === 0 && output.length === 0) {
        break;
      }
    }
    const transport = end.ws.transport;
    if ((transport === "shutdown-write" || transport === "close") && end.out.fin === "") {
      end.out.fin = "flying";
      this.sent += 1;
      end.out.finAt = this.sent;
      end.tell("did", transport === "close" ? "closes TCP" : "ends its direction of TCP");
    }
    end.closed ||= transport === "close";
  }

  handle(end, event) {
    const quoted = (bytes) => `“${typeof bytes === "string" ? bytes : new TextDecoder().decode(bytes)}”`;
    switch (event.type) {
      case "request":
        end.tell("request", `${event.method} ${event.target}`);
        if (end.refuses) {
          end.tell("did", "refuses it with 403");
          end.ws.respond(403, { body: "no" });
        } else {
          end.tell("did", "accepts it");
          end.ws.accept();
        }
        break;
      case "message":
        end.tell("message", event.kind === "text" ? quoted(event.data) : `${event.data.length} bytes, ${[...event.data].map(hex).join(" ")}`);
        break;
      case "ping":
      case "pong":
        end.tell(event.type, quoted(event.payload));
        break;
      case "close":
        end.tell("close", `${event.code ?? "no code"} ${event.reason && quoted(event.reason)}`);
        break;
      case "refused":
        end.tell("refused", `status ${event.status}`);
        break;
      case "failed":
        end.failure = event;
        end.tell("failed", event.text);
        break;
      case "closed":
        end.tell("closed", `${event.code}: ${event.text}`);
        break;
      default:
        end.tell(event.type, "");
    }
  }

  /** Delivers so many bytes, or the end of the direction. */
  deliver(lane, count) {
    this.chosen = null;
    const bytes = lane.bytes.splice(0, count);
    if (bytes.length === 0) {
      if (lane.fin === "flying") {
        lane.fin = "arrived";
        if (!lane.to.closed) {
          lane.to.tell("did", "sees the peer's end of TCP");
        }
        lane.to.ws.receiveEof();
        this.settle(lane.to);
      }
      return;
    }
    for (const byte of bytes) {
      const [told, next] = read(lane.reader, byte.value);
      lane.reader = next;
      lane.arrived.push({ ...told, ...byte });
    }
    lane.arrived.splice(0, lane.arrived.length - SHOWN);
    // What comes to a socket that is closed is dropped.
    if (!lane.to.closed) {
      const values = Uint8Array.from(bytes, ({ value }) => value);
      for (const event of lane.to.ws.receive(values)) {
        this.handle(lane.to, event);
      }
      this.settle(lane.to);
    }
  }

  /** The lane whose next byte was sent first. */
  next() {
    const sent = (lane) => lane.bytes[0]?.at ?? lane.finAt;
    const lanes = this.lanes.filter((lane) => !lane.idle && !lane.held);
    return lanes.sort((one, other) => sent(one) - sent(other))[0] ?? null;
  }

  step(pieces) {
    if (this.sent === 0) {
      this.settle(this.client);
      return true;
    }
    const lane = this.next();
    if (lane === null) {
      return false;
    }
    this.deliver(lane, pieceOf(lane, pieces));
    return true;
  }

  later() {
    this.now += 1000;
    // What has arrived in time would count: nothing has, so the second call judges.
    for (let round = 0; round < 2; round += 1) {
      for (const end of this.ends) {
        end.ws.advanceTime(this.now);
        this.settle(end);
      }
    }
  }
}

/** How many bytes the next piece has. */
function pieceOf(lane, pieces) {
  if (pieces === "all") {
    return lane.bytes.length;
  }
  if (pieces !== "line") {
    return Number(pieces);
  }
  const told = lane.told();
  const other = told.findIndex(({ segment }) => segment !== told[0].segment);
  return other === -1 ? told.length : other;
}

/** The same masking keys each time, for pictures and tests. */
function seeded(state) {
  return (bytes) => {
    for (let at = 0; at < bytes.length; at += 1) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      bytes[at] = state >>> 16;
    }
  };
}

// ── what is shown

function h(tag, properties, ...children) {
  const { data, ...rest } = properties ?? {};
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, data);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function show() {
  for (const lane of talk.lanes) {
    showLane(lane);
  }
  showByte();
  showWhy();
  for (const end of talk.ends) {
    showEnd(end);
  }
  $("clock").value = `${talk.now / 1000} s`;
  const can = talk.sent === 0 || talk.next() !== null;
  $("step").disabled = !can;
  $("step").textContent = talk.sent === 0 ? "Connect" : "Step";
  $("play").textContent = timer === null ? "Play" : "Pause";
}

function showLane(lane) {
  const hold = h("input", { type: "checkbox", checked: lane.held, onchange: () => ((lane.held = hold.checked), show()) });
  const count = lane.bytes.length;
  const title = h("h2", null, lane.name, h("small", null, `${count} ${count === 1 ? "byte" : "bytes"} in flight`), h("label", null, hold, " hold"));
  const flow = h("div", { className: "flow" });
  flow.append(...segments(lane.arrived, (byte) => h("span", { className: "byte" }, ...inside(byte)), "arrived"));
  const told = lane.told().map((said, at) => ({ ...said, ...lane.bytes[at], index: at }));
  flow.append(...segments(told, (byte) => flying(lane, byte), ""));
  if (lane.fin === "flying") {
    flow.append(h("span", { className: "fin", title: "The end of this direction of TCP" }, "FIN"));
  } else if (lane.fin === "arrived") {
    flow.append(h("span", { className: "fin arrived" }, "FIN"));
  }
  const nothing = lane.arrived.length + count === 0 && lane.fin === "";
  $(lane.id).replaceChildren(title, nothing ? h("p", { className: "empty" }, "Nothing was sent yet.") : flow);
  const next = flow.querySelector(".next");
  flow.scrollTop = next === null ? flow.scrollHeight : next.offsetTop - 60;
}

function* segments(bytes, made, mark) {
  for (let at = 0; at < bytes.length; ) {
    const { segment, kind } = bytes[at];
    const row = h("div");
    let caption;
    for (; at < bytes.length && bytes[at].segment === segment; at += 1) {
      ({ caption } = bytes[at]); // the last one knows most
      row.append(made(bytes[at]));
    }
    yield h("div", { className: `segment ${kind} ${mark}` }, h("span", { title: caption }, caption), row);
  }
}

const inside = ({ value, character }) => [hex(value), h("small", null, character ?? "\u00a0")];

function flying(lane, byte) {
  const chosen = talk.chosen?.lane === lane && talk.chosen.index === byte.index;
  const names = ["byte", byte.index === 0 && "next", chosen && "chosen", byte.value !== byte.original && "broken"];
  const className = names.filter(Boolean).join(" ");
  const onclick = () => ((talk.chosen = chosen ? null : { lane, index: byte.index }), show());
  const ariaLabel = `${hex(byte.value)}, ${byte.caption}`;
  return h("button", { className, onclick, title: byte.detail, ariaLabel, data: { index: byte.index } }, ...inside(byte));
}

function showByte() {
  if (talk.chosen === null) {
    $("byte").replaceChildren();
    return;
  }
  const { lane, index } = talk.chosen;
  const byte = lane.bytes[index];
  const { caption, detail } = lane.told()[index];
  const flip = (bit) => () => ((byte.value ^= 1 << bit), show());
  const bits = [7, 6, 5, 4, 3, 2, 1, 0].map((bit) =>
    h("button", { onclick: flip(bit), title: `flip bit ${bit}`, data: { bit } }, String((byte.value >> bit) & 1)),
  );
  const drop = () => (lane.bytes.splice(index, 1), (talk.chosen = null), show());
  const insert = () => (lane.bytes.splice(index, 0, { value: 0, original: -1, at: byte.at }), show());
  const here = () => (talk.deliver(lane, index + 1), show());
  $("byte").replaceChildren(
    h("p", null, h("b", null, `${hex(byte.value)} · ${caption}. `), `${detail[0].toUpperCase()}${detail.slice(1)}.`),
    h("div", { className: "row" },
      h("span", { className: "bits" }, ...bits),
      h("button", { onclick: drop, data: { do: "drop" } }, "drop it"),
      h("button", { onclick: insert, data: { do: "insert" } }, "insert 00 before it"),
      h("button", { onclick: here, data: { do: "here" } }, "deliver up to here")),
  );
}

function showWhy() {
  const end = talk.ends.find(({ failure }) => failure !== null);
  if (end === undefined) {
    $("why").replaceChildren();
    return;
  }
  const { text, word, closeCode } = end.failure;
  const answer = closeCode === null ? "" : ` It says so with a Close frame of code ${closeCode}.`;
  $("why").replaceChildren(
    h("p", null, h("b", null, `The ${end.name.toLowerCase()} has failed the connection: `), `${text}.${answer}`),
    h("p", null, explain(word), " ", h("code", null, word)),
  );
}

function showEnd(end) {
  const { ws } = end;
  const id = end.name.toLowerCase();
  const at = STATES.indexOf(ws.state);
  const states = [...STATES.entries()].filter(([, state]) => id === "client" || state !== "connecting").map(([index, state]) =>
    h("li", { className: index === at ? "now" : index < at ? "past" : "", ariaCurrent: index === at ? "step" : null }, state[0].toUpperCase() + state.slice(1)),
  );
  const deadline = ws.nextDeadline;
  const due = deadline === null ? "" : `; a deadline in ${Math.max(0, (deadline - talk.now) / 1000)} s`;
  const log = h("ol", { className: "events" }, ...end.log.map(({ type, text }) =>
    h("li", { className: type }, type === "did" ? text : h("b", null, type), type === "did" ? null : ` ${text}`)));
  // The fields keep what was typed into them.
  const actions = $(id).querySelector(".actions") ?? actionsOf(end.name);
  for (const button of actions.querySelectorAll("button")) {
    const wanted = button.dataset.do === "cut" ? !end.closed && talk.sent > 0 : ws.state === "open";
    button.disabled = !wanted;
  }
  const kept = [h("h2", null, end.name), h("ol", { className: "states" }, ...states), h("p", { className: "tcp" }, TCP[ws.transport] + due)];
  $(id).replaceChildren(...kept, actions, log);
  log.scrollTop = log.scrollHeight;
}

function actionsOf(name) {
  const end = () => (name === "Client" ? talk.client : talk.server);
  const does = (act) => () => {
    try {
      act(end().ws);
    } catch (error) {
      end().tell("refused", error.message);
    }
    talk.settle(end());
    show();
  };
  const text = h("input", { value: name === "Client" ? "Hello" : "Grüße", ariaLabel: "what to send" });
  const code = h("input", { value: "1000", size: 5, inputMode: "numeric", ariaLabel: "close code" });
  const cut = () => {
    end().tell("did", "loses TCP");
    end().ws.transportLost();
  };
  const button = (act, label, what) => h("button", { onclick: does(what), data: { do: act } }, label);
  const refuses = h("input", { type: "checkbox", onchange: () => (end().refuses = refuses.checked) });
  return h("div", { className: "actions" },
    text,
    button("text", "Send text", (ws) => ws.send(text.value)),
    h("div", { className: "row" },
      button("binary", "Send binary", (ws) => ws.send(new TextEncoder().encode(text.value))),
      button("parts", "in two frames", (ws) => {
        const half = Math.ceil(text.value.length / 2);
        ws.sendPart(text.value.slice(0, half), { last: false });
        ws.sendPart(text.value.slice(half), { last: true });
      }),
      button("ping", "Ping", (ws) => ws.ping(text.value))),
    h("div", { className: "row" },
      code,
      button("close", "Close", (ws) => ws.close(code.value === "" ? null : Number(code.value))),
      button("cut", "Cut TCP", cut)),
    name === "Server" ? h("label", { className: "row" }, refuses, " refuses requests") : null,
  );
}

// ── what is done

function stop() {
  clearInterval(timer);
  timer = null;
}

function begin() {
  stop();
  talk?.free();
  const refuses = talk?.server.refuses;
  talk = new Talk();
  talk.server.refuses = refuses;
  show();
}

function step() {
  if (!talk.step($("pieces").value)) {
    stop();
  }
  show();
}

function play() {
  if (timer === null) {
    timer = setInterval(step, Number($("pause").value));
  } else {
    stop();
  }
  show();
}

$("step").onclick = step;
$("play").onclick = play;
$("again").onclick = begin;
$("later").onclick = () => (talk.later(), show());
$("pause").onchange = () => timer !== null && (stop(), play());
begin();
document.body.dataset.ready = "yes";
