// The decoder that a report carries, against the program's: node tests/explorer.js REPORT codes|compare FILE.npy
// "codes" writes codes to FILE; "compare" reads the program's images of them from FILE, and fails where a pixel differs by
// more than 1/255.
const fs = require('fs');
const [report, what, file] = process.argv.slice(2);
const page = fs.readFileSync(report, 'utf8');
const net = JSON.parse(page.match(/<figure class="explorer">[^]*?<script type="application\/json">([^]*?)<\/script>/)[1]);
const script = page.match(/<script>\n('use strict'[^]*?)<\/script>/)[1];
const part = script.match(/function halves[^]*?(?=\nfor \(const figure of all\(document, '.explorer'\)\))/)[0];
const compute = new Function(part + `
  return (net, z) => {
    for (const l of net.layers) if (l.op === 'linear') { l.w = halves(l.weight); l.b = l.bias && halves(l.bias); }
    return compute(net.layers, z).map(v => (v - net.black) / (net.white - net.black));
  };`)();
const inputs = net.layers[0].in, rows = 50;
const codes = Array.from({length: rows}, (_, i) => Float32Array.from({length: inputs}, (_, k) => ((i * 7 + k * 3) % 21 - 10) / 4));
if (what === 'codes') {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${inputs}), }`;
  const pad = head.padEnd(Math.ceil((head.length + 11) / 64) * 64 - 11) + '\n';
  const start = Buffer.from([0x93, 78, 85, 77, 80, 89, 1, 0, pad.length & 255, pad.length >> 8]);
  fs.writeFileSync(file, Buffer.concat([start, Buffer.from(pad), ...codes.map(c => Buffer.from(c.buffer))]));
} else {
  const bytes = fs.readFileSync(file), begin = 10 + bytes.readUInt16LE(8), size = net.width * net.height;
  let worst = 0;
  codes.forEach((z, i) => compute(net, z).forEach((v, j) => {
    worst = Math.max(worst, Math.abs(Math.min(1, Math.max(0, v)) - Math.min(1, Math.max(0, bytes.readFloatLE(begin + 4 * (i * size + j))))));
  }));
  console.log(`largest difference ${worst.toFixed(6)}, allowed ${(1 / 255).toFixed(6)}`);
  process.exitCode = worst <= 1 / 255 ? 0 : 1;
}
