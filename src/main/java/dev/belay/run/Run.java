package dev.belay.run;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.io.Resources;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

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

        /** One past the last text of the batch that begins with text {@code from}. */
        int end(int from);

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

    private final Resources owned = new Resources();
    private final Path output;
    private final Shard shard;
    private final Mode mode;
    private final boolean keep;
    private Journal journal;
    private StopRequest stop;

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
            run.owned.own(OutputLock.take(OutputFile.beside(output, ".lock"), output));
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

    /** Whether this run computes only a part, whose journal is the result; see {@link #finish}. */
    public boolean partOnly() {
        return !shard.equals(Shard.WHOLE);
    }

    /**
     * Does one stage of the run.
     *
     * @param stage its name in the journal
     * @param sink given what comes out, in order; of a part only, what comes out of the part
     * @throws StoppedException if a signal asked for it; the batch at hand is in the journal
     */
    public void stage(String stage, Batches batches, Work work, Sink sink) {
        List<int[]> all = new ArrayList<>();
        for (int from = 0; from < batches.count(); ) {
            int end = end(stage, from, batches);
            all.add(new int[] {from, end});
            from = end;
        }
        for (int b = 0; b < all.size(); b++) {
            if (!shard.has(b, all.size())) {
                continue;
            }
            int from = all.get(b)[0];
            int end = all.get(b)[1];
            sink.take(from, end, value(stage, from, end, batches, work));
        }
    }

    /** The end of a batch: of one that is done, where it ended then. */
    private int end(String stage, int from, Batches batches) {
        Journal.Unit done = journal == null || partOnly() ? null : journal.unit(stage, from);
        if (done == null) {
            return batches.end(from);
        }
        if (done.end() > batches.count()) {
            throw new BelayException("cannot resume from " + journal.file() + ": the data has " + batches.count()
                    + " texts, fewer than the " + done.end() + " that are done; give the data it had, or more");
        }
        return done.end();
    }

    private JsonNode value(String stage, int from, int end, Batches batches, Work work) {
        if (journal == null) {
            return work.compute(from, end);
        }
        String hash = batches.hash(from, end);
        Journal.Unit done = journal.unit(stage, from);
        if (done != null) {
            if (done.end() != end || !done.hash().equals(hash)) {
                throw new BelayException("cannot resume from " + journal.file() + ": the data differs in texts "
                        + (from + 1) + " to " + end + "; give the data it had, or leave out --resume to begin anew");
            }
            return done.value();
        }
        if (mode == Mode.ASSEMBLE) {
            throw new BelayException("texts " + (from + 1) + " to " + end
                    + " are in none of the shards; is the data what it was when they were made?");
        }
        if (stop.asked()) {
            throw new StoppedException(
                    "stopped; " + journal.file() + " has what is done: go on with the same command and --resume");
        }
        JsonNode value = work.compute(from, end);
        journal.append(stage, new Journal.Unit(from, end, hash, value));
        return value;
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
