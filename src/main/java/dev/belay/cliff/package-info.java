/**
 * The method of the refusal cliff (Yin et al. 2025, arXiv 2510.06036): refusal scores along a transcript
 * ({@link dev.belay.cliff.RefusalTrace}), which heads suppress refusal ({@link dev.belay.cliff.HeadAttribution},
 * {@link dev.belay.cliff.AblationSweep}, {@link dev.belay.cliff.GreedySelection}) and which training examples have the deepest
 * cliffs ({@link dev.belay.cliff.DataSelection}). Scores are probabilities of the refusal probe, in float64 on the host.
 */
package dev.belay.cliff;
