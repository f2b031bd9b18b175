package dev.belay.device;

import java.util.ArrayList;
import java.util.List;

/**
 * A device that has another one do the work and keeps each operation, so that it can be done again: with the same buffers, as long as
 * these, and the layouts and tables that it was given, are as they were.
 */
public final class CapturingDevice extends CostedDevice {
    /**
     * An operation.
     *
     * @param name what it does
     * @param weights name of the weights that it uses, or null
     * @param rows tokens, or rows of another kind, that it computes
     * @param work does it again
     */
    public record Operation(String name, String weights, int rows, OperationCost cost, Runnable work) {}

    private List<Operation> operations = new ArrayList<>();
    private boolean fusing = true;

    /** @param device does the work; stays the caller's */
    public CapturingDevice(Device device) {
        super(device);
    }

    /** Whether what the device fuses is one operation, as it is by default, or the steps that it stands for. */
    public void fusing(boolean on) {
        fusing = on;
    }

    @Override
    public boolean fuses(int tokens) {
        return fusing && super.fuses(tokens);
    }

    /** The operations since the last call, in their order. */
    public List<Operation> take() {
        List<Operation> taken = operations;
        operations = new ArrayList<>();
        return taken;
    }

    @Override
    void run(String name, DeviceMatrix weights, int rows, OperationCost cost, Runnable operation) {
        operation.run();
        operations.add(new Operation(name, weights == null ? null : weights.name(), rows, cost, operation));
    }

    @Override
    public void close() {}
}
