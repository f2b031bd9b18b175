package dev.belay.device.cuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/**
 * Writes docs/kernels.md, see {@code tools/kernel-report}. {@code run} launches every workload once, with the kernels that Belay runs,
 * for example under compute-sanitizer. {@code plain KERNELS} launches one of each kernel of a file, and {@code norms KERNELS} attention
 * that keeps norms: each in a process of its own in which softcuda counts, by kernel. {@code write PLAIN NORMS PTXAS OUT} joins the counts
 * with the output of ptxas; the same input gives the same text. {@code time SECONDS OUT} is {@link KernelTimes}.
 */
final class KernelReport {
    private static final String HEAD = """
            # What the kernels cost

            Written by `tools/kernel-report`; change that, not this. **Nothing here was measured on a GPU.** Registers and spills are what
            ptxas of CUDA 13.0 says of the shipped fatbin; everything counted comes from softcuda (`native/softcuda`), which runs the
            kernels' PTX instruction by instruction; times are predictions.

            ## The launches

            One of each kernel, and three that keep norms, in the widths of Llama-3.1-8B, of Qwen3-30B-A3B where there are experts. T tokens, D
            width, H heads, KV key/value heads, HD head size, F feed-forward size, E experts, k of them for a token. Shared memory is of a block,
            the dynamic part.

            """;

    private static final String RESOURCES = """

            ## Registers and occupancy

            For each architecture registers of a thread, and the share of a multiprocessor's warps that are there at a time in these
            launches, by registers, shared memory and blocks (limits: CUDA C++ Programming Guide, technical specifications per compute
            capability). Bytes spilled are stores and loads together.

            """;

    private static final String INSTRUCTIONS = """

            ## Warp instructions

            In thousands, by class. `lanes` is the share of lanes that were active. A warp instruction of PTX is about one of the machine's.

            """;

    private static final String MEMORY = """

            ## Memory

            `asked` are the bytes that lanes asked for, `moved` the 32-byte sectors of global memory that these touch for each warp
            instruction, `coalescing` = asked / moved (over 100 % where lanes ask for the same bytes). The minimum is each input once and
            each output once. `distinct` are the sectors moved, each once a launch: what the device's memory delivers if the L2 cache (40
            MB on an A100, 50 on an H100, 72 on an RTX 4090) holds what other warps ask for again. That is a norm's weight, a bias, the
            probe's and attribution's vectors (16 to 131 KB), the logits of a row that is sampled (513 KB, read again for each digit), the
            keys and values of a text (2 MB here), attention's outputs where it keeps norms (4 MB, 8 in float32), the tiles of a product, and a
            router's logits and choice. `bank passes` are passes over the banks of shared memory relative to those without conflicts; `parting` is
            the share of branches at which the lanes of a warp part.

            Where bank passes are over 1: the copies of keys and values of heads of 32, 80 and 96 (rows of 4, 10 and 12 units of 16 bytes, so
            that some eight lanes cross the padding at a row's end and two of them meet); in sampling, lanes whose logits have the same digit
            add to the same sum; in decode attention the scores of four query heads for keys eight apart meet, and with bf16 a lane stores its
            eight sums in two halves, 32 bytes from its neighbour's. None of these is on the way of what bounds its kernel.

            """;

    private static final String PREDICTED = """

            ## Predicted time, not measured

            Microseconds = max(bytes / bandwidth, matrix FLOPs / tensor rate, other float32 FLOPs / float rate) + launch. The first number
            takes the minimum of bytes, the second the bytes moved, as if no cache helped: the truth should lie between, and above where
            a kernel does not reach the peak. Other FLOPs are counted as if every float32 instruction were an fma of all lanes. Inputs that
            the kernel before left in the L2 cache make it faster than the first number.

            """;

    private final Map<String, KernelCounts> counts;
    private final PtxasLog ptxas;
    private final StringBuilder text = new StringBuilder();

    private KernelReport(Map<String, KernelCounts> counts, PtxasLog ptxas) {
        this.counts = counts;
        this.ptxas = ptxas;
    }

