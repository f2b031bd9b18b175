package dev.belay.report;

/**
 * How well the refusal probe separates refusing from answering transcripts.
 *
 * @param examples transcripts it was measured on
 * @param accuracy share on the right side of 0.5
 * @param auroc area under the ROC curve
 * @param logLoss mean negative log likelihood, in nats
 * @param calibrationError expected calibration error
 */
public record ProbeSummary(int examples, double accuracy, double auroc, double logLoss, double calibrationError) {}
