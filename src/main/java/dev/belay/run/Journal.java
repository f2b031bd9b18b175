package dev.belay.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.Disk;
import dev.belay.io.JsonText;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The finished units of a run, as JSON Lines: first a header with all that changes results, then one line for each unit, a batch of
 * texts. A line is on the disk when {@link #append} returns. A last line that was cut short does not count.
 */
public final class Journal implements AutoCloseable {
    /** Header fields that tell how a run was asked for, not what comes out. */
    private static final String ARGUMENTS = "arguments";

    static final String SHARD = "shard";

    /** Header field of the options that only choose among what the journal has, or what more is computed. */
    public static final String CHOICES = "choices";

    private static final ObjectMapper JSON = new ObjectMapper();

    /** Where the line of a unit is in the file. */
    private record Place(long offset, int bytes) {}

    /**
     * A finished unit.
     *
     * @param from number of its first text
     * @param end one past its last text
     * @param hash hash of its texts
     * @param value what came out
     */
    record Unit(int from, int end, String hash, JsonNode value) {}

    private final Path file;
    private final FileChannel channel;
    private final ObjectNode header;
    private final Map<String, TreeMap<Integer, Place>> places = new HashMap<>();
    private long size;

    private Journal(Path file, FileChannel channel, ObjectNode header) {
        this.file = file;
        this.channel = channel;
        this.header = header;
    }

    /**
     * Begins a journal. One that is there and holds finished units is not overwritten: it becomes {@code NAME.old}, and a notice says so.
     *
     * @throws BelayException if it cannot be written, or if {@code NAME.old} is there, too
     */
    public static Journal create(Path file, ObjectNode header) {
        setAside(file);
        try {
            FileChannel channel = FileChannel.open(
                    file,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.READ,
                    StandardOpenOption.WRITE);
            Journal journal = new Journal(file, channel, header);
            try {
                journal.write(header);
                journal.force();
                Disk.forceName(file);
                return journal;
            } catch (RuntimeException e) {
                channel.close();
                throw e;
            }
        } catch (IOException e) {
            throw new BelayException("cannot write " + file + ": " + OutputFile.reason(e), e);
        }
    }

    private static void setAside(Path file) {
        if (!Files.exists(file) || !hasUnits(file)) {
            return;
        }
        Path old = OutputFile.companion(file, ".old");
        String what = file + " has finished batches of an earlier run";
        if (Files.exists(old)) {
            throw new BelayException(what + ", and so has " + old
                    + ": go on with the former by --resume, or remove the one that you do not need");
        }
        try {
            Files.move(file, old, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new BelayException("cannot rename " + file + " to " + old + ": " + OutputFile.reason(e), e);
        }
        Messages.current()
                .notice(what + " and is now " + old + "; to go on with it, stop this run, name it " + file.getFileName()
                        + " again and use --resume");
    }

    private static boolean hasUnits(Path file) {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
            byte[] first = line(in);
            if (first == null) {
                return false;
            }
            header(file, object(file, 1, first));
            return line(in) != null;
        } catch (BelayException e) {
            throw new BelayException(e.getMessage() + "; rename it, or remove it to begin anew", e);
        } catch (IOException e) {
            throw new BelayException("cannot read " + file + ": " + OutputFile.reason(e), e);
        }
    }

    /**
     * Goes on with a journal; begins one where there is none, or where not even the header is whole.
     *
     * @throws BelayException if it is of a run that gives other results; names the field that differs
     */
    public static Journal resume(Path file, ObjectNode header) {
        if (!Files.exists(file)) {
            return create(file, header);
        }
        Journal journal = open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
        if (journal == null) {
            return create(file, header);
        }
        try {
            // A part has no use for a choice, so that it can only be noted when the part begins.
            Set<String> free = header.has(SHARD) ? Set.of(ARGUMENTS) : Set.of(ARGUMENTS, CHOICES);
            String other = difference("", journal.header, header, free);
            if (other != null) {
                throw new BelayException("cannot resume from " + file + ": " + other
                        + "; give what it had, or leave out --resume to begin anew");
            }
            // A last line that is not whole.
            journal.channel.truncate(journal.size);
            journal.channel.position(journal.size);
            return journal;
        } catch (IOException e) {
            journal.close();
            throw new BelayException("cannot write " + file + ": " + OutputFile.reason(e), e);
        } catch (RuntimeException e) {
            journal.close();
            throw e;
        }
    }

    /** Reads a journal up to its last whole line, to read units only; null if there is not even a header. */
    static Journal open(Path file) {
        return open(file, StandardOpenOption.READ);
    }

    private static Journal open(Path file, OpenOption... access) {
        try {
            FileChannel channel = FileChannel.open(file, access);
            Journal journal = null;
            try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
                journal = read(file, channel, in);
                return journal;
            } finally {
                if (journal == null) {
                    channel.close();
                }
            }
        } catch (IOException e) {
            throw new BelayException("cannot read " + file + ": " + OutputFile.reason(e), e);
        }
    }

    private static Journal read(Path file, FileChannel channel, InputStream in) throws IOException {
        Journal journal = null;
        long offset = 0;
        int number = 0;
        for (byte[] line = line(in); line != null; line = line(in)) {
            ObjectNode json = object(file, ++number, line);
            if (journal == null) {
                journal = new Journal(file, channel, header(file, json));
            } else {
                journal.remember(json.path("stage").asText(), json.path("from").asInt(), offset, line.length);
            }
            offset += line.length + 1;
        }
        if (journal != null) {
            journal.size = offset;
        }
        return journal;
    }

    private static ObjectNode object(Path file, int number, byte[] line) throws IOException {
        JsonNode json;
        try {
            json = JSON.readTree(line);
        } catch (JsonProcessingException e) {
            json = null;
        }
        if (json instanceof ObjectNode object) {
            return object;
        }
        throw new BelayException(file + " line " + number + ": is no line of a journal of belay");
    }

    /** The header of a journal; null if there is none, or not a whole one. */
    static ObjectNode header(Path file) {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
            byte[] first = line(in);
            return first == null ? null : header(file, object(file, 1, first));
        } catch (IOException | BelayException e) {
            return null;
        }
    }

    private static ObjectNode header(Path file, ObjectNode json) {
        if (!json.has("belay")) {
            throw new BelayException(file + ": is no journal or shard of belay");
        }
        return json;
    }

    /** The next line that ends with a line feed, without it; null if there is none. */
    private static byte[] line(InputStream in) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int b = in.read(); b >= 0; b = in.read()) {
            if (b == '\n') {
                return bytes.toByteArray();
            }
            bytes.write(b);
        }
        return null;
    }

    /** What differs between the headers of two shards of a run, in words; null if nothing that matters does. */
    static String difference(ObjectNode one, ObjectNode other) {
        return difference("", one, other, Set.of(ARGUMENTS, SHARD));
    }

    private static String difference(String prefix, JsonNode had, JsonNode has, Set<String> free) {
        Set<String> names = new LinkedHashSet<>();
        had.fieldNames().forEachRemaining(names::add);
        has.fieldNames().forEachRemaining(names::add);
        for (String name : names) {
            if (free.contains(name)) {
                continue;
            }
            JsonNode before = had.path(name);
            JsonNode now = has.path(name);
            if (before.isObject() && now.isObject()) {
                String inner = difference(prefix + name + " ", before, now, free);
                if (inner != null) {
                    return inner;
                }
            } else if (!before.equals(now)) {
                return prefix + name + " was " + shown(before) + " and is " + shown(now);
            }
        }
        return null;
    }

    private static String shown(JsonNode value) {
        return value.isMissingNode() || value.isNull() ? "not given" : value.asText();
    }

    private void remember(String stage, int from, long offset, int bytes) {
        places.computeIfAbsent(stage, s -> new TreeMap<>()).put(from, new Place(offset, bytes));
    }

    /** The first line. */
    ObjectNode header() {
        return header;
    }

    Path file() {
        return file;
    }

    /** Adds all units of another journal; they are on the disk when this returns. */
    void addAll(Journal other) {
        other.places.forEach((stage, units) -> units.keySet().forEach(from -> add(stage, other.unit(stage, from))));
        force();
    }

    /** The unit of a stage that begins with text {@code from}; null if it is not done. */
    Unit unit(String stage, int from) {
        Place place = places.getOrDefault(stage, new TreeMap<>()).get(from);
        if (place == null) {
            return null;
        }
        try {
            ByteBuffer bytes = ByteBuffer.allocate(place.bytes());
            while (bytes.hasRemaining()) {
                if (channel.read(bytes, place.offset() + bytes.position()) < 0) {
                    throw new BelayException(file + " became shorter while it was read");
                }
            }
            JsonNode json = JSON.readTree(bytes.array());
            return new Unit(from, json.path("end").asInt(), json.path("hash").asText(), json.path("value"));
        } catch (IOException e) {
            throw new BelayException("cannot read " + file + ": " + OutputFile.reason(e), e);
        }
    }

    /** Adds a finished unit; it is on the disk when this returns. */
    void append(String stage, Unit unit) {
        add(stage, unit);
        force();
    }

    private void add(String stage, Unit unit) {
        ObjectNode line = JSON.createObjectNode();
        line.put("stage", stage).put("from", unit.from()).put("end", unit.end()).put("hash", unit.hash());
        line.set("value", unit.value());
        long offset = size;
        int bytes = write(line);
        remember(stage, unit.from(), offset, bytes - 1);
    }

    private int write(ObjectNode json) {
        try {
            byte[] line = (JsonText.encodable(JSON.writeValueAsString(json)) + "\n").getBytes(StandardCharsets.UTF_8);
            ByteBuffer bytes = ByteBuffer.wrap(line);
            // A line that memory ran out for may be there in part.
            channel.truncate(size);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            size += line.length;
            return line.length;
        } catch (IOException e) {
            throw new BelayException("cannot write " + file + ": " + OutputFile.reason(e), e);
        }
    }

    private void force() {
        try {
            channel.force(false);
        } catch (IOException e) {
            throw new BelayException("cannot write " + file + ": " + OutputFile.reason(e), e);
        }
    }

    /** Whether no unit is done. */
    boolean isEmpty() {
        return places.isEmpty();
    }

    /** Gives the journal its final name: a shard is its journal. */
    void moveTo(Path target) {
        try {
            Files.move(file, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            Disk.forceName(target);
        } catch (IOException e) {
            throw new BelayException("cannot write " + target + ": " + OutputFile.reason(e), e);
        }
    }

    /** Removes the file. */
    void delete() {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new BelayException("cannot remove " + file + ": " + OutputFile.reason(e), e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new BelayException("cannot close " + file + ": " + OutputFile.reason(e), e);
        }
    }
}
