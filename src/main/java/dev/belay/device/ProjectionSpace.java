package dev.belay.device;

/**
 * Room for what lies between the steps from the residual stream to queries, keys and values; its content is undefined before and after.
 *
 * @param normed [T, D], rounded
 * @param qkv [T, H·HD + 2·KV·HD]
 */
public record ProjectionSpace(DeviceBuffer normed, DeviceBuffer qkv) {}
