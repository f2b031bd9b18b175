package dev.belay.model;

/**
 * The rotary embedding of a layer.
 *
 * @param theta base of the frequencies
 * @param size leading dimensions of a head that are rotated, even
 * @param scaling how the frequencies are stretched
 */
public record Rope(double theta, int size, RopeScaling scaling) {}
