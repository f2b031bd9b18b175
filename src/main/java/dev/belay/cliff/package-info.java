/**
 * Refusal cliffs, and what to do with them.
 *
 * <p>Cliff-as-a-Judge: {@link dev.belay.cliff.DataSelection} keeps the training examples with the largest cliff (or the lowest
 * final score, or a random sample to compare with), {@link dev.belay.cliff.TopCount} says how many, and
 * {@link dev.belay.cliff.TrainingFormat} writes them for a trainer.
 *
 * <p>Source: Yin et al. 2025, arXiv 2510.06036; the words are those of the paper.
 */
package dev.belay.cliff;
