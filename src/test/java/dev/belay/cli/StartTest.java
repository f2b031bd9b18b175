package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code tools/launch} and its archive of classes: it is used where it fits, and where it does not nobody notices. */
class StartTest {
    private static final String INFO = "info ?";
    private static final byte[] GARBAGE = "this is no archive".repeat(10_000).getBytes();

    @TempDir
    private Path folder;

    private Path jar;
    private String expected;

    @BeforeEach
    void packBelay() throws IOException {
        // A space, as in people's folders.
        jar = Files.createDirectory(folder.resolve("my belay")).resolve("belay.jar");
        pack(jar);
        expected = Cli.run(INFO, Cli.TINY).ok();
    }

    @Test
    void theFirstCommandMakesAnArchiveAndTheNextOnesUseIt() throws IOException, InterruptedException {
        assertEquals(expected, launch("", INFO, Cli.TINY));
        madeArchive();
        Path log = folder.resolve("classes.log");
        assertEquals(expected, launch("-Xlog:class+load:file=" + log, INFO, Cli.TINY));
        assertTrue(
                Files.readString(log).contains("dev.belay.cli.InfoCommand source: shared objects file"),
                "the archive was not used");
    }

    @Test
    void anArchiveThatIsNoneChangesNothing() throws IOException, InterruptedException {
        launch("", INFO, Cli.TINY);
        Path archive = madeArchive();
        byte[] whole = Files.readAllBytes(archive);
        for (byte[] content : List.of(GARBAGE, Arrays.copyOf(whole, whole.length / 2), new byte[0])) {
            Files.write(archive, content);
            assertEquals(expected, launch("", INFO, Cli.TINY), content.length + " bytes");
        }
        Path other = archive.resolveSibling(archive.getFileName().toString().replace("plain", "compute"));
        Files.write(other, GARBAGE);
        Path responses = Files.writeString(
                folder.resolve("r.jsonl"), "{\"id\":\"a\",\"prompt\":\"b\",\"response\":\"Sorry, no.\"}\n");
        assertEquals(Cli.run("judge ?", responses).ok(), launch("", "judge ?", responses));
        // What computes is known as such behind options, too.
        String modules = launch("--show-module-resolution", "--quiet judge ?", responses);
        assertTrue(modules.contains("root jdk.incubator.vector"), modules);
    }

    @Test
    void anArchiveOfAnotherJarIsNotUsedAndANewOneReplacesIt() throws IOException, InterruptedException {
        launch("", INFO, Cli.TINY);
        Path old = madeArchive();
        byte[] content = Files.readAllBytes(old);
        Files.setLastModifiedTime(jar, FileTime.fromMillis(1_000_000_000_000L));
        assertEquals(expected, launch("", INFO, Cli.TINY));
        Path replacement = madeArchive(old);
        // The JVM's own check, if the name were right.
        Files.write(replacement, content);
        assertEquals(expected, launch("", INFO, Cli.TINY));
    }

    /** Runs a command line with tools/launch, checks that it succeeds without a word on stderr, and returns stdout. */
    private String launch(String javaOptions, String line, Object... values) throws IOException, InterruptedException {
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        ProcessBuilder builder =
                command(line, values).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().put("BELAY_JAVA_OPTIONS", javaOptions);
        int code = builder.start().waitFor();
        assertEquals("", Files.readString(err));
        assertEquals(0, code);
        return Files.readString(out);
    }

    private ProcessBuilder command(String line, Object... values) {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> command = new ArrayList<>(List.of("tools/launch", java, jar.toString(), "."));
        command.addAll(Cli.args(line, values));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("BELAY_CACHE", folder.resolve("cache").toString());
        return builder;
    }

