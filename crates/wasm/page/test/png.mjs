// A picture of a screen with 256 colours at most, which takes a third of what a browser writes (PNG, ISO/IEC 15948).
import { crc32, deflateSync, inflateSync } from "node:zlib";

const chunk = (name, data) => {
  const body = Buffer.concat([Buffer.from(name), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
};

/** Its width, height, and colours, a number for each pixel. */
function pixels(png) {
  const data = [];
  let [width, height, size] = [0, 0, 0];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const name = png.toString("latin1", at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + png.readUInt32BE(at));
    if (name === "IHDR") {
      [width, height, size] = [body.readUInt32BE(0), body.readUInt32BE(4), body[9] === 6 ? 4 : 3];
    } else if (name === "IDAT") {
      data.push(body);
    }
  }
  const raw = inflateSync(Buffer.concat(data));
  const stride = width * size;
  const colours = new Uint32Array(width * height);
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y += 1) {
    const row = raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    unfilter(raw[y * (stride + 1)], row, above, size);
    for (let x = 0; x < width; x += 1) {
      colours[y * width + x] = (row[x * size] << 16) | (row[x * size + 1] << 8) | row[x * size + 2];
    }
    above = row;
  }
  return { width, height, colours };
}

function unfilter(filter, row, above, size) {
  for (let at = 0; at < row.length; at += 1) {
    const [left, up, corner] = [at < size ? 0 : row[at - size], above[at], at < size ? 0 : above[at - size]];
    const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
    const nearest = a <= b && a <= c ? left : b <= c ? up : corner;
    row[at] += [0, left, up, (left + up) >> 1, nearest][filter];
  }
}

/** The same picture with its 256 most frequent colours, the others as the nearest of them. */
export function small(png) {
  const { width, height, colours } = pixels(png);
  const counts = new Map();
  for (const colour of colours) {
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const palette = [...counts].sort(([, one], [, other]) => other - one).slice(0, 256).map(([colour]) => colour);
  const parts = (colour) => [colour >> 16, (colour >> 8) & 255, colour & 255];
  const far = (one, other) => parts(one).reduce((sum, part, at) => sum + (part - parts(other)[at]) ** 2, 0);
  const places = new Map(palette.map((colour, place) => [colour, place]));
  const place = (colour) => {
    if (!places.has(colour)) {
      places.set(colour, palette.reduce((best, other, at) => (far(colour, other) < far(colour, palette[best]) ? at : best), 0));
    }
    return places.get(colour);
  };
  const rows = Buffer.alloc((width + 1) * height);
  colours.forEach((colour, at) => (rows[at + Math.floor(at / width) + 1] = place(colour)));
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8);
  const data = deflateSync(rows, { level: 9, memLevel: 9 });
  const names = [["IHDR", header], ["PLTE", Buffer.from(palette.flatMap(parts))], ["IDAT", data], ["IEND", Buffer.alloc(0)]];
  return Buffer.concat([png.subarray(0, 8), ...names.map(([name, body]) => chunk(name, body))]);
}
