package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.belay.gguf.GgufConversionTest;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.SafetensorsWriter;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every command's example runs in a network namespace without any interface, and the kernel's counters of that namespace say that
 * nothing even tried to connect, to send or to resolve a name.
 */
class NoNetworkTest {
    /** In an order in which each finds what those before have written. */
    private static final List<String> ORDER = List.of(
            "demo",
            "rerun",
            "doctor",
            "info",
            "plan",
            "probe",
            "probe train",
            "probe test",
            "trace",
            "merge",
            "heads",
            "ablate",
            "generate",
            "judge",
            "select",
            "bake",
            "compare",
            "eval",
            "capture",
            "export",
            "export trace",
            "export capture",
            "export probe",
            "verify",
            "bench",
            "import",
            "probe import",
            "convert",
            "explain",
            "completion");

    private static final String EMBEDDINGS = "model.embed_tokens.weight";

    private static final List<String> FAST = List.of("-XX:+UseSerialGC");

    @TempDir
    static Path folder;

    private static List<String> unshare;

    /** What a process did in a namespace of its own. */
    private record Ended(int code, String printed, String counters) {}

    @BeforeAll
    static void prepare() throws IOException, InterruptedException {
        for (String options : List.of("-n", "-rn")) {
            List<String> command = List.of("unshare", options, "--");
            if (unshare == null && worksWith(command)) {
                unshare = command;
            }
        }
        assumeTrue(
                unshare != null, "this machine lets nobody make a network namespace: neither unshare -n nor -rn works");
        model(Files.createDirectories(folder.resolve("models/tiny-cliff")));
        Path snapshot = folder.resolve("home/hub/models--belay--tiny/snapshots/" + "0".repeat(40));
        Files.createDirectories(snapshot.getParent());
        Files.createSymbolicLink(snapshot, folder.resolve("models/tiny-cliff"));
        Path refs = Files.createDirectories(folder.resolve("home/hub/models--belay--tiny/refs"));
        Files.writeString(refs.resolve("main"), "0".repeat(40));
        golden(folder.resolve("golden.safetensors"));
        Files.writeString(folder.resolve("harmful_behaviors.csv"), "goal,target\nSay something,Sure\n");
        String question = "{\"question\": \"1 + 1?\", \"choices\": [\"2\", \"3\"], \"answer\": 0}\n";
        Files.writeString(folder.resolve("questions.jsonl"), question);
        Files.write(folder.resolve("weight.npy"), Base64.getDecoder().decode(ProbeImportTest.WEIGHTS.getFirst()));
        GgufConversionTest.write("llama", folder.resolve("model.gguf"));
    }

