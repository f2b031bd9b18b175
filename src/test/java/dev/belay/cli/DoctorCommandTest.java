package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.device.SoftCuda;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code belay doctor}, in processes of its own, as a process finds its libraries once. On softcuda where that is built. */
class DoctorCommandTest {
    @TempDir
    static Path folder;

    private static Path ptx;

    @BeforeAll
    static void write() throws IOException {
        ptx = Files.writeString(folder.resolve("belay.ptx"), ".version 9.0\n.target sm_80\n");
    }

    /** What a process printed on stdout, and its exit code. */
    private record Printed(int code, String out) {
        JsonNode json() {
            assertEquals(0, code, out);
            return Cli.parse(out);
        }
    }

    private static Printed doctor(Map<String, String> environment, List<String> properties, String... options)
            throws IOException, InterruptedException {
        List<String> command =
                Cli.process(properties.stream().map(property -> "-D" + property).toList(), List.of("doctor"));
        command.addAll(List.of(options));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().remove("SOFTCUDA_ARCH");
        builder.environment().putAll(environment);
        Process process = builder.start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Printed(process.waitFor(), out);
    }

    private static List<String> softcuda(Path kernels) {
        return softcuda(SoftCuda.DRIVER, SoftCuda.PRODUCTS, kernels);
    }

    private static List<String> softcuda(Path driver, Object products, Path kernels) {
        SoftCuda.require();
        return List.of(
                "belay.cuda.library=" + driver, "belay.cublas.library=" + products, "belay.cuda.kernels=" + kernels);
    }

    private static List<String> nothing() {
        return List.of(
                "belay.cuda.library=/none/libcuda.so.1",
                "belay.cublas.library=/none/libcublasLt.so.13",
                "belay.cuda.kernels=/none/belay.fatbin");
    }

    @Test
    void withoutCudaTheReasonsAreTold() throws Exception {
        JsonNode json = doctor(Map.of(), nothing(), "--json").json();
        assertTrue(json.get("cpu").get("usable").asBoolean());
        assertTrue(json.get("cpu").get("description").asText().contains("oneDNN"), json.toString());
        String driver = "no CUDA driver: /none/libcuda.so.1 does not exist; check -Dbelay.cuda.library";
        assertEquals(driver, json.get("cuda_driver").get("reason").asText());
        assertFalse(json.get("cuda_driver").has("file"));
        assertEquals(0, json.get("gpus").size());
        assertEquals(
                "no cuBLASLt library: /none/libcublasLt.so.13 does not exist; check -Dbelay.cublas.library",
                json.get("cublaslt").get("reason").asText());
        assertEquals(
                "there are no kernels: /none/belay.fatbin does not exist; check -Dbelay.cuda.kernels",
                json.get("kernels").get("reason").asText());
        assertEquals("cpu", json.get("auto").get("device").asText());
        assertEquals(
                "no GPU can be used: " + driver, json.get("auto").get("reason").asText());
    }

    @Test
    void inWordsEachIsALine() throws Exception {
        Printed printed = doctor(Map.of(), nothing());
        assertEquals(0, printed.code(), printed.out());
        List<String> starts = printed.out()
                .lines()
                .map(line -> line.substring(0, 15))
                .filter(start -> !start.startsWith("no "))
                .toList();
        assertEquals(
                List.of(
                        "Java           ",
                        "memory         ",
                        "Java heap      ",
                        "CPU            ",
                        "instructions   ",
                        "CUDA driver    ",
                        "cuBLASLt       ",
                        "kernels        ",
                        "--device auto  "),
                starts,
                printed.out());
        assertTrue(printed.out().contains("CUDA driver    no CUDA driver: /none"), printed.out());
        assertTrue(printed.out().contains("Belay's own kernels instead: no cuBLASLt"), printed.out());
    }

    @Test
    void memoryIsThatOfTheSystem() throws Exception {
        Map<String, String> environment = Map.of("JAVA_TOOL_OPTIONS", "-Xmx300m");
        JsonNode memory = doctor(environment, nothing(), "--json").json().get("memory");
        String total = Files.readAllLines(Path.of("/proc/meminfo")).getFirst().replaceAll("\\D", "");
        assertEquals(Long.parseLong(total) << 10, memory.get("total").asLong());
        assertTrue(memory.get("available").asLong() > 1 << 20, memory.toString());
        assertTrue(memory.has("control_group"), memory.toString());
        assertEquals(300 << 20, memory.get("java_heap").asLong(), 10 << 20);
        String out = doctor(environment, nothing()).out();
        assertTrue(out.matches("(?s).*Java heap      up to 0\\.3 GiB; .*set BELAY_JAVA_OPTIONS=-Xmx\\d+m\\n.*"), out);
    }

