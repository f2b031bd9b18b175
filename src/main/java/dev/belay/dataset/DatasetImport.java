package dev.belay.dataset;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.text.Transcript;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/** Reads a file of prompts as transcripts, record by record. */
public final class DatasetImport {
    /**
     * How to read.
     *
     * @param format what the columns mean, or null to find out from the first record
     * @param columns the columns by name instead of a format, or null
     * @param harmful whether the prompts are harmful where the file does not say, or null
     * @param only take only harmful (true) or only harmless prompts; null = all
     * @param limit take at most so many
     * @param skipBad leave out records that cannot be used, instead of ending there
     */
    public record Options(
            DatasetFormat format, ColumnMap columns, Boolean harmful, Boolean only, long limit, boolean skipBad) {}

    /**
     * What was read.
     *
     * @param format the name of the format, or "columns"
     * @param taken transcripts
     * @param left records left out because of {@link Options#only}
     * @param bad records left out because they could not be used
     * @param unlabelled transcripts of which nothing says whether they are harmful
     */
    public record Counts(String format, long taken, long left, long bad, long unlabelled) {}

    private final Path file;
    private final Options options;
    private final Map<String, String> placeOfId = new HashMap<>();
    private DatasetFormat format;

    /** Prepares the reading of a file. */
    public DatasetImport(Path file, Options options) {
        this.file = file;
        this.options = options;
        format = options.format();
    }

    /**
     * Reads the file.
     *
     * @param sink gets each transcript
     * @throws BelayException naming the file and the record that cannot be read or used
     */
    public Counts run(Consumer<Transcript> sink) {
        long taken = 0;
        long left = 0;
        long bad = 0;
        long unlabelled = 0;
        BelayException firstBad = null;
        try (Records records = Records.open(file)) {
            for (long number = 1; taken < options.limit(); number++) {
                ObjectNode record = records.next();
                if (record == null) {
                    break;
                }
                Fields fields = new Fields(record, records.place());
                Transcript transcript;
                try {
                    Item item = read(fields, records.place());
                    Boolean harmful = item.harmful() == null ? fromName() : item.harmful();
                    if (options.only() != null && !options.only().equals(harmful)) {
                        left++;
                        continue;
                    }
                    transcript = item.transcript(id(item, number, records.place()), harmful);
                } catch (BelayException e) {
                    if (!options.skipBad() || name() == null) {
                        throw e;
                    }
                    firstBad = firstBad == null ? e : firstBad;
                    bad++;
                    continue;
                }
                sink.accept(transcript);
                taken++;
                unlabelled += transcript.harmful() == null ? 1 : 0;
            }
        }
        if (taken == 0 && left == 0 && firstBad != null) {
            throw firstBad;
        }
        if (taken == 0) {
            throw new BelayException(file + " gives no transcripts"
                    + (left > 0
                            ? ": none is what --only asks for; where the file does not say what it holds, --harmful does"
                            : ""));
        }
        return new Counts(name(), taken, left, bad, unlabelled);
    }

    private Item read(Fields fields, String place) {
        if (options.columns() == null && format == null) {
            format = DatasetFormat.of(fields)
                    .orElseThrow(() -> new BelayException(place + " is of none of the known files ("
                            + DatasetFormat.labels() + "): its fields are " + fields.names()
                            + "; say which is the prompt by --columns prompt=FIELD"));
        }
        Item item = options.columns() == null
                ? format.read(fields)
                : options.columns().read(fields);
        if (item.prompt().isBlank()) {
            throw new BelayException(place + " has an empty prompt; mend it, or leave such out by --skip-bad");
        }
        return item;
    }

    /** The name of the format, or "columns"; null while it is not known. */
    private String name() {
        if (options.columns() != null) {
            return "columns";
        }
        return format == null ? null : format.label();
    }

    /** What the option says, or the file's name, as JailbreakBench names its two. */
    private Boolean fromName() {
        if (options.harmful() != null) {
            return options.harmful();
        }
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        if (format != DatasetFormat.JAILBREAKBENCH || name.contains("harmful") == name.contains("benign")) {
            return null;
        }
        return name.contains("harmful");
    }

    /** The item's own id, or the name of the format and the record's number. */
    private String id(Item item, long number, String place) {
        String id = item.id().isEmpty() ? name() + "-" + number : item.id();
        String other = placeOfId.putIfAbsent(id, place);
        if (other != null) {
            throw new BelayException(place + " has the id '" + id + "' of another record (" + other
                    + "); leave such out by --skip-bad"
                    + (options.columns() == null ? "" : ", or number all by leaving id out of --columns"));
        }
        return id;
    }
}
