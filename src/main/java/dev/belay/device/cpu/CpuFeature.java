package dev.belay.device.cpu;

import dev.belay.bindings.dnnl.Dnnl;
import dev.belay.device.DeviceException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Instructions that make products fast.
 *
 * @param name as vendors write it
 * @param used whether oneDNN uses them here
 * @param advice what their absence means and what to do; empty if they are used
 */
public record CpuFeature(String name, boolean used, String advice) {
    private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

    /**
     * The features of this CPU, from the oldest.
     *
     * @throws DeviceException if oneDNN cannot be loaded
     */
    public static List<CpuFeature> all() {
        OneDnnLibrary.load();
        List<String> flags = flags();
        return List.of(
                feature(
                        flags,
                        "AVX2",
                        "avx2",
                        Dnnl.dnnl_cpu_isa_avx2(),
                        "all is several times slower; take a CPU from Intel Haswell or AMD Zen on"),
                feature(
                        flags,
                        "AVX-512",
                        "avx512bw",
                        Dnnl.dnnl_cpu_isa_avx512_core(),
                        "products take up to twice as long; take a server CPU of Intel, or AMD from Zen 4 on"),
                feature(
                        flags,
                        "AVX512-BF16",
                        "avx512_bf16",
                        Dnnl.dnnl_cpu_isa_avx512_core_bf16(),
                        "--dtype bf16 multiplies in f32, which saves memory but no time; "
                                + "take a CPU from Intel Cooper Lake or AMD Zen 4 on"),
                feature(
                        flags,
                        "AMX-BF16",
                        "amx_bf16",
                        Dnnl.dnnl_cpu_isa_avx512_core_amx(),
                        "--dtype bf16 multiplies large batches several times slower than with it; "
                                + "take a CPU from Intel Sapphire Rapids on"));
    }

    private static CpuFeature feature(List<String> flags, String name, String flag, int bits, String without) {
        if ((OneDnn.instructionSet() & bits) == bits) {
            return new CpuFeature(name, true, "");
        }
        String why = flags.contains(flag)
                ? "the CPU has it, but oneDNN does not use it: unset ONEDNN_MAX_CPU_ISA, or take a kernel that allows it; "
                        + "without it "
                : "the CPU, or the virtual machine, does not offer it: ";
        return new CpuFeature(name, false, why + without);
    }

    /** What Linux says that the first CPU has. */
    private static List<String> flags() {
        try (Stream<String> lines = Files.lines(CPU_INFO)) {
            return lines.filter(line -> line.startsWith("flags"))
                    .findFirst()
                    .map(line -> List.of(line.split("\\s+")))
                    .orElse(List.of());
        } catch (IOException e) {
            return List.of();
        }
    }
}
