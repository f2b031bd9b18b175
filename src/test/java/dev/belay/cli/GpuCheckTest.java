package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What {@code tools/gpu-check.sh} makes of steps that fail, hang or find something: in a bundle whose programs do nothing but what a
 * test plans for them. A step may take five seconds here.
 */
class GpuCheckTest {
    private static final String NO_FINDING =
            "echo '========= COMPUTE-SANITIZER'; echo '========= ERROR SUMMARY: 0 errors'";

    /** A program that does what plan says of the first line whose word is among its arguments, or nothing. */
    private static final String PROGRAM = """
            #!/usr/bin/env bash
            printf '%s\\n' "$0 $*" >>PLAN.calls
            while IFS=: read -r word action; do
              case "$(basename "$0") $*" in *"$word"*) eval "$action"; exit ;; esac
            done <PLAN
            """;

    private static final String DOCTOR = """
            cat <<'JSON'
              "cpu" : {
                "usable" : true,
              "gpus" : [ {
                "uuid" : "GPU-1",
                "usable" : false,
                "memory_free" : 80000000000,
              }, {
                "uuid" : "GPU-2",
                "usable" : true,
                "memory_free" : 12345000000,
              }, {
                "uuid" : "GPU-3",
                "usable" : true,
                "memory_free" : 90000000000,
            JSON
            """;

    @TempDir
    Path folder;

    private Path bundle;
    private Path plan;
    private Path programs;

    private record Ended(int code, String report) {
        String first() {
            return report.lines().findFirst().orElse("");
        }

        /** The line of the table about a step. */
        String line(String step) {
            return report.lines()
                    .filter(line -> line.startsWith(step + " "))
                    .findFirst()
                    .orElse("nothing about " + step);
        }
    }

    @BeforeEach
    void makeBundle() throws Exception {
        bundle = folder.resolve("bundle");
        programs = folder.resolve("programs");
        plan = folder.resolve("plan");
        Path script = bundle.resolve("tools/gpu-check.sh");
        for (Path place : List.of(script.getParent(), bundle.resolve("tests/lib"), programs)) {
            Files.createDirectories(place);
        }
        Files.copy(Path.of("tools/gpu-check.sh"), script);
        for (String test : List.of("CudaATest", "CudaBTest", "CudaKernelTrafficTest")) {
            touch(bundle.resolve("tests/classes/dev/belay/device/cuda/" + test + ".class"));
        }
        touch(bundle.resolve("golden/families/llama/golden.safetensors"));
        String program = PROGRAM.replace("PLAN", plan.toString());
        Path doctor = Cli.write(folder.resolve("doctor"), DOCTOR);
        program(bundle.resolve("runtime/bin/java"), program);
        program(
                bundle.resolve("belay"),
                program.replace("while IFS", "[ \"$*\" != 'doctor --json' ] || . " + doctor + "\nwhile IFS"));
        program(bundle.resolve("tools/random-model"), program);
        program(programs.resolve("compute-sanitizer"), program);
        program(programs.resolve("nvidia-smi"), program);
        program(programs.resolve("python3"), "#!/bin/sh\nexit 1\n");
        // timeout -k 5 LIMIT COMMAND...
        program(programs.resolve("timeout"), "#!/bin/sh\nshift 3\nexec /usr/bin/timeout -k 1 5 \"$@\"\n");
    }

    private static void touch(Path file) throws Exception {
        Files.createDirectories(file.getParent());
        Files.createFile(file);
    }

    private static void program(Path file, String text) throws Exception {
        Files.createDirectories(file.getParent());
        assertTrue(Files.writeString(file, text).toFile().setExecutable(true));
    }

    /** Runs the script; each line of the plan is {@code WORD:ACTION}. */
    private Ended run(String... planned) throws Exception {
        Files.write(plan, List.of(planned));
        Path out = folder.resolve("out");
        Path printed = folder.resolve("printed");
        ProcessBuilder builder = new ProcessBuilder(
                        bundle.resolve("tools/gpu-check.sh").toString(), "--out", out.toString())
                .redirectErrorStream(true)
                .redirectOutput(printed.toFile());
        builder.environment().merge("PATH", programs.toString(), (old, first) -> first + ":" + old);
        Process process = builder.start();
        assertTrue(process.waitFor(3, TimeUnit.MINUTES), "the script ends");
        assertTrue(Files.exists(out.resolve("report.txt")), Cli.text(printed));
        return new Ended(process.exitValue(), Cli.text(out.resolve("report.txt")));
    }

