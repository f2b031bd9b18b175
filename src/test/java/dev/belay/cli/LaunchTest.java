package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code tools/launch} passes to Java, which is a script here that writes its arguments. */
class LaunchTest {
    @TempDir
    private Path folder;

    /** Every way that picocli takes the output's name: Java describes a crash of its own beside it. */
    @Test
    void aCrashIsDescribedBesideTheOutput() throws IOException, InterruptedException {
        Files.writeString(folder.resolve("inner"), "# -o none\n--layers all -o \"in the file\" # or 'not'\n");
        Files.writeString(folder.resolve("outer"), "--dtype f32\n@" + folder.resolve("inner") + "\n");
        Files.writeString(folder.resolve("joined"), "'-o=100% out'");
        assertEquals("a.json.crash", errorFile("-o", "a.json"));
        assertEquals("a.json.crash", errorFile("-oa.json"));
        assertEquals("a b.json.crash", errorFile("-o=a b.json"));
        String longest = "é".repeat(126) + "n";
        assertEquals(
                OutputFile.companion(folder.resolve(longest), ".crash"),
                folder.resolve(errorFile("-o", "some/../" + longest)).normalize());
        assertEquals("folder.crash", errorFile("--out", "folder/"));
        assertEquals("folder.crash", errorFile("--out=folder"));
        assertEquals("in the file.crash", errorFile("@" + folder.resolve("inner")));
        assertEquals("in the file.crash", errorFile("@" + folder.resolve("outer")));
        assertEquals("100%% out.crash", errorFile("@" + folder.resolve("joined")));
        // Not files of arguments.
        assertEquals("belay.crash", errorFile("@@" + folder.resolve("inner"), "@" + folder.resolve("none")));
        assertEquals("belay.crash", errorFile("--report", "page.html"));
    }

    /** Of a library that calls abort Java says nothing. */
    @Test
    void anAbortIsToldOf() throws IOException, InterruptedException {
        Path out = folder.resolve("o.jsonl");
        Files.writeString(OutputFile.companion(out, ".progress"), "something");
        Path err = folder.resolve("err");
        ProcessBuilder builder = launch("echo a panic >&2; ulimit -c 0; kill -ABRT $$", "-o", out.toString())
                .redirectError(err.toFile());
        assertEquals(134, builder.start().waitFor());
        assertEquals(
                List.of(
                        "a panic",
                        "belay: Java was aborted, perhaps by a native library, see the lines before; " + out
                                + ".progress has what is done: go on with the same command and --resume"),
                Files.readAllLines(err));
    }

    private String errorFile(String... arguments) throws IOException, InterruptedException {
        Path out = folder.resolve("stdout");
        ProcessBuilder builder =
                launch("printf '%s\\n' \"$@\"\nexit 1", arguments).redirectOutput(out.toFile());
        assertEquals(1, builder.start().waitFor());
        String option = "-XX:ErrorFile=";
        return Files.readAllLines(out).stream()
                .filter(line -> line.startsWith(option))
                .map(line -> line.substring(option.length()))
                .findFirst()
                .orElseThrow();
    }

    /** A command whose Java is a script. */
    private ProcessBuilder launch(String script, String... arguments) throws IOException {
        Path java = folder.resolve("java");
        Files.writeString(java, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwx------"));
        List<String> command = new ArrayList<>(List.of("tools/launch", java.toString(), "belay.jar", ".", "capture"));
        command.addAll(Arrays.asList(arguments));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("BELAY_CACHE", folder.resolve("cache").toString());
        return builder;
    }
}
