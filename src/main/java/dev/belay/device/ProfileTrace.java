package dev.belay.device;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.io.OutputFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A profile as a file in the trace event format of Chrome, which Perfetto (ui.perfetto.dev) and chrome://tracing show: an event a line,
 * and in {@code otherData} the peaks and a summary by name of operation, that which took longest first.
 */
final class ProfileTrace {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Device device;
    private final DevicePeaks peaks;
    private final List<ProfiledOperation> operations;

    ProfileTrace(Device device, DevicePeaks peaks, List<ProfiledOperation> operations) {
        this.device = device;
        this.peaks = peaks;
        this.operations = operations;
    }

    /** Writes the file, whole or not at all. */
    void write(Path file) {
        try (OutputFile out = OutputFile.create(file)) {
            out.writeLine("{\"displayTimeUnit\": \"ms\",");
            out.writeLine("\"otherData\": " + pretty(summary()) + ",");
            out.writeLine("\"traceEvents\": [");
            out.write(line(metadata("process_name", "belay")) + ",\n");
            out.write(line(metadata("thread_name", device.description())));
            double origin = operations.isEmpty() ? 0 : operations.getFirst().start();
            for (ProfiledOperation operation : operations) {
                out.write(",\n" + line(event(operation, origin)));
            }
            out.writeLine("\n]}");
            out.commit();
        }
    }

    private static ObjectNode metadata(String what, String name) {
        ObjectNode event = JSON.createObjectNode();
        event.put("name", what).put("ph", "M").put("pid", 1).put("tid", 1);
        event.putObject("args").put("name", name);
        return event;
    }

    private ObjectNode event(ProfiledOperation operation, double origin) {
        double milliseconds = operation.milliseconds();
        ObjectNode event = JSON.createObjectNode();
        event.put("name", operation.name());
        event.put("cat", operation.weights() == null ? "operation" : "weights");
        event.put("ph", "X");
        event.put("ts", 1e3 * (operation.start() - origin)).put("dur", 1e3 * milliseconds);
        event.put("pid", 1).put("tid", 1);
        ObjectNode args = event.putObject("args");
        if (operation.layer() < 0) {
            args.putNull("layer");
        } else {
            args.put("layer", operation.layer());
        }
        args.put("rows", operation.rows());
        if (operation.weights() != null) {
            args.put("weights", operation.weights());
        }
        args.put("flops", Math.round(operation.cost().flops()));
        args.put("bytes", Math.round(operation.cost().bytes()));
        args.put("ms", milliseconds);
        put(args, "roof_share", peaks.milliseconds(operation.cost()) / milliseconds);
        return event;
    }

    private ObjectNode summary() {
        double total =
                operations.stream().mapToDouble(ProfiledOperation::milliseconds).sum();
        ObjectNode summary = JSON.createObjectNode();
        summary.put("device", device.description()).put("dtype", device.dtype().label());
        summary.put("peak_gb_s", peaks.bytesPerSecond() / 1e9).put("peak_gflop_s", peaks.flopsPerSecond() / 1e9);
        summary.put("ms", total);
        ObjectNode byName = summary.putObject("operations");
        for (Sum sum : sums()) {
            ObjectNode node = byName.putObject(sum.name);
            node.put("count", sum.count).put("ms", sum.milliseconds);
            put(node, "gflop_s", sum.flops / sum.milliseconds / 1e6);
            put(node, "gb_s", sum.bytes / sum.milliseconds / 1e6);
            put(node, "time_share", sum.milliseconds / total);
            put(node, "roof_share", sum.leastMilliseconds / sum.milliseconds);
        }
        return summary;
    }

    private List<Sum> sums() {
        Map<String, Sum> sums = new HashMap<>();
        for (ProfiledOperation operation : operations) {
            Sum sum = sums.computeIfAbsent(operation.name(), Sum::new);
            sum.count++;
            sum.milliseconds += operation.milliseconds();
            sum.flops += operation.cost().flops();
            sum.bytes += operation.cost().bytes();
            sum.leastMilliseconds += peaks.milliseconds(operation.cost());
        }
        List<Sum> sorted = new ArrayList<>(sums.values());
        sorted.sort((a, b) -> Double.compare(b.milliseconds, a.milliseconds));
        return sorted;
    }

    /** Puts a number, or null where there is none: a time of 0 has no rate. */
    private static void put(ObjectNode node, String key, double value) {
        if (Double.isFinite(value)) {
            node.put(key, value);
        } else {
            node.putNull(key);
        }
    }

    private static String line(ObjectNode node) {
        try {
            return JSON.writeValueAsString(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String pretty(ObjectNode node) {
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(node);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** All operations of a name. */
    private static final class Sum {
        private final String name;
        private int count;
        private double milliseconds;
        private double flops;
        private double bytes;
        private double leastMilliseconds;

        private Sum(String name) {
            this.name = name;
        }
    }
}
