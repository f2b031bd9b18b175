package dev.belay.device;

/**
 * Room for what lies between the steps of {@link Device#mixture}; its content is undefined before and after. R rows are what
 * {@link Device#mixtureRows} says.
 *
 * @param logits of the router, [T, E]
 * @param gateUp [R, 2F]
 * @param activated [R, F], rounded
 * @param outputs [R, D]
 */
public record MixtureSpace(DeviceBuffer logits, DeviceBuffer gateUp, DeviceBuffer activated, DeviceBuffer outputs) {}
