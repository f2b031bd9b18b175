package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How {@code ./belay} builds what is missing, in a folder of its own where Maven is a script. */
class BuildScriptTest {
    private static final int OVER = 60;

    @TempDir
    private Path folder;

    /** Copies the script; what it starts at the end only says so. */
    @BeforeEach
    void copy() throws IOException {
        Files.createDirectories(folder.resolve("tools"));
        Files.createDirectories(folder.resolve("kernels"));
        Files.createDirectories(folder.resolve("src/main"));
        Files.createDirectories(folder.resolve("bindings/java"));
        for (String name : List.of("pom.xml", "kernels/Makefile", "kernels/a.cu", "kernels/a.cuh")) {
            Files.writeString(folder.resolve(name), "");
        }
        Files.copy(Path.of("belay"), folder.resolve("belay"));
        Files.copy(Path.of("tools/find-jdk"), folder.resolve("tools/find-jdk"));
        script("tools/launch", "echo launched");
        maven("echo 'belay: remark'; : >target/belay.jar");
    }

    private void script(String name, String body) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, "#!/bin/sh\n" + body + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** Has Maven do something, and each of its runs leave a line. */
    private void maven(String body) throws IOException {
        script("bin/mvn", "echo run >>runs\n" + body);
    }

    private long runs() throws IOException {
        return Files.readAllLines(folder.resolve("runs")).size();
    }

    private Process start(String log, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(folder.resolve("belay").toString()));
        command.addAll(Arrays.asList(arguments));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(log).toFile());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().merge("PATH", "", (path, _) -> folder.resolve("bin") + ":" + path);
        return builder.start();
    }

    private List<String> run(int code, String... arguments) throws IOException, InterruptedException {
        Process process = start("log", arguments);
        assertTrue(process.waitFor(OVER, TimeUnit.SECONDS));
        List<String> lines = Files.readAllLines(folder.resolve("log"));
        assertEquals(code, process.exitValue(), lines::toString);
        return lines;
    }

    @Test
    void whatIsMissingIsBuiltOnce() throws IOException, InterruptedException {
        List<String> said = run(0, "info");
        assertEquals(3, said.size(), said::toString);
        assertTrue(said.getFirst().startsWith("belay: building with "), said::toString);
        assertEquals(List.of("belay: remark", "launched"), said.subList(1, 3));
        assertEquals(List.of("launched"), run(0, "info"));
        assertEquals(1, runs());
        // Explicitly it is built at any time.
        run(0, "build");
        assertEquals(2, runs());
    }

    /** Two that begin while neither has built: one waits, says so, and then has what the other built. */
    @Test
    void ofTwoAtOnceOneBuilds() throws IOException, InterruptedException {
        assumeTrue(new ProcessBuilder("sh", "-c", "command -v flock").start().waitFor() == 0, "flock is not installed");
        for (String command : List.of("info", "build")) {
            Files.deleteIfExists(folder.resolve("runs"));
            Files.deleteIfExists(folder.resolve("target/belay.jar"));
            Files.deleteIfExists(folder.resolve("go"));
            maven("while [ ! -e go ]; do sleep 0.05; done; : >target/belay.jar");
            Process first = start("first", command);
            await("runs", "run");
            Process second = start("second", command);
            await("second", "belay: another build is running; waiting");
            Files.writeString(folder.resolve("go"), "");
            assertTrue(first.waitFor(OVER, TimeUnit.SECONDS) && second.waitFor(OVER, TimeUnit.SECONDS));
            assertEquals(0, first.exitValue());
            assertEquals(0, second.exitValue());
            assertEquals(1, runs());
            List<String> said = Files.readAllLines(folder.resolve("second"));
            List<String> rest = command.equals("build") ? List.of() : List.of("launched");
            assertEquals(rest, said.subList(1, said.size()));
        }
    }

    /** Waits until a file has a line. */
    private void await(String file, String line) throws IOException, InterruptedException {
        Instant end = Instant.now().plusSeconds(OVER);
        Path path = folder.resolve(file);
        while (!Files.exists(path) || !Files.readAllLines(path).contains(line)) {
            assertTrue(Instant.now().isBefore(end), line);
            Thread.sleep(20);
        }
    }

    @Test
    void aFailedBuildIsToldInTheFormThatIsAskedFor() throws IOException, InterruptedException {
        maven("echo '[ERROR] a \"quoted\" reason'; exit 1");
        List<String> text = run(1, "info");
        assertEquals("[ERROR] a \"quoted\" reason", text.get(1));
        assertTrue(text.getLast().startsWith("belay: the build failed; the whole log is in "), text::toString);
        List<String> quiet = run(1, "info", "--quiet");
        assertEquals(List.of(text.getLast()), quiet);
        for (List<String> format : List.of(List.of("--log-format=json"), List.of("--log-format", "json"))) {
            List<String> args = new ArrayList<>(List.of("info"));
            args.addAll(format);
            List<String> lines = run(1, args.toArray(String[]::new));
            assertEquals(2, lines.size(), lines::toString);
            JsonNode notice = Cli.parse(lines.getFirst());
            assertEquals("notice", notice.get("level").asText());
            assertTrue(notice.get("message").asText().startsWith("building with "), lines::toString);
            JsonNode error = Cli.parse(lines.getLast());
            assertEquals(List.of("time", "level", "message"), Cli.keys(error));
            assertEquals("error", error.get("level").asText());
            assertEquals("belay: " + error.get("message").asText(), text.getLast());
            Instant.parse(error.get("time").asText());
            args.add("--quiet");
            List<String> one = run(1, args.toArray(String[]::new));
            assertEquals(1, one.size(), one::toString);
            assertEquals(error.get("message"), Cli.parse(one.getFirst()).get("message"));
        }
    }

    /** Maven's remarks may have what JSON must escape. */
    @Test
    void remarksAreValidJson() throws IOException, InterruptedException {
        maven("printf 'belay: a \"b\" \\\\c\\td\\n'; : >target/belay.jar");
        List<String> lines = run(0, "info", "--log-format", "json");
        assertEquals("a \"b\" \\c d", Cli.parse(lines.get(1)).get("message").asText());
    }
}
