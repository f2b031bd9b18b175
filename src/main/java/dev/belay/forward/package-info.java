/**
 * The transformer, read aloud: {@link dev.belay.forward.ForwardPass} runs layers over ragged batches on any device, with the hooks
 * at their places; {@link dev.belay.forward.Generator} continues texts with it,
 * {@link dev.belay.forward.LogLikelihoods} says how likely given continuations are. Nothing here names CUDA or oneDNN.
 */
package dev.belay.forward;
