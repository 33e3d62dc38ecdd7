// Reads the column block that page_columns.py wrote: base64, zlib, byte planes, differences.

async function readBlock(text) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function unshuffle(block, head, width) {
  const bytes = new Uint8Array(head.length * width);
  for (let plane = 0; plane < width; plane++) {
    const from = head.offset + plane * head.length;
    for (let index = 0; index < head.length; index++) bytes[index * width + plane] = block[from + index];
  }
  return bytes.buffer;
}

// Numbers; what is missing is NaN.
function readNumbers(block, head) {
  const steps = new Int32Array(unshuffle(block, head, 4));
  const values = new Float64Array(head.length);
  const divisor = 10 ** Math.abs(head.decimals);
  let sum = 0;
  for (let index = 0; index < steps.length; index++) {
    sum = (sum + steps[index]) | 0;
    if (sum === -2147483648) values[index] = NaN;
    else values[index] = head.decimals >= 0 ? sum / divisor : sum * divisor;
  }
  return values;
}

// Times in seconds since 1970, UTC.
function readTimes(block, head) {
  const steps = new Float64Array(unshuffle(block, head, 8));
  const values = new Float64Array(head.length);
  let sum = 0;
  for (let index = 0; index < steps.length; index++) {
    sum += steps[index];
    values[index] = sum / 1e6;
  }
  return values;
}

function readColumn(block, head) {
  return head.kind === "time" ? readTimes(block, head) : readNumbers(block, head);
}