    public static void main(String[] args) throws IOException {
        if (args.length == 1 && args[0].equals("run")) {
            run(KernelWorkload.all(), CudaContext::loadKernels);
        } else if (args.length == 2 && args[0].equals("plain")) {
            run(KernelWorkload.plain(), context -> context.load(Path.of(args[1])));
        } else if (args.length == 2 && args[0].equals("norms")) {
            run(KernelWorkload.keepingNorms(), context -> context.load(Path.of(args[1])));
        } else if (args.length == 3 && args[0].equals("time")) {
            KernelTimes.run(Double.parseDouble(args[1]), Path.of(args[2]));
        } else if (args.length == 5 && args[0].equals("write")) {
            PtxasLog ptxas = PtxasLog.parse(Files.readAllLines(Path.of(args[3])));
            Files.writeString(Path.of(args[4]), write(counts(Path.of(args[1]), Path.of(args[2])), ptxas));
        } else {
            System.err.println("usage: KernelReport run | plain KERNELS | norms KERNELS | time SECONDS OUT"
                    + " | write PLAIN NORMS PTXAS OUT");
            System.exit(2);
        }
    }

    private static void run(List<KernelWorkload> workloads, Function<CudaContext, CudaModule> kernels) {
        try (CudaContext context = CudaContext.open(0);
                CudaModule module = kernels.apply(context)) {
            workloads.forEach(workload -> workload.run(context, module));
        }
    }

    /** What was counted of the plain launches and of those that keep norms, by {@link KernelWorkload#label}. */
    static Map<String, KernelCounts> counts(Path plain, Path norms) throws IOException {
        Map<String, KernelCounts> counts = new HashMap<>(KernelCounts.read(plain));
        KernelCounts.read(norms).forEach((kernel, counted) -> counts.put(kernel + KernelWorkload.NORMS, counted));
        return counts;
    }

    /** The report as Markdown; without {@code ptxas} all but the registers. */
    static String write(Map<String, KernelCounts> counts, PtxasLog ptxas) {
        KernelReport report = new KernelReport(counts, ptxas);
        List<KernelWorkload> workloads = KernelWorkload.all();
        report.launches(workloads);
        if (ptxas != null) {
            report.resources(workloads);
        }
        report.instructions(workloads);
        report.memory(workloads);
        report.predictions(workloads);
        return report.text.toString();
    }

    private void launches(List<KernelWorkload> workloads) {
        text.append(HEAD);
        table("kernel", "work", "blocks", "threads", "shared bytes");
        for (KernelWorkload w : workloads) {
            LaunchShape shape = w.shape();
            row(
                    w.label(),
                    w.work(),
                    shape.gridX() + " × " + shape.gridY() + (shape.gridZ() > 1 ? " × " + shape.gridZ() : ""),
                    shape.threads(),
                    w.kernel().sharedBytes());
        }
    }

    private void resources(List<KernelWorkload> workloads) {
        text.append(RESOURCES);
        String[] columns = new String[SmLimits.ALL.length + 2];
        columns[0] = "kernel";
        for (int i = 0; i < SmLimits.ALL.length; i++) {
            columns[i + 1] = SmLimits.ALL[i].architecture();
        }
        columns[columns.length - 1] = "spilled";
        table(columns);
        for (KernelWorkload w : workloads) {
            Object[] cells = new Object[columns.length];
            cells[0] = w.label();
            int spilled = 0;
            for (int i = 0; i < SmLimits.ALL.length; i++) {
                SmLimits sm = SmLimits.ALL[i];
                PtxasLog.Usage usage = ptxas.usage(w.kernel().name(), sm.architecture());
                int shared = usage.sharedBytes() + w.kernel().sharedBytes();
                double occupancy = sm.occupancy(w.shape().threads(), usage.registers(), shared);
                cells[i + 1] = usage.registers() + ", " + percent(occupancy);
                spilled = Math.max(spilled, usage.spillBytes());
            }
            cells[cells.length - 1] = spilled;
            row(cells);
        }
    }

    private void instructions(List<KernelWorkload> workloads) {
        text.append(INSTRUCTIONS);
        List<String> classes = workloads.stream()
                .flatMap(w -> of(w).classes().entrySet().stream())
                .filter(e -> e.getValue() > 0)
                .map(Map.Entry::getKey)
                .distinct()
                .toList();
        String[] columns = new String[classes.size() + 3];
        columns[0] = "kernel";
        columns[1] = "all";
        columns[2] = "lanes";
        for (int i = 0; i < classes.size(); i++) {
            columns[i + 3] = classes.get(i);
        }
        table(columns);
        for (KernelWorkload w : workloads) {
            Object[] cells = new Object[columns.length];
            cells[0] = w.label();
            cells[1] = thousands(of(w).warpInstructions());
            cells[2] = percent(of(w).laneUse());
            for (int i = 0; i < classes.size(); i++) {
                cells[i + 3] = thousands(of(w).classes().get(classes.get(i)));
            }
            row(cells);
        }
    }

