/**
 * The CPU device, the embedded default. Matrix products are oneDNN's, called through FFM on one thread each and spread over a small
 * team of Java threads; everything else is the Vector API, one operation per file. Where the processor has bfloat16 instructions
 * the products use them; elsewhere weights are rounded to bfloat16 and multiplied with float32 inputs in float32, which
 * takes the memory of float32 and is nearer to it. The number of threads is {@code -Dbelay.threads}, by default one per processor.
 */
package dev.belay.device.cpu;
