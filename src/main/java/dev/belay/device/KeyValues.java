package dev.belay.device;

/**
 * Keys and values of one layer: two buffers of slots · KV·HD numbers or a little more, from {@link Device#keyValues}, in a layout of the
 * device's own. Slots are token places; who owns which is the caller's affair.
 *
 * @param keys after rotary embedding
 */
public record KeyValues(DeviceBuffer keys, DeviceBuffer values) implements AutoCloseable {
    @Override
    public void close() {
        keys.close();
        values.close();
    }
}