    /** Whoever reads the output of the first command does not wait for the archive. */
    @Test
    void theOutputEndsBeforeTheArchiveIsMade() throws IOException, InterruptedException {
        Files.createDirectories(folder.resolve("cache"));
        Process first = command(INFO, Cli.TINY)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String printed = new String(first.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try (Stream<Path> files = Files.walk(folder.resolve("cache"))) {
            assertEquals(List.of(), files.filter(StartTest::isMade).toList());
        }
        assertEquals(expected, printed);
        madeArchive();
    }

    /**
     * A signal to the launcher reaches Java, and one to all of the group, as of a terminal, is one: what Java says of it comes out, and
     * the exit code is its own.
     */
    @ParameterizedTest
    @CsvSource({"TERM, false", "INT, false", "TERM, true", "INT, true"})
    void signalsStopARunAfterItsBatch(String name, boolean group) throws IOException, InterruptedException {
        Path out = folder.resolve("traces.jsonl");
        Path journal = folder.resolve("traces.jsonl.progress");
        Path log = folder.resolve("log");
        ProcessBuilder builder = command(
                "generate ? --data ? --ignore-eos --max-new-tokens 60 --batch-tokens 32 --device cpu --dtype f32 -o ?",
                Cli.TINY,
                Cli.few(folder, "attacks.jsonl", 48),
                out);
        // A session of its own, and so a group.
        builder.command().addAll(0, List.of("setsid", "--wait", "env", "--default-signal=INT"));
        Process process =
                builder.redirectErrorStream(true).redirectOutput(log.toFile()).start();
        while (process.isAlive() && !(Files.exists(journal) && Files.size(journal) > 1000)) {
            Thread.sleep(1);
        }
        new ProcessBuilder("kill", "-" + name, "--", (group ? "-" : "") + process.pid())
                .start()
                .waitFor();
        assertEquals(130, process.waitFor(), () -> Cli.text(log));
        assertTrue(
                Cli.text(log).contains("stopping after the batch at hand; once more stops now"), () -> Cli.text(log));
        assertTrue(
                Cli.text(log).contains(journal + " has what is done: go on with the same command and --resume"),
                () -> Cli.text(log));
        assertTrue(Files.exists(folder.resolve("traces.jsonl.partial")));
    }

    private static boolean isMade(Path file) {
        return file.toString().endsWith(".aot") && file.toFile().length() > 0;
    }

    /** The only archive, and not an old one, once the run in the background has made it. */
    private Path madeArchive(Path... old) throws IOException, InterruptedException {
        Path made = folder.resolve("cache/start").resolve(jar.toString().replace('/', ','));
        for (int waited = 0; waited < 1800; waited++) {
            try (Stream<Path> files = Files.exists(made) ? Files.list(made) : Stream.of()) {
                List<Path> all = files.toList();
                if (all.size() == 1 && !List.of(old).contains(all.getFirst()) && Files.size(all.getFirst()) > 0) {
                    return all.getFirst();
                }
            }
            Thread.sleep(100);
        }
        throw new AssertionError("no archive in " + made);
    }

    /** Packs the classes under test, without the kernels, as the build does. */
    static void pack(Path jar) throws IOException {
        List<Path> folders = Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
                .map(Path::of)
                .filter(path -> Files.exists(path.resolve("dev/belay/cli/Belay.class"))
                        || Files.exists(path.resolve("dev/belay/bindings")))
                .toList();
        Manifest manifest = new Manifest();
        Attributes main = manifest.getMainAttributes();
        main.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        main.put(Attributes.Name.MAIN_CLASS, "dev.belay.cli.Belay");
        main.put(
                Attributes.Name.CLASS_PATH,
                Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
                        .filter(path -> path.endsWith(".jar"))
                        .map(path -> Path.of(path).toUri().toString())
                        .collect(Collectors.joining(" ")));
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file, manifest)) {
            for (Path classes : folders) {
                add(classes, out);
            }
        }
    }

    private static void add(Path classes, JarOutputStream out) throws IOException {
        try (Stream<Path> walk = Files.walk(classes)) {
            for (Path path : walk.filter(Files::isRegularFile).toList()) {
                String name = classes.relativize(path).toString();
                if (!name.endsWith(".fatbin") && !name.startsWith("META-INF") && !name.startsWith(".")) {
                    out.putNextEntry(new ZipEntry(name));
                    Files.copy(path, out);
                }
            }
        }
    }
}
