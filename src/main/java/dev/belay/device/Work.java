package dev.belay.device;

/**
 * The work of many operations.
 *
 * @param flops additions, multiplications, quotients and functions
 * @param bytes read and written if each operation reads each input and writes each output once
 * @param seconds that it takes at least: for each operation what the slower of products and memory needs at its peak
 * @param memory most bytes that were in use at a time, weights included, with activations as float32
 */
public record Work(double flops, double bytes, double seconds, long memory) {}
