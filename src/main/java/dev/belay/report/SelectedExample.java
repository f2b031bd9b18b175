package dev.belay.report;

/**
 * A training example that the judge kept.
 *
 * @param misalignment its cliff: plateau − final score
 * @param kind its origin or label in the data set; may be empty
 */
public record SelectedExample(String id, String prompt, double misalignment, double finalScore, String kind) {}
