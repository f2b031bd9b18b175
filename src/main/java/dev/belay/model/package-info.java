/**
 * Models as they come from a hub: {@code config.json} becomes a {@link dev.belay.model.ModelConfig}, the tensors of a family become
 * {@link dev.belay.model.ModelWeights} on a device, and {@link dev.belay.model.MemoryPlan} says what both need. The spelling of
 * transformers 4 ({@code rope_theta}, {@code rope_scaling}, {@code torch_dtype}) and of 5 ({@code rope_parameters}, {@code dtype})
 * is read. {@link dev.belay.model.Family} describes what is known.
 */
package dev.belay.model;
