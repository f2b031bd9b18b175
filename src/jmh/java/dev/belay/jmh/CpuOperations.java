package dev.belay.jmh;

import dev.belay.bench.ModelShape;
import dev.belay.bench.OperationBench;
import dev.belay.bench.TemporaryModel;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.Devices;
import dev.belay.io.Resources;
import dev.belay.model.Model;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** The operations of {@code belay bench --only ops} on the CPU device, one at a time: the average time of one call. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class CpuOperations {
    private static final int MOST_TOKENS = 2048;

    /** One of {@link OperationBench.Operation#name()}. */
    @Param({"qkv", "output", "gate_up", "down", "lm_head", "attention", "rmsNorm", "rotate", "swiglu"})
    public String operation;

    /** 1 and 8: one token of as many texts, after 255; 64, 512 and 2048: several whole texts. */
    @Param({"1", "8", "64", "512"})
    public int tokens;

    @Param("bf16")
    public String dtype;

    @Param("smollm2-135m")
    public String shape;

    private final Resources opened = new Resources();
    private OperationBench.Operation measured;
    private int calls;

    /** Makes a model and runs a pass, whose operation is then done again and again. */
    @Setup(Level.Trial)
    public void open() {
        Device device = opened.own(Devices.open("cpu", DType.parse(dtype)));
        TemporaryModel folder = opened.own(new TemporaryModel(ModelShape.of(shape), bytes -> {}));
        Model model = opened.own(Model.load(folder.folder(), device, layer -> {}));
        OperationBench bench = opened.own(new OperationBench(model, MOST_TOKENS));
        OperationBench.Case of = OperationBench.cases(model.config(), MOST_TOKENS).stream()
                .filter(c -> c.tokens() == tokens)
                .findFirst()
                .orElseThrow();
        measured = bench.operations(of).stream()
                .filter(o -> o.name().equals(operation))
                .findFirst()
                .orElseThrow();
    }

    /** One call. */
    @Benchmark
    public void run() {
        measured.run(calls);
        calls = calls + 1 & Integer.MAX_VALUE;
    }

    /** Closes everything. */
    @TearDown(Level.Trial)
    public void close() {
        opened.close();
    }
}
