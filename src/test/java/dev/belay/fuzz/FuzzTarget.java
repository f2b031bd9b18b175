package dev.belay.fuzz;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamWriteConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.belay.BelayException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** What is fuzzed: a reader, the name of the file it reads, and the form of its files, by which inputs can be edits of a base. */
enum FuzzTarget {
    SAFETENSORS("model.safetensors", Form.TENSORS, Readers::safetensors),
    INDEX("model.safetensors.index.json", Form.JSON, Readers::index),
    GGUF("model.gguf", Form.GGUF, Readers::gguf),
    CONFIG("config.json", Form.JSON, Readers::config),
    TOKENIZER("tokenizer.json", Form.JSON, Readers::tokenizer),
    TEKKEN("tekken.json", Form.JSON, Readers::tekken),
    TEMPLATE("chat_template.jinja", Form.BYTES, Readers::template),
    TRANSCRIPTS("transcripts.jsonl", Form.LINES, Readers::transcripts),
    LABELS("labels.jsonl", Form.LINES, Readers::labels),
    PROBE("probe.safetensors", Form.TENSORS, Readers::probe),
    NUMPY("probe.npy", Form.BYTES, Readers::numpy),
    HEADS("heads.json", Form.JSON, Readers::heads),
    CSV("prompts.csv", Form.BYTES, Readers::dataset),
    RECORDS("prompts.json", Form.JSON, Readers::dataset),
    PARQUET("prompts.parquet", Form.BYTES, Readers::dataset),
    JOURNAL("shard.jsonl", Form.LINES, Readers::journal),
    RUN("manifest.json", Form.JSON, Readers::run);

    /** How files of a target are built, and so how edits of them are made. */
    private enum Form {
        /** Any bytes; there are no edits. */
        BYTES,
        /** A JSON value. */
        JSON,
        /** JSON values with line feeds between them. */
        LINES,
        /** A safetensors file, of which the header is edited and the data stay. */
        TENSORS,
        /** A GGUF file, from a description in JSON. */
        GGUF
    }

    interface Reader {
        /**
         * Reads a file and checks what must hold if it is accepted.
         *
         * @param file in a folder of its own
         * @throws BelayException if the reader refuses the file
         */
        void read(Path file) throws IOException;
    }

    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(Integer.MAX_VALUE)
                    .build())
            .streamWriteConstraints(StreamWriteConstraints.builder()
                    .maxNestingDepth(Integer.MAX_VALUE)
                    .build())
            .build());
    /** The first byte of an input that is a list of edits; the second is the number of the base. */
    static final byte EDITS = 0;

    /** Endings of kept files that are edited or described, not read as they are. */
    private static final String DESCRIPTION = ".description.json";

    private static final int LONGEST_MESSAGE = 2000;

    private final String fileName;
    private final Form form;
    private final Reader reader;
    private List<byte[]> bases;

    FuzzTarget(String fileName, Form form, Reader reader) {
        this.fileName = fileName;
        this.form = form;
        this.reader = reader;
    }

    String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The kept files of this target, but for those named hang…: they leave a thread busy for the rest of the process. */
    List<Path> seeds(Path corpus) {
        try (Stream<Path> files = Files.list(corpus.resolve(label()))) {
            return files.filter(file -> !file.getFileName().toString().startsWith("hang"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A kept file as the reader gets it. */
    byte[] content(Path seed) {
        try {
            byte[] bytes = Files.readAllBytes(seed);
            return seed.toString().endsWith(DESCRIPTION) ? GgufBytes.of(JSON.readTree(bytes)) : bytes;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Edits of bases, of a kind that Jazzer can begin with; none where inputs are files only. */
    List<byte[]> startingEdits(Path corpus) {
        List<byte[]> starts = new ArrayList<>();
        for (int i = 0; form != Form.BYTES && i < bases(corpus).size(); i++) {
            starts.add(new byte[] {EDITS, (byte) i, 0, 1, 0});
        }
        return starts;
    }

    /** The file that an input stands for: itself, or a base with its edits. */
    byte[] expand(byte[] input, Path corpus) {
        boolean edits = form != Form.BYTES
                && input.length > 1
                && input[0] == EDITS
                && !bases(corpus).isEmpty();
        if (!edits) {
            return input;
        }
        byte[] base = bases(corpus).get((input[1] & 0xff) % bases(corpus).size());
        try {
            return edited(base, input);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private byte[] edited(byte[] base, byte[] input) throws IOException {
        return switch (form) {
            case BYTES -> input;
            case JSON -> JSON.writeValueAsBytes(JsonEdits.apply(JSON.readTree(base), input, 2));
            case LINES -> lines(JsonEdits.apply(parsedLines(base), input, 2));
            case GGUF -> GgufBytes.of(JsonEdits.apply(JSON.readTree(base), input, 2));
            case TENSORS -> {
                int length = (int)
                        ByteBuffer.wrap(base).order(ByteOrder.LITTLE_ENDIAN).getLong();
                byte[] header = JSON.writeValueAsBytes(JsonEdits.apply(JSON.readTree(base, 8, length), input, 2));
                int data = base.length - 8 - length;
                yield ByteBuffer.allocate(8 + header.length + data)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(header.length)
                        .put(header)
                        .put(base, 8 + length, data)
                        .array();
            }
        };
    }

    private static ArrayNode parsedLines(byte[] text) throws JsonProcessingException {
        ArrayNode lines = JSON.createArrayNode();
        for (String line : new String(text, StandardCharsets.UTF_8).split("\n")) {
            lines.add(JSON.readTree(line));
        }
        return lines;
    }

    private static byte[] lines(JsonNode values) throws JsonProcessingException {
        StringBuilder text = new StringBuilder();
        for (JsonNode value : values) {
            text.append(JSON.writeValueAsString(value)).append('\n');
        }
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** The kept files whose names begin with {@code base}: well-formed ones. */
    private synchronized List<byte[]> bases(Path corpus) {
        if (bases == null) {
            bases = seeds(corpus).stream()
                    .filter(seed -> seed.getFileName().toString().startsWith("base"))
                    .map(FuzzTarget::bytes)
                    .toList();
        }
        return bases;
    }

    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Has the reader read a file, which must succeed or be refused in one line.
     *
     * @param folder for the file and whatever the reader writes; emptied first
     * @return whether the file was accepted
     * @throws AssertionError if a check fails; any other unchecked exception is a bug as well
     */
    boolean run(Path folder, byte[] content) throws IOException {
        empty(folder);
        Path file = Files.write(folder.resolve(fileName), content);
        try {
            reader.read(file);
            return true;
        } catch (BelayException e) {
            checkMessage(e, folder);
            return false;
        }
    }

    /** Checks that a message is one line for people. */
    static void checkMessage(BelayException e, Path folder) {
        String message = String.valueOf(e.getMessage()).replace(folder.toString(), "");
        boolean line = message.codePoints().noneMatch(c -> Character.isISOControl(c) || c == 0x2028 || c == 0x2029);
        if (!line || message.length() > LONGEST_MESSAGE || message.length() < 10 || message.contains("Exception")) {
            String shown = message.substring(0, Math.min(message.length(), LONGEST_MESSAGE));
            throw new AssertionError("an error message of " + message.length() + " characters is no line: " + shown, e);
        }
    }

    private static void empty(Path folder) throws IOException {
        Files.createDirectories(folder);
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
                if (!file.equals(folder)) {
                    Files.delete(file);
                }
            }
        }
    }

    static List<FuzzTarget> named(String name) {
        return name == null ? Arrays.asList(values()) : List.of(valueOf(name.toUpperCase(Locale.ROOT)));
    }
}