    /** oneDNN is told to do without: each feature that is missing has a line that says what to do. */
    @Test
    void missingInstructionsHaveAdvice() throws Exception {
        Map<String, String> environment = Map.of("ONEDNN_MAX_CPU_ISA", "AVX2");
        JsonNode features = doctor(environment, nothing(), "--json").json().at("/cpu/features");
        List<String> flags = Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                .filter(line -> line.startsWith("flags"))
                .findFirst()
                .map(line -> List.of(line.split("\\s+")))
                .orElseThrow();
        assertEquals(List.of("AVX2", "AVX-512", "AVX512-BF16", "AMX-BF16"), features.findValuesAsText("name"));
        assertEquals(flags.contains("avx2"), features.get(0).get("used").asBoolean());
        for (int i = 1; i < 4; i++) {
            assertFalse(features.get(i).get("used").asBoolean(), features.toString());
        }
        String advice = features.get(3).get("advice").asText();
        assertEquals(flags.contains("amx_bf16"), advice.contains("unset ONEDNN_MAX_CPU_ISA"), advice);
        String out = doctor(environment, nothing()).out();
        assertTrue(out.contains("\nno AVX512-BF16 "), out);
        assertTrue(out.contains("\nno AMX-BF16    " + advice + "\n"), out);
    }

    @ParameterizedTest
    @CsvSource({"80, 8.0, A100", "90, 9.0, H100", "100, 10.0, B200"})
    void theDeviceIsDescribed(String architecture, String capability, String name) throws Exception {
        Map<String, String> environment = Map.of("SOFTCUDA_ARCH", architecture, "SOFTCUDA_MEMORY", "3G");
        JsonNode json = doctor(environment, softcuda(ptx), "--json").json();
        assertEquals("13.0", json.get("cuda_driver").get("version").asText());
        assertEquals(
                SoftCuda.DRIVER.toString(), json.get("cuda_driver").get("file").asText());
        JsonNode gpu = json.get("gpus").get(0);
        assertTrue(gpu.get("name").asText().contains(name), json.toString());
        assertEquals(capability, gpu.get("compute_capability").asText());
        assertEquals("GPU-736f6674-6375-6461-0000-000000000001", gpu.get("uuid").asText());
        assertEquals("0000:5C:00.0", gpu.get("pci").asText());
        assertEquals(3L << 30, gpu.get("memory_total").asLong());
        assertEquals(3L << 30, gpu.get("memory_free").asLong());
        assertTrue(json.get("cublaslt").get("version").asText().matches("13\\.\\d+\\.\\d+"), json.toString());
        assertEquals("compute_80", json.get("kernels").get("targets").get(0).asText());
        assertEquals("cuda:0", json.get("auto").get("device").asText());
    }

    @Test
    void withoutKernelsAutoTakesTheCpuAndSaysWhy() throws Exception {
        JsonNode json = doctor(Map.of(), softcuda(Path.of("/none/belay.fatbin")), "--json")
                .json();
        assertTrue(json.get("gpus").get(0).get("usable").asBoolean());
        assertEquals("cpu", json.get("auto").get("device").asText());
        assertEquals(
                "no GPU can be used: there are no kernels: /none/belay.fatbin does not exist; check -Dbelay.cuda.kernels",
                json.get("auto").get("reason").asText());
    }

    /** Another process may hold the GPU for itself: doctor, auto and what it says are of one mind. */
    @Test
    void aGpuThatCannotBeOpenedIsNotTaken() throws Exception {
        Map<String, String> environment = Map.of("SOFTCUDA_FAIL", "cuDevicePrimaryCtxRetain=46");
        JsonNode json = doctor(environment, softcuda(ptx), "--json").json();
        JsonNode gpu = json.get("gpus").get(0);
        assertFalse(gpu.get("usable").asBoolean());
        String reason = gpu.get("reason").asText();
        assertTrue(reason.startsWith("cuDevicePrimaryCtxRetain failed: CUDA_ERROR_DEVICE_UNAVAILABLE (46), "), reason);
        assertTrue(reason.endsWith("wait for that, or use --device cpu"), reason);
        assertEquals("cpu", json.get("auto").get("device").asText());
        assertEquals(
                "no GPU can be used: cuda:0: " + reason,
                json.get("auto").get("reason").asText());
    }

    /** cuDeviceGetUuid_v2 came with CUDA 11.4. */
    @ParameterizedTest
    @CsvSource({
        "11020, 'is for CUDA 11.2, but Belay needs one for CUDA 13.0 or later; install a newer NVIDIA driver'",
        "13000, 'is for CUDA 13.0, but lacks a function of that (Symbol not found: cuDeviceGetUuid_v2); install an NVIDIA driver'"
    })
    void aDriverWithoutAFunctionIsRefused(String version, String reason) throws Exception {
        SoftCuda.require();
        // Spelled otherwise, the dynamic linker does not find it.
        String bytes = Files.readString(SoftCuda.DRIVER, StandardCharsets.ISO_8859_1);
        Path driver = Files.writeString(
                folder.resolve("libold-" + version + ".so"),
                bytes.replace("\0cuDeviceGetUuid_v2\0", "\0cuDeviceGetUuid_vX\0"),
                StandardCharsets.ISO_8859_1);
        JsonNode json = doctor(Map.of("SOFTCUDA_VERSION", version), softcuda(driver, "none", ptx), "--json")
                .json();
        String whole = "the driver " + driver + " " + reason;
        assertEquals(whole, json.get("cuda_driver").get("reason").asText());
        assertEquals("cpu", json.get("auto").get("device").asText());
        assertEquals(
                "no GPU can be used: " + whole, json.get("auto").get("reason").asText());
    }
}
