/**
 * The CPU device, the embedded default. Matrix products are oneDNN's, called through FFM on one thread each and spread over a small
 * team of Java threads; everything else is the Vector API, one operation per file. Where the processor has bfloat16 instructions
 * the products use them; elsewhere inputs and weights are rounded to bfloat16 and multiplied in float32, which gives the same
 * numbers up to the order of summation. The number of threads is {@code -Dbelay.threads}, by default one per processor.
 */
package dev.belay.device.cpu;
