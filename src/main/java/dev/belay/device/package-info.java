/**
 * The seam between the method and the machine: typed device memory and the operations of a transformer.
 *
 * <p>{@link dev.belay.device.Device} is all that {@code forward} knows of the hardware. Every operation names its shapes with the
 * field's letters: T tokens, D hidden size, H heads, KV key/value heads, HD head size, F feed-forward size, V vocabulary. All
 * activations are float32; with {@link dev.belay.device.DType#BF16} weights are bfloat16, and products round their inputs to it
 * where the hardware multiplies it. A device never knows what a probe or a cliff is.
 */
package dev.belay.device;
