// Preloaded (`node --expose-gc --import`) into a server whose memory is measured: collects on
// SIGUSR2, so that what is compared is what is held, and not when V8 last felt like collecting.
process.on('SIGUSR2', () => {
  globalThis.gc();
  globalThis.gc();
});
