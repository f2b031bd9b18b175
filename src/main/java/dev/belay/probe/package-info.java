/**
 * The refusal probe: a direction of a hidden state, and σ of the state's part along it, that says how much a model is about to refuse.
 *
 * <p>{@link dev.belay.probe.ProbeMethod} fits it in double precision in one of three ways,
 * {@link dev.belay.probe.CrossValidation} measures it on states it was not fitted to,
 * {@link dev.belay.probe.LinearProbe} applies it, {@link dev.belay.probe.ProbeFile} is its file, and
 * {@link dev.belay.probe.ProbeMetrics} says how good it is.
 * This room sees arrays of numbers: where the states come from (model, layer, position) is not its business.
 *
 * <p>Source: Yin et al. 2025, arXiv 2510.06036, section 2; the authors' {@code train_prober} minimises the same loss.
 */
package dev.belay.probe;
