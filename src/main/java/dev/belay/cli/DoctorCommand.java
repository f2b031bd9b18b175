package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceException;
import dev.belay.device.Devices;
import dev.belay.device.cuda.CudaAvailability;
import dev.belay.device.cuda.CudaDeviceInfo;
import dev.belay.device.cuda.CudaMemoryInfo;
import dev.belay.device.cuda.CudaParts;
import dev.belay.device.cuda.CudaSystem;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code belay doctor}: what Belay finds on this machine. */
@Command(
        name = "doctor",
        mixinStandardHelpOptions = true,
        description = {
            "Says what Belay can use on this machine, and of the rest why not:",
            "Java, the CPU, the CUDA driver, GPUs, cuBLASLt, the kernels in the jar, and what --device auto takes.",
            "Exit code 0 if the CPU can be used."
        },
        footer = {"", "Example: belay doctor"})
final class DoctorCommand implements Callable<Integer> {
    @Mixin
    private Output out;

    private final ObjectNode result = Output.object();

    @Override
    public Integer call() {
        CudaSystem system = CudaSystem.get();
        result.put("version", RootCommand.Version.number());
        java();
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

    private boolean cpu() {
        ObjectNode json = result.putObject("cpu");
        try (Device device = Devices.open("cpu", DType.F32)) {
            line("CPU", device.description());
            json.put("usable", true).put("description", device.description());
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
