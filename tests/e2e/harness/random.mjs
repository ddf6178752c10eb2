// Marsaglia's xorshift, 32 bits: the same numbers in every run. Called with a bound: below it.
export function numbers(seed) {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
