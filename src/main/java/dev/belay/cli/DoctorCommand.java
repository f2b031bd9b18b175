package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceException;
import dev.belay.device.Devices;
import dev.belay.device.cpu.CpuFeature;
import dev.belay.device.cpu.FreeMemory;
import dev.belay.device.cuda.CudaAvailability;
import dev.belay.device.cuda.CudaDeviceInfo;
import dev.belay.device.cuda.CudaMemoryInfo;
import dev.belay.device.cuda.CudaParts;
import dev.belay.device.cuda.CudaSystem;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code belay doctor}: what Belay finds on this machine. */
@Command(
        name = "doctor",
        mixinStandardHelpOptions = true,
        description = {
            "Says what Belay can use on this machine, and why not the rest.",
            "It looks at Java, memory, the CPU and its instructions, the CUDA driver, GPUs, cuBLASLt, the kernels "
                    + "in the jar, and what --device auto takes.",
            "Exit code 0 if the CPU can be used."
        },
        footer = {"", "Example: belay doctor"})
final class DoctorCommand implements Callable<Integer> {
    /** Bytes below which most models are out of reach. */
    private static final long LITTLE = 2L << 30;

    @Mixin
    private Output out;

    private final ObjectNode result = Output.object();

    @Override
    public Integer call() {
        CudaSystem system = CudaSystem.get();
        result.put("version", RootCommand.Version.number());
        java();
        memory(new FreeMemory());
        boolean works = cpu();
        driver(system);
        ArrayNode gpus = result.putArray("gpus");
        for (CudaDeviceInfo device : system.devices()) {
            gpu(device, gpus.addObject());
        }
        CudaParts parts = CudaParts.look();
        products(parts);
        kernels(parts);
        CudaAvailability.Automatic automatic = CudaAvailability.automatic();
        line("--device auto", automatic.device() + ": " + automatic.reason());
        result.putObject("auto").put("device", automatic.device()).put("reason", automatic.reason());
        out.result(result);
        return works ? 0 : 1;
    }

    private void java() {
        String version = System.getProperty("java.vendor") + " " + System.getProperty("java.runtime.version");
        String home = System.getProperty("java.home");
        line("Java", version + ", " + home);
        result.putObject("java").put("version", version).put("home", home);
    }

    private void memory(FreeMemory memory) {
        long heap = Runtime.getRuntime().maxMemory();
        ObjectNode json = result.putObject("memory");
        memory(json, "total", memory.total());
        memory(json, "available", memory.bytes());
        memory(json, "control_group", memory.limit());
        json.put("java_heap", heap);
        String text = memory.total() == Long.MAX_VALUE
                ? "the system does not tell how much there is"
                : size(memory.bytes()) + " available of " + size(memory.total());
        if (memory.limit() != Long.MAX_VALUE) {
            text += "; a control group allows " + size(memory.limit())
                    + ": for more ask the scheduler or container (--mem of Slurm, --memory of Docker, limits of Kubernetes)";
        } else {
            text += ", no limit by a control group";
        }
        if (memory.bytes() < LITTLE) {
            text += "; that is little: end what else runs, or take a smaller model";
        }
        line("memory", text);
        String advice = "";
        if (heap > memory.bytes()) {
            advice = "; that is more than is available: set BELAY_JAVA_OPTIONS=-Xmx" + (memory.bytes() / 2 >> 20) + "m";
        } else if (heap < LITTLE) {
            advice = "; capturing the states of long texts may need more: set BELAY_JAVA_OPTIONS=-Xmx"
                    + Math.max(1, Math.min(LITTLE, memory.bytes() / 2) >> 20) + "m";
        }
        line("Java heap", "up to " + size(heap) + advice);
    }

    private static void memory(ObjectNode json, String name, long bytes) {
        json.put(name, bytes == Long.MAX_VALUE ? null : (Long) bytes);
    }

    private void features(ArrayNode json) {
        List<CpuFeature> features = CpuFeature.all();
        String used =
                features.stream().filter(CpuFeature::used).map(CpuFeature::name).collect(Collectors.joining(", "));
        line("instructions", used.isEmpty() ? "none of those that make products fast" : used);
        for (CpuFeature feature : features) {
            json.addObject()
                    .put("name", feature.name())
                    .put("used", feature.used())
                    .put("advice", feature.used() ? null : feature.advice());
            if (!feature.used()) {
                line("no " + feature.name(), feature.advice());
            }
        }
    }

    private boolean cpu() {
        ObjectNode json = result.putObject("cpu");
        try (Device device = Devices.open("cpu", DType.F32)) {
            line("CPU", device.description());
            json.put("usable", true).put("description", device.description());
            features(json.putArray("features"));
            return true;
        } catch (DeviceException e) {
            line("CPU", "cannot be used: " + e.getMessage());
            json.put("usable", false).put("reason", e.getMessage());
            return false;
        }
    }

    private void driver(CudaSystem system) {
        ObjectNode json = result.putObject("cuda_driver");
        if (system.driver() != null) {
            json.put("file", system.driver().toString()).put("version", CudaSystem.versionText(system.version()));
        }
        if (system.problem() == null) {
            line("CUDA driver", "CUDA " + CudaSystem.versionText(system.version()) + ", " + system.driver());
        } else {
            line("CUDA driver", (system.driver() == null ? "" : "cannot be used: ") + system.problem());
            json.put("reason", system.problem());
        }
    }

    private void gpu(CudaDeviceInfo device, ObjectNode json) {
        json.put("index", device.index()).put("name", device.name()).put("uuid", device.uuid());
        json.put("compute_capability", device.capabilityText()).put("pci", device.pci());
        CudaMemoryInfo memory = CudaMemoryInfo.of(device);
        String text = device.name() + ", compute capability " + device.capabilityText() + ", PCI " + device.pci() + ", "
                + device.uuid();
        if (memory.problem() == null) {
            line("GPU " + device.index(), text + ", " + size(memory.free()) + " free of " + size(memory.total()));
            json.put("usable", true).put("memory_free", memory.free()).put("memory_total", memory.total());
        } else {
            line("GPU " + device.index(), text + ", cannot be used: " + memory.problem());
            json.put("usable", false).put("memory_total", memory.total()).put("reason", memory.problem());
        }
    }

    private void products(CudaParts parts) {
        ObjectNode json = result.putObject("cublaslt");
        if (parts.products() != null) {
            line("cuBLASLt", parts.productsVersion() + ", " + parts.products());
            json.put("file", parts.products().toString()).put("version", parts.productsVersion());
        } else {
            line("cuBLASLt", "Belay's own kernels instead: " + parts.productsProblem());
            json.put("reason", parts.productsProblem());
        }
    }

    private void kernels(CudaParts parts) {
        ObjectNode json = result.putObject("kernels");
        if (parts.kernelsProblem() == null) {
            line("kernels", parts.kernels() + ", for " + String.join(", ", parts.kernelTargets()));
            ArrayNode targets = json.put("source", parts.kernels()).putArray("targets");
            parts.kernelTargets().forEach(targets::add);
        } else {
            line("kernels", parts.kernelsProblem());
            json.put("reason", parts.kernelsProblem());
        }
    }

    private void line(String what, String text) {
        out.say("%-14s %s", what, text);
    }

    private static String size(long bytes) {
        return String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1 << 30));
    }
}
