package dev.belay.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.io.Resources;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * Goes through a run's work batch by batch. What the journal has is read from it; the rest is computed and written to it, each batch as
 * soon as it is done. Batches are those of the uninterrupted run, so that every number is the same bit for bit.
 */
public final class Run implements AutoCloseable {
    /** How a run is asked for. */
    public enum Mode {
        /** From the beginning. */
        ANEW,
        /** From where the journal ends. */
        RESUME,
        /** The journal must have everything. */
        ASSEMBLE
    }

    /** The texts of a stage, in batches. */
    public interface Batches {
        /** Number of texts. */
        int count();

        /** One past the last text of the batch that begins with text {@code from}, where batches have {@code tokens} tokens. */
        int end(int from, int tokens);

        /** Tokens that batches have now; the work may lower them. */
        int tokens();

        /** Has batches of {@code tokens} tokens from here on, if they have more now. */
        void limit(int tokens);

        /** Has batches of half as many tokens from here on, as the Java heap has no room for more, and says so. */
        void halve();

        /** A hash of all that the results of these texts depend on. */
        String hash(int from, int end);
    }

    /** Computes a batch. */
    public interface Work {
        /** What comes out of texts {@code from} to {@code end - 1}. */
        JsonNode compute(int from, int end);
    }

    /** Takes what came out of a batch. */
    public interface Sink {
        /** Called for every batch, in order. */
        void take(int from, int end, JsonNode value);
    }

    private static final String OPTIONS = "options";
    private static final String BATCH_TOKENS = "--batch-tokens";

    private final Resources owned = new Resources();
    private final Path output;
    private final Shard shard;
    private final Mode mode;
    private final boolean keep;
    private Journal journal;
    private StopRequest stop;
    private boolean readSome;

    private Run(Path output, Shard shard, Mode mode, boolean keep) {
        this.output = output;
        this.shard = shard;
        this.mode = mode;
        this.keep = keep;
    }

    /** A run without a journal. */
    public static Run inMemory() {
        return new Run(null, Shard.WHOLE, Mode.ANEW, false);
    }

    /**
     * Begins or goes on with a run; keeps others from its output. Without a journal if the output is a device or a pipe. What an
     * earlier run has finished is not overwritten, see {@link Journal#create}.
     *
     * @param header all that changes results
     * @param keep whether the journal stays when the run is complete
     * @throws BelayException if another run holds the output, or the journal is of a run that gives other results
     */
    public static Run open(Path output, ObjectNode header, Shard shard, Mode mode, boolean keep) {
        Run run = new Run(output, shard, mode, keep);
        Path file = OutputFile.beside(output, ".progress");
        if (file == null) {
            if (!shard.equals(Shard.WHOLE)) {
                throw new BelayException(output + ": a shard must be a file");
            }
            return run;
        }
        try {
            run.owned.own(OutputLock.of(output));
            if (!shard.equals(Shard.WHOLE)) {
                header.put(Journal.SHARD, shard.toString());
            }
            run.journal = run.owned.own(mode == Mode.ANEW ? Journal.create(file, header) : run.resumed(file, header));
            run.stop = run.owned.own(new StopRequest());
            return run;
        } catch (RuntimeException | Error e) {
            run.owned.close();
            throw e;
        }
    }

    /** The journal to go on with; of a finished shard, the shard itself. */
    private Journal resumed(Path file, ObjectNode header) {
        if (!shard.equals(Shard.WHOLE) && !Files.exists(file) && Files.exists(output)) {
            try (Journal finished = Journal.resume(output, header)) {
                finished.moveTo(file);
            }
        }
        return Journal.resume(file, header);
    }

    /** Whether some of what came out was read from the journal, not computed: then time tells nothing of the work. */
    public boolean readSome() {
        return readSome;
    }

    /** Whether this run computes only a part, whose journal is the result; see {@link #finish}. */
    public boolean partOnly() {
        return !shard.equals(Shard.WHOLE);
    }

    /**
     * Does one stage of the run. Where memory runs out, batches become smaller, and the journal says from where on.
     *
     * @param stage its name in the journal
     * @param sink given what comes out, in order; of a part only, what comes out of the part
     * @throws StoppedException if a signal asked for it; the batch at hand is in the journal
     */
    public void stage(String stage, Batches batches, Work work, Sink sink) {
        Stage done = new Stage(stage, batches, work, sink);
        if (!partOnly()) {
            done.texts(0, batches.count());
            return;
        }
        // Parts are cut where batches end that are as large as was planned, also after they became smaller.
        int planned = planned(batches);
        List<int[]> all = new ArrayList<>();
        for (int from = 0; from < batches.count(); ) {
            int end = batches.end(from, planned);
            all.add(new int[] {from, end});
            from = end;
        }
        for (int b = 0; b < all.size(); b++) {
            if (shard.has(b, all.size())) {
                done.texts(all.get(b)[0], all.get(b)[1]);
            }
        }
    }

    private int planned(Batches batches) {
        return journal == null
                ? batches.tokens()
                : batchTokens(journal.header()).orElse(batches.tokens());
    }

