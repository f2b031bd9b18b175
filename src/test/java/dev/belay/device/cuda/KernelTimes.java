package dev.belay.device.cuda;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.bench.MachinePeaks;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.DevicePeaks;
import dev.belay.device.Devices;
import dev.belay.device.cuda.KernelWorkload.Prepared;
import dev.belay.weights.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * How long each kernel takes on this device, next to the device's own peaks. Launches are a graph between two events, behind one that
 * already runs, so that no launch waits for the host; they go round copies of the memory, so that inputs do not come from the L2 cache,
 * as far as {@link #MOST_COPIES} and {@link #MOST_BYTES} allow. The caches keep what is smaller: such a kernel may beat the memory's
 * peak. Then how fast weights are uploaded.
 */
final class KernelTimes {
    /** More than any L2 cache holds, of what a launch has to read and write. */
    private static final long ENOUGH_BYTES = 1L << 29;

    /** Most memory of all copies. */
    private static final long MOST_BYTES = 1L << 33;

    /** Bytes of weights that are uploaded: many pinned buffers of them, or on softcuda part of one. */
    private static final long MOST_UPLOAD = 1L << 30;

    private static final long LEAST_UPLOAD = 1L << 20;
    private static final int MOST_COPIES = 64;
    private static final int LAUNCHES = 64;
    private static final int LEAST_ROUNDS = 3;
    private static final int MOST_ROUNDS = 100;

    /**
     * The time of a launch.
     *
     * @param microseconds of a launch, median of the rounds
     * @param launches in a round
     * @param copies of the memory
     * @param rounds measured
     */
    record Time(KernelWorkload workload, double microseconds, int launches, int copies, int rounds) {
        double bytesPerSecond() {
            return workload.minimumBytes() / microseconds * 1e6;
        }

        double flopsPerSecond() {
            return workload.flops() / microseconds * 1e6;
        }

        /** The share of the peak that bounds it. */
        double share(DevicePeaks peaks) {
            return Math.max(bytesPerSecond() / peaks.bytesPerSecond(), flopsPerSecond() / peaks.flopsPerSecond());
        }
    }

    private KernelTimes() {}

    /**
     * Measures all kernels and prints a table; JSON goes to a file.
     *
     * @param seconds about how long all of them together may take; 0 launches each once, on its own
     */
    static void run(double seconds, Path file) throws IOException {
        DevicePeaks floats = peaks(DType.F32);
        DevicePeaks halves = peaks(DType.BF16);
        ObjectNode json = new ObjectMapper().createObjectNode();
        try (CudaContext context = CudaContext.open(0);
                CudaModule module = context.loadKernels();
                CudaQueue queue = new CudaQueue()) {
            System.out.printf(
                    Locale.ROOT,
                    "%s: memory %.0f GB/s, products %.1f TFLOP/s in bf16, %.1f in f32%n%n%-36s %10s %9s %10s %6s  %s%n",
                    context.name(),
                    halves.bytesPerSecond() / 1e9,
                    halves.flopsPerSecond() / 1e12,
                    floats.flopsPerSecond() / 1e12,
                    "kernel",
                    "µs",
                    "GB/s",
                    "GFLOP/s",
                    "peak",
                    "work");
            json.put("device", context.name())
                    .put("bytes_per_second", halves.bytesPerSecond())
                    .put("bf16_flops_per_second", halves.flopsPerSecond())
                    .put("f32_flops_per_second", floats.flopsPerSecond());
            ArrayNode kernels = json.putArray("kernels");
            List<KernelWorkload> workloads = KernelWorkload.all();
            for (KernelWorkload workload : workloads) {
                Time time = measure(workload, context, module, queue, seconds / workloads.size());
                tell(time, workload.onTensorCores() ? halves : floats, kernels.addObject());
            }
            Path folder = Path.of(System.getProperty("java.io.tmpdir"));
            write(json, file, context, queue, folder, seconds == 0 ? LEAST_UPLOAD : MOST_UPLOAD);
        }
    }

    /**
     * Writes what is known of the kernels, then adds how fast so many bytes of weights are uploaded from a file in a folder: the times
     * of the kernels are there whatever becomes of that. A folder without room for the file is told in a line.
     */
    static void write(ObjectNode json, Path file, CudaContext context, CudaQueue queue, Path folder, long bytes)
            throws IOException {
        ArrayNode uploads = json.putArray("uploads");
        Files.writeString(file, json.toPrettyString());
        try {
            for (TensorType from : List.of(TensorType.BF16, TensorType.F32)) {
                tell(UploadRate.measure(context, queue, folder, from, DType.BF16, bytes), uploads.addObject());
            }
        } catch (IOException e) {
            System.out.println(
                    "uploads not measured, as there can be no file of " + bytes + " bytes in " + folder + ": " + e);
            json.put("uploads_failed", e.toString());
        }
        Files.writeString(file, json.toPrettyString());
    }

    private static DevicePeaks peaks(DType dtype) {
        try (Device device = Devices.open("cuda", dtype)) {
            return MachinePeaks.measure(device).roof();
        }
    }

    private static void tell(Time time, DevicePeaks peaks, ObjectNode json) {
        KernelWorkload workload = time.workload();
        System.out.printf(
                Locale.ROOT,
                "%-36s %10.2f %9.0f %10.0f %4.0f %%  %s%n",
                workload.label(),
                time.microseconds(),
                time.bytesPerSecond() / 1e9,
                time.flopsPerSecond() / 1e9,
                100 * time.share(peaks),
                workload.work());
        json.put("kernel", workload.label())
                .put("work", workload.work())
                .put("microseconds", time.microseconds())
                .put("bytes", workload.minimumBytes())
                .put("flops", workload.flops())
                .put("bytes_per_second", time.bytesPerSecond())
                .put("flops_per_second", time.flopsPerSecond())
                .put("peak_share", time.share(peaks))
                .put("launches", time.launches())
                .put("copies", time.copies())
                .put("rounds", time.rounds());
    }

    private static void tell(UploadRate rate, ObjectNode json) {
        System.out.printf(
                Locale.ROOT,
                "weights in %s of a mapped file to %s on the device: %.2f GB/s%n",
                rate.from(),
                rate.to(),
                rate.bytesPerSecond() / 1e9);
        json.put("from", rate.from().toString())
                .put("to", rate.to().toString())
                .put("bytes", rate.bytes())
                .put("seconds", rate.seconds())
                .put("bytes_per_second", rate.bytesPerSecond());
    }

    /** The time of a kernel, measured for some seconds; with 0 of one launch. */
    static Time measure(
            KernelWorkload workload, CudaContext context, CudaModule module, CudaQueue queue, double seconds) {
        boolean once = seconds == 0;
        int launches = once ? 1 : LAUNCHES;
        List<Prepared> copies = new ArrayList<>();
        try {
            allocate(copies, once ? 1 : copies(workload), () -> workload.prepare(context, module));
            int count = copies.size();
            context.synchronize();
            try (CudaGraph graph = CudaGraph.capture(queue.stream(), () -> {
                for (int i = 0; i < launches; i++) {
                    copies.get(i % count).launch(queue.stream());
                }
            })) {
                double[] times = rounds(graph, queue, 1);
                if (!once) {
                    times = rounds(graph, queue, (int) Math.clamp(1e3 * seconds / times[0], LEAST_ROUNDS, MOST_ROUNDS));
                }
                return new Time(workload, 1e3 * times[times.length / 2] / launches, launches, count, times.length);
            }
        } finally {
            copies.forEach(Prepared::close);
        }
    }

    /** Adds copies up to {@code count}, or as many as the device has room for. */
    private static void allocate(List<Prepared> copies, int count, Supplier<Prepared> copy) {
        while (copies.size() < count) {
            try {
                copies.add(copy.get());
            } catch (DeviceMemoryException e) {
                if (copies.isEmpty()) {
                    throw e;
                }
                return;
            }
        }
    }

    /** How many copies of its memory launches go round. */
    static int copies(KernelWorkload workload) {
        long least = Math.min(MOST_COPIES, Math.ceilDiv(ENOUGH_BYTES, workload.minimumBytes()));
        return (int) Math.clamp(MOST_BYTES / workload.allocatedBytes(), 1, least);
    }

    /** Milliseconds of {@code count} starts of the graph behind another one, ascending. */
    private static double[] rounds(CudaGraph graph, CudaQueue queue, int count) {
        List<CudaEvent> marks = new ArrayList<>();
        try {
            while (marks.size() <= count) {
                marks.add(CudaEvent.create());
            }
            for (CudaEvent mark : marks) {
                graph.launch(queue.stream());
                mark.record(queue.stream());
            }
            marks.getLast().await();
            return IntStream.range(0, count)
                    .mapToDouble(i -> marks.get(i + 1).millisecondsSince(marks.get(i)))
                    .sorted()
                    .toArray();
        } finally {
            marks.forEach(CudaEvent::close);
        }
    }
}
