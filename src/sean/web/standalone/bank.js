// The styles of a style bank: a safetensors file (the length of a JSON header, the header, the numbers).

const READERS = {
  F32: (view, at) => view.getFloat32(at, true),
  F16: (view, at) => half(view.getUint16(at, true)),
  BOOL: (view, at) => view.getUint8(at),
};
const SIZES = { F32: 4, F16: 2, BOOL: 1 };

function half(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

export function readBank(buffer, count, codeDim) {
  const view = new DataView(buffer);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)));
  const tensor = (name) => {
    const { dtype, data_offsets: [first, last] } = header[name];
    const size = SIZES[dtype];
    return Float32Array.from({ length: (last - first) / size }, (_, i) => READERS[dtype](view, start + first + i * size));
  };
  const [codes, present] = [tensor("codes"), tensor("present")];
  const colours = header.mean_colours ? tensor("mean_colours") : null;
  return Array.from({ length: present.length / count }, (_, i) => ({
    codes: codes.slice(i * count * codeDim, (i + 1) * count * codeDim),
    present: Uint8Array.from(present.subarray(i * count, (i + 1) * count)),
    colours: colours && known(colours.slice(3 * i * count, 3 * (i + 1) * count)),
  }));
}

const known = (colours) => (colours.every(Number.isNaN) ? null : colours);