    /** The calls of programs in which this is found, without folders. */
    private List<String> calls(String pattern) throws Exception {
        return Files.readAllLines(folder.resolve("plan.calls")).stream()
                .filter(Pattern.compile(pattern).asPredicate())
                .map(call -> call.replaceAll("\\S*/", ""))
                .toList();
    }

    @Test
    void nothingFails() throws Exception {
        Ended ended = run(
                "compute-sanitizer:" + NO_FINDING,
                "KernelReport time:echo times of the kernels",
                "DemoStory:echo the story");
        assertEquals(0, ended.code(), ended.report());
        assertEquals("Nothing failed.", ended.first());
        assertFalse(ended.report().contains("Not finished"), ended.report());
        for (String step : List.of(
                "doctor",
                "CudaATest",
                "CudaBTest",
                "verify llama f32",
                "verify llama bf16",
                "demo f32",
                "BatchIndependenceTest",
                "racecheck",
                "racecheck of the kernel tests")) {
            assertTrue(ended.line(step).contains("passed"), ended.line(step));
        }
        assertTrue(ended.line("bench smollm2-135m").contains("done"), ended.report());
        assertTrue(ended.line("kernel times").contains("done"), ended.report());
        assertTrue(ended.report().contains("the story"), ended.report());
        assertTrue(ended.report().contains("times of the kernels"), ended.report());
        String calls = Cli.text(folder.resolve("plan.calls"));
        assertTrue(calls.contains("--select-class=dev.belay.device.cuda.CudaBTest"), calls);
        for (String test : testsOfKernels()) {
            assertTrue(calls.contains("--select-class=" + test), test + " in " + calls);
        }
        assertTrue(calls.contains("--tool memcheck") && calls.contains("KernelReport run"), calls);
        assertEquals(3, calls("compute-sanitizer .*--include-tag=kernel").size(), calls);
        assertFalse(calls.contains("TrafficTest"), calls);
        // Of the first GPU that can be used, not of the one with the most.
        assertTrue(ended.line("bench llama3-8b").contains("there are 12345 MB"), ended.line("bench llama3-8b"));
        assertTrue(ended.line("pytorch llama3-8b").contains("there are 12345 MB"), ended.line("pytorch llama3-8b"));
    }

    /** Those of other packages than the CUDA device's, by their full names. */
    private static List<String> testsOfKernels() throws Exception {
        Path sources = Path.of("src/test/java");
        try (Stream<Path> files = Files.walk(sources)) {
            return files.filter(file -> file.toString().endsWith("Test.java")
                            && !file.getParent().endsWith("device/cuda")
                            && Cli.text(file).contains("\n@Tag(\"kernel\")\n"))
                    .map(file -> sources.relativize(file)
                            .toString()
                            .replace(".java", "")
                            .replace('/', '.'))
                    .toList();
        }
    }

