package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.io.OutputFile;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs whose Java crashes, or has no memory left: one line says where and how to go on, and what is done is kept. */
class CrashTest {
    @TempDir
    private Path folder;

    @Test
    void aNativeCrashKeepsWhatIsDoneAndNamesTheOperation() throws IOException, InterruptedException {
        Path out = folder.resolve("100% out" + "é".repeat(122));
        Path journal = OutputFile.companion(out, ".progress");
        Path crash = OutputFile.companion(out, ".crash");
        List<String> args = Cli.args(
                "generate ? --data ? --ignore-eos --max-new-tokens 60 --batch-tokens 32 --device cpu -o ?",
                Cli.TINY,
                Cli.few(folder, "attacks.jsonl", 12),
                out);
        Path jar = folder.resolve("belay.jar");
        StartTest.pack(jar);
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> command = new ArrayList<>(List.of("tools/launch", java, jar.toString(), "."));
        command.addAll(args);
        Path err = folder.resolve("err");
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(folder.resolve("stdout").toFile())
                .redirectError(err.toFile());
        builder.environment().put("BELAY_CACHE", folder.resolve("cache").toString());
        Path link = Files.createSymbolicLink(folder.resolve("journal"), journal);
        builder.environment()
                .put(
                        "BELAY_JAVA_OPTIONS",
                        "-Dbelay.threads=1 -XX:TieredStopAtLevel=1 -XX:-CreateCoredumpOnCrash -javaagent:" + agent()
                                + "=" + link);
        // Where the signal meets the start of a method, Java cannot tell its callers: then once more.
        String last = "";
        for (int run = 0; run < 4 && !last.contains(" in "); run++) {
            Files.deleteIfExists(journal);
            assertNotEquals(0, builder.start().waitFor(), () -> Cli.text(err));
            last = Cli.text(err).lines().toList().getLast();
        }
        assertEquals("", Cli.text(folder.resolve("stdout")));
        assertTrue(Cli.text(err).contains("# A fatal error has been detected by the Java Runtime Environment:"));
        assertTrue(last.matches("belay: Java crashed at .+ in [A-Z]\\w+\\.\\w+.*"), last);
        assertTrue(last.contains(", see " + crash + "; " + journal + " has what is done: go on"), last);
        assertTrue(Cli.text(crash).contains("SIGILL"));
        assertTrue(Cli.lines(journal).size() > 1);
        Cli.run(args, "--resume").ok();
        byte[] resumed = Cli.bytes(out);
        Cli.run(args).ok();
        assertArrayEquals(Cli.bytes(out), resumed);
    }

    private static final String CAPTURE =
            "capture ? --data ? --layers all --positions all --batch-tokens 8192 --device cpu --keep-progress -o ?";

    /** Captures all states with a Java heap of so many megabytes; returns the lines on stderr. */
    private List<String> capture(int heap, Path data, Path out, int code) throws IOException, InterruptedException {
        Path log = folder.resolve("log");
        List<String> java = List.of("-Xmx" + heap + "m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");
        ProcessBuilder builder = new ProcessBuilder(Cli.process(java, Cli.args(CAPTURE, Cli.TINY, data, out)))
                .redirectError(log.toFile());
        assertEquals(code, builder.start().waitFor(), () -> Cli.text(log));
        return Cli.text(log).lines().toList();
    }

    /** Where the heap has no room for all states of a batch, batches become smaller, and a run that goes on gives the same bytes. */
    @Test
    void aBatchThatTheHeapHasNoRoomForIsHalved() throws IOException, InterruptedException {
        Path out = folder.resolve("out");
        Path progress = folder.resolve("out.progress");
        Path attacks = Cli.few(folder, "attacks.jsonl", 24);
        List<String> said = capture(48, attacks, out, 0);
        String notice =
                "belay: out of memory with batches of 8192 tokens: going on with batches of 4096 (the Java heap";
        assertTrue(said.stream().anyMatch(line -> line.startsWith(notice)), said::toString);
        List<String> journal = Files.readAllLines(progress);
        assertTrue(journal.get(1).startsWith("{\"stage\":\"states in batches of\""), journal.get(1));
        byte[] whole = Cli.bytes(out);
        Files.write(progress, journal.subList(0, journal.size() - 2));
        Cli.run(Cli.args(CAPTURE, Cli.TINY, attacks, out), "--resume").ok();
        assertArrayEquals(whole, Cli.bytes(out));
        assertEquals(journal, Files.readAllLines(progress));
    }

    /** A single text whose states have no room cannot be halved. */
    @Test
    void withoutMemoryOneLineSaysWhatToSet() throws IOException, InterruptedException {
        String words = "word ".repeat(190);
        Path data = Cli.write(
                folder.resolve("long.jsonl"),
                "{\"id\": \"a\", \"prompt\": \"" + words + "\", \"thinking\": \"x\", \"response\": \"x\"}\n");
        String last = capture(24, data, folder.resolve("out"), 1).getLast();
        assertTrue(last.startsWith("belay: out of memory (Java heap space; the Java heap has 2"), last);
        assertTrue(last.contains(": set BELAY_JAVA_OPTIONS=-Xmx4"), last);
        assertTrue(last.endsWith(" and go on with the same command and --resume"), last);
    }

    private Path agent() throws IOException {
        Path jar = folder.resolve("agent.jar");
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().put(new Attributes.Name("Premain-Class"), CrashAgent.class.getName());
        String name = CrashAgent.class.getName().replace('.', '/') + ".class";
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream content = new JarOutputStream(file, manifest);
                var bytes = CrashAgent.class.getClassLoader().getResourceAsStream(name)) {
            content.putNextEntry(new ZipEntry(name));
            bytes.transferTo(content);
        }
        return jar;
    }
}
