package dev.belay.run;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;

/** Puts the shards of a run together as one journal, from which the run's command makes the output. */
public final class ShardMerge {
    /** Options, with a value and without, that are not the merged run's. */
    private static final Set<String> VALUED = Set.of("-o", "--shard", "--profile", "--log-format");

    private static final Set<String> FLAGS = Set.of("--resume", "--keep-progress", "--quiet");

    /** Options that name files of texts. */
    private static final List<String> TEXTS = List.of("--data", "--ids");

    private ShardMerge() {}

    /**
     * Writes the journal of {@code output} from all its shards.
     *
     * @return the arguments of the shards' command, without those that choose output, shard, resumption or messages
     * @throws BelayException if one is missing, there twice, or of another run; names it
     */
    public static List<String> journal(List<Path> files, Path output) {
        TreeMap<Integer, Path> shards = new TreeMap<>();
        ObjectNode first = null;
        int count = 0;
        for (Path file : files) {
            ObjectNode header = header(file);
            Shard shard = Shard.parse(header.path(Journal.SHARD).asText());
            if (first == null) {
                first = header;
                count = shard.count();
            }
            String other = Journal.difference(first, header);
            if (other == null && shard.count() != count) {
                other = "number of shards was " + count + " and is " + shard.count();
            }
            if (other == null) {
                other = otherTexts(first, header);
            }
            if (other != null) {
                throw new BelayException(file + " is a shard of another run than " + files.getFirst() + ": " + other);
            }
            Path twice = shards.put(shard.number(), file);
            if (twice != null) {
                throw new BelayException("shard " + shard + " is there twice: " + twice + " and " + file);
            }
        }
        List<String> missing = new ArrayList<>();
        for (int i = 1; i <= count; i++) {
            if (!shards.containsKey(i)) {
                missing.add(i + "/" + count);
            }
        }
        if (!missing.isEmpty()) {
            throw new BelayException("missing: shard " + String.join(", ", missing));
        }
        Path target = OutputFile.beside(output, ".progress");
        if (target == null) {
            throw new BelayException(output + ": the output of a merge must be a file");
        }
        List<String> arguments = arguments(first);
        first.remove(Journal.SHARD);
        try (var _ = OutputLock.of(output);
                Journal journal = Journal.create(target, first)) {
            for (Path file : shards.values()) {
                try (Journal shard = Journal.open(file)) {
                    journal.addAll(shard);
                }
            }
        }
        return arguments;
    }

    /** Removes the journal that {@link #journal} wrote, if the output was not made from it: the shards have it all. */
    public static void discard(Path output) {
        try (var _ = OutputLock.of(output)) {
            Files.deleteIfExists(OutputFile.beside(output, ".progress"));
        } catch (IOException e) {
            throw new BelayException("cannot remove what is beside " + output + ": " + OutputFile.reason(e), e);
        }
    }

    private static ObjectNode header(Path file) {
        if (Files.isDirectory(file)) {
            throw new BelayException("cannot read " + file + ": it is a folder; name the output of a run with --shard");
        }
        try (Journal journal = Journal.open(file)) {
            if (journal == null || !journal.header().has(Journal.SHARD)) {
                throw new BelayException(file + " is no shard: belay merge takes the outputs of runs with --shard");
            }
            return journal.header();
        }
    }

    /** Which file of texts of a run has other content than that of another run, in words; null if none is known to. */
    private static String otherTexts(ObjectNode one, ObjectNode other) {
        for (String name : TEXTS) {
            String had = value(one, name);
            String has = value(other, name);
            try {
                if (!had.equals(has)
                        && Files.isRegularFile(Path.of(had))
                        && Files.isRegularFile(Path.of(has))
                        && Files.mismatch(Path.of(had), Path.of(has)) >= 0) {
                    return name + " was " + had + " and is " + has;
                }
            } catch (IOException e) {
                throw new BelayException("cannot read " + has + ": " + OutputFile.reason(e), e);
            }
        }
        return null;
    }

    /** What the command line of a run gave an option; empty if it did not. */
    private static String value(ObjectNode header, String name) {
        String value = "";
        boolean next = false;
        for (var argument : header.path("arguments")) {
            String text = argument.asText();
            if (next) {
                value = text;
            } else if (text.startsWith(name + "=")) {
                value = text.substring(name.length() + 1);
            }
            next = text.equals(name);
        }
        return value;
    }

    private static List<String> arguments(ObjectNode header) {
        List<String> arguments = new ArrayList<>();
        boolean skip = false;
        for (var argument : header.path("arguments")) {
            String text = argument.asText();
            boolean value = skip;
            skip = VALUED.contains(text);
            boolean dropped = FLAGS.contains(text) || VALUED.stream().anyMatch(name -> text.startsWith(name + "="));
            if (!value && !skip && !dropped) {
                arguments.add(text);
            }
        }
        return arguments;
    }
}