    /** A Python that has all, and a GPU with room: the largest model comes last, without files of its weights, and may be cut off. */
    @Test
    void theLoopsOfPyTorchComeLast() throws Exception {
        program(programs.resolve("python3"), PROGRAM.replace("PLAN", plan.toString()));
        Cli.write(folder.resolve("doctor"), DOCTOR.replace("12345000000", "22000000000"));
        Ended ended = run("compute-sanitizer:" + NO_FINDING, "pytorch-sweep-llama3-8b:sleep 100");
        assertEquals(1, calls("import torch").size());
        assertEquals(0, ended.code(), ended.report());
        assertTrue(ended.report().contains("\nNot finished: pytorch sweep llama3-8b\n"), ended.report());
        for (String step :
                List.of("pytorch bench smollm2-135m", "pytorch sweep qwen3-0.6b", "pytorch bench llama3-8b")) {
            assertTrue(ended.line(step).contains("done"), ended.line(step));
        }
        List<String> calls = calls("random-model |/hf_");
        assertEquals(9, calls.size(), calls.toString());
        assertEquals("random-model qwen3-0.6b model", calls.get(3));
        assertEquals(
                "python3 hf_sweep.py model ids pytorch-sweep-qwen3-0.6b.json --device cuda --limit-heads 27",
                calls.get(5));
        assertEquals(
                List.of(
                        "random-model llama3-8b model --config-only",
                        "python3 hf_bench.py model ids pytorch-bench-llama3-8b.json --device cuda --random",
                        "python3 hf_sweep.py model ids pytorch-sweep-llama3-8b.json --device cuda --limit-heads 27 --random"),
                calls.subList(6, 9));
        for (String call : calls.subList(7, 9)) {
            String[] words = call.split(" ");
            String peer = Files.readString(Path.of("tools/peers", words[1]));
            Stream.of(words)
                    .filter(word -> word.startsWith("--"))
                    .forEach(option -> assertTrue(
                            peer.contains("add_argument(\"" + option + "\""), words[1] + " has no " + option));
        }
    }

    /** That a loop of PyTorch fails is told and no failure, as one of Belay's benchmarks is; without a model none is run. */
    @Test
    void aPeerThatFailsIsToldAndNoFailure() throws Exception {
        program(programs.resolve("python3"), PROGRAM.replace("PLAN", plan.toString()));
        Ended ended = run(
                "compute-sanitizer:" + NO_FINDING,
                "belay bench --device cuda --shape smollm2-135m:exit 3",
                "pytorch-bench-smollm2:echo Traceback; printf 'loading\\rTypeError: no dtype\\n\\n' >&2; exit 1",
                "random-model qwen3-0.6b:sleep 100");
        assertEquals(1, ended.code(), ended.report());
        assertEquals("FAILED: bench smollm2-135m", ended.first());
        assertTrue(
                ended.report()
                        .contains(
                                "\nNot finished: pytorch bench smollm2-135m, random model qwen3-0.6b, pytorch qwen3-0.6b\n"),
                ended.report());
        String line = ended.line("pytorch bench smollm2-135m");
        assertTrue(line.contains("exit code 1, ") && line.endsWith(" s: TypeError: no dtype"), line);
        assertTrue(ended.report().contains("\nTraceback\n"), ended.report());
        assertTrue(ended.line("pytorch sweep smollm2-135m").contains("done"), ended.report());
        assertEquals(2, calls("/hf_").size());
    }

    /** What is left when the time is over is not started, and told: neither doctor nor Python is asked then. */
    @Test
    void nothingIsStartedWhenTheTimeIsOver() throws Exception {
        program(programs.resolve("python3"), PROGRAM.replace("PLAN", plan.toString()));
        Path left = Cli.write(folder.resolve("left"), "480\n");
        Path script = bundle.resolve("tools/gpu-check.sh");
        String text = Files.readString(script);
        String late = text.replace("left=$((deadline - SECONDS))", "left=$(cat " + left + ")");
        assertNotEquals(text, late);
        Files.writeString(script, late);
        Ended ended = run("compute-sanitizer:" + NO_FINDING, "--shape qwen3-0.6b:echo 2 >" + left);
        assertEquals(0, ended.code(), ended.report());
        assertTrue(ended.line("bench qwen3-0.6b").contains("done"), ended.report());
        assertTrue(
                ended.report()
                        .contains("\nNot finished: free memory, bench llama3-8b, pytorch smollm2-135m, "
                                + "pytorch qwen3-0.6b, memcheck of the kernel tests, racecheck of the kernel tests, "
                                + "initcheck of the kernel tests, pytorch llama3-8b\n"),
                ended.report());
        assertEquals(List.of(), calls("python3|random-model|doctor --json|--shape llama3"));
    }

