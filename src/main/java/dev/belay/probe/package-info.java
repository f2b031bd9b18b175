/**
 * The refusal probe: a logistic regression on a hidden state that says how much a model is about to refuse.
 *
 * <p>{@link dev.belay.probe.ProbeTrainer} fits it to convergence in double precision,
 * {@link dev.belay.probe.CrossValidation} measures it on states it was not fitted to,
 * {@link dev.belay.probe.LinearProbe} applies it and is its file, {@link dev.belay.probe.ProbeMetrics} says how good it is.
 * This room sees arrays of numbers: where the states come from (model, layer, position) is not its business.
 *
 * <p>Source: Yin et al. 2025, arXiv 2510.06036, section 2; the authors' {@code train_prober} minimises the same loss.
 */
package dev.belay.probe;