    /** Tokens in a batch by a header; empty if it does not tell. */
    private static OptionalInt batchTokens(ObjectNode header) {
        String tokens = header.path(OPTIONS).path(BATCH_TOKENS).asText();
        return tokens.isEmpty() ? OptionalInt.empty() : OptionalInt.of(Integer.parseInt(tokens));
    }

    /**
     * Tokens in a batch of the run, or of the finished shard, that {@link #open} would go on with; empty if there is none, or it does not
     * tell.
     */
    public static OptionalInt batchTokens(Path output, Shard shard) {
        Path file = OutputFile.beside(output, ".progress");
        if (file != null && !Files.exists(file) && !shard.equals(Shard.WHOLE)) {
            file = output;
        }
        ObjectNode header = file == null || !Files.isRegularFile(file) ? null : Journal.header(file);
        return header == null ? OptionalInt.empty() : batchTokens(header);
    }

    /** How many texts of a stage are done, counted from the first; they can be had by doing the stage with only these. */
    public int done(String stage) {
        int end = 0;
        for (Journal.Unit unit = unit(stage, end); unit != null; unit = unit(stage, end)) {
            end = unit.end();
        }
        return end;
    }

    private Journal.Unit unit(String stage, int from) {
        return journal == null ? null : journal.unit(stage, from);
    }

    /** One stage while it is done. */
    private final class Stage {
        private final String name;
        private final Batches batches;
        private final Work work;
        private final Sink sink;
        /** Tokens in a batch as the journal has it. */
        private int noted;

        private int notes;

        Stage(String name, Batches batches, Work work, Sink sink) {
            this.name = name;
            this.batches = batches;
            this.work = work;
            this.sink = sink;
            noted = planned(batches);
            if (journal == null) {
                return;
            }
            for (Journal.Unit note = note(); note != null; note = note()) {
                noted = note.value().asInt();
                notes++;
            }
            batches.limit(noted);
        }

        private Journal.Unit note() {
            return journal.unit(name + " in batches of", notes);
        }

        /** Puts into the journal that batches became smaller: how texts are batched changes the last bits of results. */
        private void takeNote() {
            if (journal != null && mode != Mode.ASSEMBLE && batches.tokens() < noted) {
                noted = batches.tokens();
                journal.append(name + " in batches of", new Journal.Unit(notes, notes++, "", new IntNode(noted)));
            }
        }

        /** Does some texts. */
        void texts(int first, int last) {
            for (int from = first; from < last; ) {
                Journal.Unit done = unit(name, from);
                if (done == null) {
                    from = compute(from, last);
                } else {
                    check(done, last);
                    readSome = true;
                    sink.take(from, done.end(), done.value());
                    from = done.end();
                }
            }
        }

        private void check(Journal.Unit done, int last) {
            boolean same = done.end() <= last && done.hash().equals(batches.hash(done.from(), done.end()));
            if (mode == Mode.ASSEMBLE && !same) {
                throw missing(done.from(), done.end());
            }
            String what = "cannot resume from " + journal.file() + ": the data ";
            if (done.end() > batches.count()) {
                throw new BelayException(what + "has " + batches.count() + " texts, fewer than the "
                        + Math.max(done.end(), done(name)) + " that are done; give the data it had, or more");
            }
            if (!same) {
                throw new BelayException(what + "differs in texts " + (done.from() + 1) + " to " + done.end()
                        + "; give the data it had, or leave out --resume to begin anew");
            }
        }

        private BelayException missing(int from, int end) {
            return new BelayException("texts " + (from + 1) + " to " + end
                    + " are in none of the shards; is the data what it was when they were made?");
        }

        /** Computes the next batch; returns its end. */
        private int compute(int from, int last) {
            if (mode == Mode.ASSEMBLE) {
                throw missing(from, end(from, last));
            }
            if (stop != null && stop.asked()) {
                throw new StoppedException(
                        "stopped; " + journal.file() + " has what is done: go on with the same command and --resume");
            }
            takeNote();
            while (true) {
                int end = end(from, last);
                JsonNode value = value(from, end);
                if (value != null) {
                    takeNote();
                    sink.take(from, end, value);
                    return end;
                }
                while (end(from, last) == end) {
                    batches.halve();
                }
                takeNote();
            }
        }

        /** What comes out of a batch, which the journal has then; null if the Java heap has no room for that, but may have for less. */
        private JsonNode value(int from, int end) {
            try {
                JsonNode value = work.compute(from, end);
                if (journal != null) {
                    journal.append(name, new Journal.Unit(from, end, batches.hash(from, end), value));
                }
                return value;
            } catch (OutOfMemoryError e) {
                if (end == from + 1) {
                    throw e;
                }
                return null;
            }
        }

        private int end(int from, int last) {
            return Math.min(last, batches.end(from, batches.tokens()));
        }
    }

    /** Ends the run, when its output is there: removes the journal, or gives that of a part the name of the output. */
    public void finish() {
        if (journal == null) {
            return;
        }
        if (partOnly()) {
            journal.moveTo(output);
        } else if (!keep) {
            journal.delete();
        }
    }

    @Override
    public void close() {
        if (journal != null && journal.isEmpty()) {
            journal.delete();
        }
        owned.close();
    }
}