    /** Checks without time are told apart from those that fail, and are no success. */
    @Test
    void checksWithoutTimeAreNoFailuresAndNoSuccess() throws Exception {
        Path script = bundle.resolve("tools/gpu-check.sh");
        Path left = Cli.write(folder.resolve("left"), "480\n");
        Files.writeString(
                script, Files.readString(script).replace("left=$((deadline - SECONDS))", "left=$(cat " + left + ")"));
        String out = "compute-sanitizer:" + NO_FINDING;
        String slow = "CudaBTest:echo 2 >" + left + "; sleep 100";
        Ended ended = run(out, "CudaATest:echo 20 >" + left, slow);
        assertEquals(1, ended.code(), ended.report());
        assertEquals("Nothing failed, but not all was checked: give more --minutes than 8.", ended.first());
        String told = ended.report().lines().skip(1).findFirst().orElseThrow();
        assertTrue(
                told.startsWith("No time left for: CudaBTest, LogitScoresTest, MixtureTest, verify llama f32,"), told);
        assertTrue(ended.line("CudaBTest").contains("CUT OFF after 20 s"), ended.line("CudaBTest"));
        assertTrue(ended.line("demo bf16").contains("NOT RUN"), ended.line("demo bf16"));
        Files.writeString(left, "480\n");
        ended = run(out, "CudaATest:exit 1", slow);
        assertEquals(1, ended.code(), ended.report());
        assertEquals("FAILED: CudaATest, CudaBTest", ended.first());
        assertTrue(ended.report().contains("\nNo time left for: LogitScoresTest, "), ended.report());
    }

    @Test
    void theFirstFailuresAreToldFirstAndTheRestIsRun() throws Exception {
        Ended ended = run(
                "CudaATest:echo 'a tree'; echo 'Failures (60):'; echo the first; seq 100; echo the last; exit 1",
                "verify:case $* in *bf16*) echo beyond tolerance; exit 1 ;; esac",
                "compute-sanitizer:" + NO_FINDING);
        assertEquals(1, ended.code(), ended.report());
        assertEquals("FAILED: CudaATest, verify llama bf16", ended.first());
        assertTrue(ended.report().contains("the first\n1\n"), ended.report());
        assertFalse(ended.report().contains("the last"), ended.report());
        assertTrue(ended.report().contains("beyond tolerance"), ended.report());
        assertTrue(ended.line("CudaBTest").contains("passed"), ended.report());
        assertTrue(ended.line("demo f32").contains("passed"), ended.report());
    }

    /** A hanging step fails, and what it started ends with it. */
    @Test
    void aHangIsAFailureUnlessItIsABenchmark() throws Exception {
        Path late = folder.resolve("late");
        Ended ended = run(
                "CudaBTest:(sleep 12; touch '" + late + "') & sleep 100",
                "belay demo:kill -KILL $$",
                "qwen3:sleep 100",
                "compute-sanitizer:" + NO_FINDING);
        assertEquals(1, ended.code(), ended.report());
        assertEquals("FAILED: CudaBTest, demo f32, demo bf16", ended.first());
        assertTrue(ended.report().contains("\nNot finished: bench qwen3-0.6b\n"), ended.report());
        assertTrue(ended.line("CudaBTest").contains("did not end"), ended.report());
        assertTrue(ended.line("demo f32").contains("was killed"), ended.report());
        TimeUnit.SECONDS.sleep(4);
        assertFalse(Files.exists(late), "what a step started goes on");
    }

    @Test
    void aSanitizersFindingIsAFailureAlsoIfItDoesNotEnd() throws Exception {
        String begins = "echo '========= COMPUTE-SANITIZER'; ";
        Ended ended = run(
                "--include-tag=kernel:" + begins
                        + "case $* in *initcheck*) echo '========= Uninitialized __global__ read'; exit 9 ;; esac",
                "memcheck:" + begins + "echo '========= Invalid __global__ read of size 4 bytes'; seq 100; sleep 100",
                "initcheck:" + begins + "sleep 100",
                "racecheck:" + begins + "echo '========= Error: Race reported between'; exit 9");
        assertEquals(1, ended.code(), ended.report());
        assertEquals("FAILED: memcheck, racecheck, initcheck of the kernel tests", ended.first());
        assertTrue(ended.report().contains("\nNot finished: initcheck\n"), ended.report());
        assertTrue(ended.line("memcheck of the kernel tests").contains("passed"), ended.report());
        assertTrue(ended.report().contains("Invalid __global__ read"), ended.report());
    }
}
