"use strict";
// A run as NumPy's .npz, which `npcam verify` reads: a zip of .npy files, nothing compressed.

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(...pieces) {
  let c = 0xffffffff;
  for (const bytes of pieces) {
    for (let at = 0; at < bytes.length; at += 1) c = CRC_TABLE[(c ^ bytes[at]) & 0xff] ^ (c >>> 8);
  }
  return (c ^ 0xffffffff) >>> 0;
}

// NumPy's header of a float32 array, version 1.0, with a batch of one in front.
function npyHeader(shape) {
  const words = `{'descr': '<f4', 'fortran_order': False, 'shape': (1, ${shape.join(", ")}), }`;
  const length = Math.ceil((words.length + 11) / 64) * 64 - 10;
  const header = new Uint8Array(10 + length).fill(0x20);
  header.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, length & 0xff, length >> 8]);
  header.set(new TextEncoder().encode(words), 10);
  header[header.length - 1] = 0x0a;
  return header;
}

// little-endian numbers of 2 or 4 bytes: [[size, number], ...]
function packed(fields) {
  const bytes = [];
  for (const [size, number] of fields)
    for (let n = 0; n < size; n += 1) bytes.push((number / 256 ** n) & 0xff);
  return Uint8Array.from(bytes);
}

// outputs: { layer: tensor }. Gives the file's pieces, in order.
function npz(outputs) {
  const pieces = [];
  const listed = [];
  let at = 0;
  const put = (bytes) => {
    pieces.push(bytes);
    at += bytes.length;
  };
  for (const [layer, { shape, data }] of Object.entries(outputs)) {
    const name = new TextEncoder().encode(`${layer}.npy`);
    const header = npyHeader(shape);
    const body = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const size = header.length + body.length;
    const common = [
      [2, 20],
      [2, 0],
      [2, 0],
      [2, 0],
      [2, 0x21],
      [4, crc32(header, body)],
      [4, size],
      [4, size],
      [2, name.length],
      [2, 0],
    ];
    listed.push([[[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]], name]);
    put(packed([[4, 0x04034b50], ...common]));
    put(name);
    put(header);
    put(body);
  }
  const start = at;
  for (const [fields, name] of listed) {
    put(packed(fields));
    put(name);
  }
  const count = listed.length;
  put(
    packed([
      [4, 0x06054b50],
      [2, 0],
      [2, 0],
      [2, count],
      [2, count],
      [4, at - start],
      [4, start],
      [2, 0],
    ]),
  );
  return pieces;
}
