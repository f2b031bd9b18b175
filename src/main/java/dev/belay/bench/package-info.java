/**
 * Measuring: random models of a known model's shape ({@link dev.belay.bench.RandomModel}), and how fast this machine's operations,
 * passes, decoding and sweeps are, next to what its memory and its products could do. The command is {@code belay bench}.
 */
package dev.belay.bench;