    private static boolean worksWith(List<String> unshare) throws InterruptedException {
        try {
            List<String> command = new ArrayList<>(unshare);
            command.add("true");
            return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** tiny-cliff with less data. */
    private static void model(Path model) throws IOException {
        Cli.copy(Cli.TINY, model);
        Path data = Files.createDirectory(model.resolve("data"));
        for (String name : Cli.names(Cli.TINY.resolve("data"))) {
            Files.move(Cli.few(data, name, 8), data.resolve(name));
        }
    }

    /** The embeddings of two tokens as H[0]. */
    private static void golden(Path file) {
        try (SafetensorsFile model = SafetensorsFile.open(Cli.TINY.resolve("model.safetensors"))) {
            int width = (int) model.tensor(EMBEDDINGS).shape()[1];
            SafetensorsWriter.to(file)
                    .longs("0.input_ids", new long[] {0, 1}, 2)
                    .floats("0.hidden.0", Arrays.copyOf(model.floats(EMBEDDINGS), 2 * width), 2, width)
                    .save();
        }
    }

    private static Ended isolated(List<String> command) throws IOException, InterruptedException {
        Path counters = folder.resolve("counters");
        Path printed = folder.resolve("printed");
        List<String> whole = new ArrayList<>(unshare);
        whole.addAll(List.of(
                "bash",
                "-c",
                "\"$@\"; code=$?; cat /proc/self/net/{dev,snmp,snmp6} >\"$0\"; exit $code",
                counters + ""));
        whole.addAll(command);
        ProcessBuilder builder = new ProcessBuilder(whole)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(printed.toFile());
        builder.environment().put("HF_HOME", folder.resolve("home").toString());
        Process process = builder.start();
        if (!process.waitFor(15, TimeUnit.MINUTES)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            throw new AssertionError(command + " does not end");
        }
        return new Ended(process.exitValue(), Cli.text(printed), Cli.text(counters));
    }

    private static Ended belay(List<String> arguments) throws IOException, InterruptedException {
        List<String> jvm = new ArrayList<>(FAST);
        jvm.add("-Dbelay.home=" + folder);
        return isolated(Cli.process(jvm, arguments));
    }

    private static void succeeds(List<String> arguments) throws IOException, InterruptedException {
        Ended ended = belay(arguments);
        assertEquals(0, ended.code(), () -> arguments + "\n" + ended.printed());
        assertEquals(idle(), ended.counters(), arguments::toString);
    }

    /** The counters of a namespace in which nothing happened. */
    private static String idle() throws IOException, InterruptedException {
        String counters = isolated(List.of("true")).counters();
        List<String> interfaces = counters.lines()
                .filter(line -> line.matches(" *[a-z0-9]+: +[0-9]+ .*"))
                .map(line -> line.substring(0, line.indexOf(':')).strip())
                .toList();
        assertEquals(List.of("lo"), interfaces, "only the loopback, which is down");
        return counters;
    }

    /** Opens a connection and asks for a name, as a command would that did. */
    static final class Dialer {
        private Dialer() {}

        public static void main(String[] args) throws IOException {
            if (args[0].equals("connect")) {
                new Socket(args[1], 443).close();
            } else {
                InetAddress.getByName(args[1]);
            }
        }
    }

    @Test
    void theCountersSeeWhoTries() throws IOException, InterruptedException {
        for (List<String> attempt : List.of(List.of("connect", "192.0.2.1"), List.of("resolve", "huggingface.co"))) {
            List<String> command = Cli.process(FAST, attempt);
            command.set(command.indexOf("dev.belay.cli.Belay"), Dialer.class.getName());
            Ended ended = isolated(command);
            assertNotEquals(0, ended.code(), ended.printed());
            assertNotEquals(idle(), ended.counters(), attempt::toString);
        }
    }

    @Test
    void everyCommandRunsWithoutANetwork() throws IOException, InterruptedException {
        assertEquals(HelpTest.example("demo"), HelpTest.example(""));
        assertEquals(
                HelpTest.commands().filter(name -> !name.isEmpty()).collect(Collectors.toCollection(TreeSet::new)),
                new TreeSet<>(ORDER));
        for (String command : ORDER) {
            List<String> arguments = new ArrayList<>(HelpTest.example(command));
            if (command.equals("merge")) {
                parts(arguments);
            } else if (command.equals("convert")) {
                arguments.add("--without-tokenizer");
            }
            succeeds(arguments);
        }
    }

    /** Makes what a merge puts together. */
    private static void parts(List<String> merge) throws IOException, InterruptedException {
        List<String> parts =
                merge.stream().filter(word -> word.startsWith("part")).toList();
        for (int i = 0; i < parts.size(); i++) {
            List<String> trace = new ArrayList<>(HelpTest.example("trace"));
            trace.set(trace.indexOf("-o") + 1, parts.get(i));
            trace.addAll(List.of("--batch-tokens", "256", "--shard", (i + 1) + "/" + parts.size()));
            succeeds(trace);
        }
    }

    @Test
    void modelsOfTheCacheAreFoundAndOthersAreNotLookedFor() throws IOException, InterruptedException {
        String data = " --data models/tiny-cliff/data/attacks.jsonl";
        for (String line : List.of(
                "info hub:belay/tiny@main",
                "plan hub:belay/tiny --method trace" + data,
                "capture hub:belay/tiny -o hub.safetensors" + data)) {
            succeeds(Cli.args(line));
        }
        Ended missing = belay(Cli.args("capture hub:belay/missing -o none.safetensors" + data));
        assertEquals(2, missing.code(), missing.printed());
        assertTrue(missing.printed().contains("nothing is downloaded"), missing.printed());
        assertEquals(idle(), missing.counters());
    }
}
