package dev.belay.device;

/**
 * Room for what lies between the steps of a feed-forward block; its content is undefined before and after.
 *
 * @param normed [T, D], rounded
 * @param gateUp [T, 2F]
 * @param activated [T, F], rounded
 */
public record FeedForwardSpace(DeviceBuffer normed, DeviceBuffer gateUp, DeviceBuffer activated) {}
