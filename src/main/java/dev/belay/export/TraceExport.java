package dev.belay.export;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.weights.NpyWriter;
import dev.belay.weights.SafetensorsWriter;
import dev.belay.weights.TensorType;
import java.nio.file.Path;
import java.util.Map;

/** Traces in other formats. The file is read twice: for its size, in which every line is checked, and for its numbers. */
public final class TraceExport {
    private final TraceFile traces;
    private final TraceFile.Size size;

    /**
     * Reads the file for its size.
     *
     * @throws BelayException naming the line, if it is no file of traces
     */
    public TraceExport(TraceFile traces) {
        this.traces = traces;
        size = traces.size();
    }

    /** What is exported. */
    public TraceFile.Size size() {
        return size;
    }

    /** Writes CSV (RFC 4180, UTF-8), one line a token. */
    public void csv(Path target) {
        try (OutputFile out = OutputFile.create(target)) {
            out.write(CsvText.line("transcript", "position", "part", "token_id", "token", "score"));
            traces.forEach(trace -> {
                String id = CsvText.text(trace.id());
                for (int i = 0; i < trace.length(); i++) {
                    out.write(CsvText.line(
                            id,
                            Integer.toString(i),
                            trace.part(i),
                            Integer.toString(trace.tokenIds()[i]),
                            CsvText.text(trace.tokenTexts().get(i)),
                            CsvText.number(trace.scores()[i])));
                }
            });
            out.commit();
        }
    }

    /**
     * Writes a float64 array of scores, one row a transcript, as wide as the longest and filled up with NaN; beside it the token ids,
     * int32, filled up with -1, and JSON Lines with what else is known of each row.
     */
    public void npy(Path target) {
        NpySet names = new NpySet(target);
        try (NpyWriter scores = new NpyWriter(target, TensorType.F64, size.transcripts(), size.longest());
                NpyWriter ids =
                        new NpyWriter(names.beside("token_ids"), TensorType.I32, size.transcripts(), size.longest());
                OutputFile rows = OutputFile.create(names.rows())) {
            traces.forEach(trace -> {
                for (int i = 0; i < size.longest(); i++) {
                    scores.put(i < trace.length() ? trace.scores()[i] : Double.NaN);
                    ids.put(i < trace.length() ? trace.tokenIds()[i] : -1L);
                }
                rows.write(row(trace) + "\n");
            });
            rows.commit();
            ids.commit();
            scores.commit();
        }
    }

    private static ObjectNode row(Trace trace) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("id", trace.id()).put("tokens", trace.length());
        row.putArray("thinking").add(trace.thinkingStart()).add(trace.thinkingEnd());
        trace.tokenTexts().forEach(row.putArray("token_texts")::add);
        return row;
    }

    /**
     * Writes safetensors: {@code scores} F64 [tokens] of all transcripts one after the other, their tokens as {@link TokenTable} has them,
     * {@code thinking} I64 [transcripts, 2], and {@code plateau}, {@code final}, {@code misalignment} F64 [transcripts]; the metadata entry
     * {@code rows} has the ids of the transcripts.
     */
    public void safetensors(Path target) {
        ArrayNode rows = JsonNodeFactory.instance.arrayNode();
        traces.forEach(trace -> rows.add(trace.id()));
        SafetensorsWriter.Declaration file = SafetensorsWriter.to(target)
                .metadata(Map.of("rows", rows.toString()))
                .tensor("scores", TensorType.F64, size.tokens())
                .tensor("thinking", TensorType.I64, size.transcripts(), 2);
        for (String name : new String[] {"plateau", "final", "misalignment"}) {
            file.tensor(name, TensorType.F64, size.transcripts());
        }
        TokenTable.declare(file, size.transcripts(), size.tokens(), size.textBytes());
        try (SafetensorsWriter out = file.open()) {
            TokenTable tokens = TokenTable.begin(out, true);
            traces.forEach(trace -> {
                out.write("scores", trace.scores());
                out.write("thinking", new int[] {trace.thinkingStart(), trace.thinkingEnd()});
                out.write("plateau", new double[] {trace.plateau()});
                out.write("final", new double[] {trace.finalScore()});
                out.write("misalignment", new double[] {trace.misalignment()});
                tokens.add(trace.tokenIds(), 0, trace.tokenTexts());
            });
        }
    }
}