    private void memory(List<KernelWorkload> workloads) {
        text.append(MEMORY);
        table(
                "kernel",
                "asked MB",
                "moved MB",
                "coalescing",
                "minimum MB",
                "moved / minimum",
                "distinct / minimum",
                "bank passes",
                "parting");
        for (KernelWorkload w : workloads) {
            KernelCounts c = of(w);
            row(
                    w.label(),
                    megabytes(c.askedBytes()),
                    megabytes(c.movedBytes()),
                    percent(c.coalescing()),
                    megabytes(w.minimumBytes()),
                    decimals(2, (double) c.movedBytes() / w.minimumBytes()),
                    decimals(2, (double) c.distinctBytes() / w.minimumBytes()),
                    decimals(2, c.bankConflicts()),
                    percent(c.divergence()));
        }
    }

    private void predictions(List<KernelWorkload> workloads) {
        text.append(PREDICTED);
        for (GpuModel gpu : GpuModel.ALL) {
            line("- " + gpu.name() + ": " + number(gpu.gigabytes()) + " GB/s, " + number(gpu.tensorTeraflops())
                    + " TFLOP/s in bf16 products, " + number(gpu.floatTeraflops()) + " TFLOP/s in float32 ("
                    + gpu.source() + ")");
        }
        line("- launch: " + number(GpuModel.LAUNCH_MICROSECONDS) + " µs, an assumption");
        line("");
        String[] columns = new String[GpuModel.ALL.length + 3];
        columns[0] = "kernel";
        columns[1] = "matrix GFLOP";
        columns[2] = "other GFLOP";
        for (int i = 0; i < GpuModel.ALL.length; i++) {
            columns[i + 3] = GpuModel.ALL[i].name() + ", predicted µs";
        }
        table(columns);
        for (KernelWorkload w : workloads) {
            KernelCounts c = of(w);
            Object[] cells = new Object[columns.length];
            cells[0] = w.label();
            cells[1] = decimals(3, c.mmaFlops() / 1e9);
            cells[2] = decimals(3, c.floatFlops() / 1e9);
            for (int i = 0; i < GpuModel.ALL.length; i++) {
                GpuModel gpu = GpuModel.ALL[i];
                cells[i + 3] = decimals(1, gpu.microseconds(w.minimumBytes(), c.mmaFlops(), c.floatFlops())) + " – "
                        + decimals(1, gpu.microseconds(c.movedBytes(), c.mmaFlops(), c.floatFlops()));
            }
            row(cells);
        }
    }

    private KernelCounts of(KernelWorkload workload) {
        String name = workload.label();
        KernelCounts found = counts.get(name);
        if (found == null || found.launches() != 1) {
            throw new IllegalArgumentException(
                    "the counts must hold one launch of " + name + ", not " + (found == null ? 0 : found.launches()));
        }
        return found;
    }

    private void table(String... columns) {
        row((Object[]) columns);
        StringBuilder rule = new StringBuilder("|");
        for (String column : columns) {
            rule.append(column.equals("kernel") || column.equals("work") ? "---|" : "---:|");
        }
        line(rule.toString());
    }

    private void row(Object... cells) {
        StringBuilder row = new StringBuilder("|");
        for (Object cell : cells) {
            row.append(' ').append(cell).append(" |");
        }
        line(row.toString());
    }

    private void line(String line) {
        text.append(line).append('\n');
    }

    private static String thousands(long count) {
        return decimals(count > 0 && count < 10_000 ? 1 : 0, count / 1e3);
    }

    private static String megabytes(long bytes) {
        return decimals(2, bytes / 1e6);
    }

    private static String percent(double share) {
        return decimals(0, 100 * share) + " %";
    }

    private static String number(double value) {
        return decimals(value == Math.rint(value) ? 0 : 1, value);
    }

    private static String decimals(int places, double value) {
        return String.format(Locale.ROOT, "%." + places + "f", value);
    }
}
