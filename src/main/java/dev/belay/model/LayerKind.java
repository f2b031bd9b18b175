package dev.belay.model;

/**
 * What may differ from layer to layer.
 *
 * @param window number of last keys that a token sees, itself included; 0 = all
 * @param rope the rotary embedding, or null where positions are not encoded
 * @param experts whether the feed-forward block is a mixture of experts
 */
public record LayerKind(int window, Rope rope, boolean experts) {}
