package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.forward.Golden;
import dev.belay.probe.LinearProbe;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Runs command lines inside the test and keeps what they print. */
final class Cli {
    static final Path TINY = Path.of("models/tiny-cliff");
    static final Path LLAMA = Golden.path("families/llama");
    static final Path LLAMA31 = Golden.path("families/llama31-rope");

    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private static final Pattern NULL = Pattern.compile("\\bnull\\b");
    /** Messages that come or not, depending on the time a job takes. */
    private static final Pattern PROGRESS = Pattern.compile("(?m)^belay: .*: \\d+ of \\d+, \\d+ s left\\R");

    private Cli() {}

    /** A file of tiny-cliff's data. */
    static Path data(String name) {
        return TINY.resolve("data").resolve(name);
    }

    /** What a command line printed and returned. */
    record Result(List<String> args, int code, String out, String err) {
        /** Checks that it succeeded, without a remark; returns stdout. */
        String ok() {
            assertEquals(0, code, () -> this + "");
            assertEquals("", err, () -> this + "");
            return out;
        }

        /** Checks that it succeeded and that stdout is one JSON object and nothing else. */
        JsonNode json() {
            JsonNode json = parse(ok());
            assertTrue(json.isObject(), out);
            return json;
        }

        /** Checks that it succeeded with one remark on stderr, which has all of {@code parts}. */
        String okWithNote(String... parts) {
            assertEquals(0, code, () -> this + "");
            checkLine(parts);
            return out;
        }

        /** Checks the exit code, that stdout is empty, and that stderr is one line for people that has all of {@code parts}. */
        void failed(int expected, String... parts) {
            assertEquals(expected, code, () -> this + "");
            assertEquals("", out, () -> this + "");
            checkLine(parts);
        }

        private void checkLine(String... parts) {
            assertTrue(err.startsWith("belay: ") && err.endsWith("\n"), () -> this + "");
            assertEquals(1, err.lines().count(), () -> this + "");
            for (String forbidden :
                    List.of("internal error", "Exception", "\tat ", "REDACTED", "JsonReadFeature", "belay-check")) {
                assertFalse(err.contains(forbidden), () -> this + "");
            }
            assertFalse(NULL.matcher(err).find(), () -> this + "");
            for (String part : parts) {
                assertTrue(err.contains(part), () -> "no '" + part + "' in: " + err);
            }
        }

        @Override
        public String toString() {
            return args + " -> exit code " + code + "\nstdout: " + out + "\nstderr: " + err;
        }
    }

    /** The words of a command line; each {@code ?} stands for the next of the values. */
    static List<String> args(String line, Object... values) {
        Iterator<Object> next = List.of(values).iterator();
        List<String> args = new ArrayList<>();
        for (String word : line.split(" ")) {
            args.add(word.equals("?") ? next.next().toString() : word);
        }
        assertFalse(next.hasNext(), line);
        return args;
    }

    /** Runs a command line; each {@code ?} stands for the next of the values. */
    static Result run(String line, Object... values) {
        return run(args(line, values));
    }

    /** The command of a process of its own that runs Belay: a JVM with these options, then the arguments. */
    static List<String> process(List<String> jvmOptions, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"));
        command.addAll(jvmOptions);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), "dev.belay.cli.Belay"));
        command.addAll(arguments);
        return command;
    }

    /** Runs a command line with more arguments behind it. */
    static Result run(List<String> args, Object... more) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        String[] all = Stream.concat(args.stream(), Stream.of(more).map(Object::toString))
                .toArray(String[]::new);
        int code = Belay.run(new PrintWriter(out), new PrintWriter(err), all);
        return new Result(
                List.of(all),
                code,
                out.toString(),
                PROGRESS.matcher(err.toString()).replaceAll(""));
    }

    static JsonNode parse(String text) {
        try {
            return JSON.readTree(text);
        } catch (IOException e) {
            throw new UncheckedIOException(text, e);
        }
    }

    /** The JSON of a file. */
    static JsonNode json(Path file) {
        return parse(text(file));
    }

    /** The JSON of each line of a file. */
    static List<JsonNode> lines(Path file) {
        return text(file).lines().map(Cli::parse).toList();
    }

    static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Path write(Path file, String text) {
        try {
            return Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Names of the files in a folder. */
    static List<String> names(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(f -> f.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Copies the files of a model folder, to damage them. */
    static Path copy(Path model, Path folder) {
        try (Stream<Path> files = Files.list(model)) {
            Files.createDirectories(folder);
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void bytes(Path file, byte[] bytes) {
        try {
            Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void delete(Path file) {
        try {
            Files.delete(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Writes a probe of zeros. */
    static Path probe(Path folder, int width, int layer) {
        Path file = folder.resolve("probe-" + width + "-" + layer + ".safetensors");
        new LinearProbe(new float[width], 0, layer, Map.of()).save(file);
        return file;
    }

    /** Writes one short transcript. */
    static Path one(Path folder) {
        return write(folder.resolve("one.jsonl"), "{\"prompt\": \"hello\", \"thinking\": \"I think\"}\n");
    }

    /** The first transcripts of a file of tiny-cliff's data. */
    static Path few(Path folder, String name, int count) {
        List<String> lines = text(data(name)).lines().limit(count).toList();
        return write(folder.resolve(count + "-" + name), String.join("\n", lines) + "\n");
    }

    /** The keys of a JSON object, in its order. */
    static List<String> keys(JsonNode object) {
        List<String> keys = new ArrayList<>();
        object.fieldNames().forEachRemaining(keys::add);
        return keys;
    }

    /** The elements of an array of integers. */
    static int[] ints(JsonNode array) {
        int[] values = new int[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).intValue();
        }
        return values;
    }
}
