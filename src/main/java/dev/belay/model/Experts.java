package dev.belay.model;

/**
 * A mixture of experts.
 *
 * @param count experts in a layer, E
 * @param top experts that compute a token
 * @param feedForward inner size of an expert
 * @param normalized whether the weights of a token's experts are divided by their sum
 */
public record Experts(int count, int top, int feedForward, boolean normalized) {}
