// White noise that is a function of place and key alone: the numbers of compositing/noise.py.

function hashed(number) {
  let x = (number + 0x9e3779b9) | 0;
  x ^= x >>> 16;
  x = Math.imul(x, 0x21f0aaad);
  x ^= x >>> 15;
  x = Math.imul(x, 0xd35a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

// Of mean 0 and variance 1, as Float32Array; other keys (whole numbers) give independent noise.
export function whiteNoise(count, ...key) {
  const start = key.reduce((hash, part) => hashed(hash ^ part), 0);
  const scale = Math.fround(Math.sqrt(6) / 65536);
  const noise = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const bits = hashed(i ^ start);
    noise[i] = ((bits & 0xffff) + (bits >>> 16) - 65535) * scale;
  }
  return noise;
}
