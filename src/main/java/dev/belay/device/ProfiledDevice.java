package dev.belay.device;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A device that has another one do the work and records each operation: when, how long, for which layer, and what it had to do. Its
 * {@link #close()} writes the profile, see {@link ProfileTrace}.
 */
public final class ProfiledDevice extends CostedDevice {
    private static final int NO_LAYER = -1;
    private static final Pattern OF_LAYER = Pattern.compile("layers\\.(\\d{1,9})\\.(.+)");
    private static final Pattern AROUND = Pattern.compile("^model\\.|\\.weight$");
    /** Marks that the clock holds at most before they are asked for. */
    private static final int MOST_MARKS = 4096;

    private final Path file;
    private final DevicePeaks peaks;
    private final DeviceClock clock;
    private final Map<String, Weights> known = new HashMap<>();
    private final List<Pending> pending = new ArrayList<>();
    private final List<ProfiledOperation> operations = new ArrayList<>();
    private int layer = NO_LAYER;

    /** The place of weights in the model. */
    private record Weights(String part, int layer) {
        static Weights of(String name) {
            String stem = AROUND.matcher(name).replaceAll("");
            Matcher matcher = OF_LAYER.matcher(stem);
            return matcher.matches()
                    ? new Weights(matcher.group(2), Integer.parseInt(matcher.group(1)))
                    : new Weights(stem, NO_LAYER);
        }
    }

    /** An operation between two marks of the clock. */
    private record Pending(String name, String weights, int layer, int rows, OperationCost cost, int start, int end) {}

    /**
     * Measures the device's peaks and begins to record.
     *
     * @param device stays the caller's, to be closed after this one
     * @param file where the profile goes
     */
    public ProfiledDevice(Device device, Path file) {
        super(device);
        this.file = file;
        peaks = DevicePeaks.measure(device);
        clock = device.clock();
    }

    /** The device's peaks, as they were at the start. */
    public DevicePeaks peaks() {
        return peaks;
    }

    /** Writes the profile, unless nothing was computed. */
    @Override
    public void close() {
        settle();
        if (!operations.isEmpty()) {
            new ProfileTrace(device, peaks, operations).write(file);
        }
    }

    @Override
    void usesNext(DeviceBuffer weights) {
        layer = place(weights.name()).layer();
    }

    private Weights place(String weights) {
        return known.computeIfAbsent(weights, Weights::of);
    }

    /** Runs an operation; one without weights belongs to the layer of the latest that had some. */
    @Override
    void run(String name, DeviceMatrix weights, int rows, OperationCost cost, Runnable operation) {
        String full = name;
        if (weights != null) {
            Weights place = place(weights.name());
            layer = place.layer();
            full = name + " " + place.part();
        }
        int start = clock.mark();
        operation.run();
        int end = clock.mark();
        pending.add(new Pending(full, weights == null ? null : weights.name(), layer, rows, cost, start, end));
        if (end >= MOST_MARKS) {
            settle();
        }
    }

    /** Asks the clock for the times of what is pending. */
    private void settle() {
        double[] times = clock.milliseconds();
        for (Pending p : pending) {
            double start = times[p.start()];
            double took = times[p.end()] - start;
            operations.add(new ProfiledOperation(p.name(), p.weights(), p.layer(), p.rows(), p.cost(), start, took));
        }
        pending.clear();
    }
}
