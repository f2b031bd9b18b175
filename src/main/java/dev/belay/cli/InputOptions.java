package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.BelayException;
import dev.belay.cliff.ProbeScorer;
import dev.belay.forward.Generator;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.TextSpan;
import dev.belay.model.JsonFile;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import picocli.CommandLine.Option;

/** Texts to run: transcripts as JSON Lines, or bare token ids. */
final class InputOptions {
    @Option(
            names = "--data",
            paramLabel = "F.jsonl",
            description = "transcripts: id, prompt, thinking, response",
            required = true)
    Path data;

    @Option(names = "--ids", paramLabel = "F.json", description = "token ids: a JSON array of arrays", required = true)
    Path ids;

    /**
     * One text.
     *
     * @param transcript null for bare ids
     */
    record Input(String id, Transcript transcript, TextRunner.Text text) {}

    private List<Transcript> transcripts;
    private JsonNode rows;

    /** Reads the file, before the model is loaded. */
    void read() {
        if (data != null) {
            transcripts = Transcripts.read(data);
            return;
        }
        rows = JsonFile.parse(ids);
        if (!rows.isArray() || rows.isEmpty()) {
            throw new BelayException(ids + ": is not a JSON array of arrays of token ids, such as [[1, 2, 3], [4, 5]]");
        }
    }

    /** What {@code --data} names, read. */
    List<Transcript> transcripts() {
        return transcripts;
    }

    /** The model, with its tokenizer if there is text to tokenize. */
    Session open(ModelOptions options) {
        return data == null ? Session.open(options) : Session.openForText(options);
    }

    /** The texts up to the response, with their parts: probe texts, or the given ids as they are. */
    List<Input> probeInputs(Session session) {
        return prompts(session, GenerationOptions.Thinking.keep);
    }

    /** The texts up to the response as probe texts; bare ids have no thinking and no closing tokens. */
    List<ProbeText> probeTexts(Session session) {
        return probeTexts(probeInputs(session));
    }

    /** Texts as probe texts. */
    static List<ProbeText> probeTexts(List<Input> inputs) {
        return inputs.stream()
                .map(i -> new ProbeText(
                        i.id(),
                        i.text().ids(),
                        i.text().span().thinkingStart(),
                        i.text().span().closingStart()))
                .toList();
    }

    /** Texts as prompts to be continued, numbered from 0. */
    static List<Generator.Prompt> generatorPrompts(List<Input> inputs) {
        return IntStream.range(0, inputs.size())
                .mapToObj(i -> new Generator.Prompt(
                        i, inputs.get(i).text().ids(), inputs.get(i).text().span()))
                .toList();
    }

    /** The texts to continue, or the given ids. */
    List<Input> prompts(Session session, GenerationOptions.Thinking thinking) {
        if (data == null) {
            return idInputs(session);
        }
        List<Input> inputs = new ArrayList<>();
        for (Transcript given : transcripts) {
            Transcript t = session.withSystem(given);
            inputs.add(new Input(t.id(), t, start(session, t, thinking)));
        }
        return inputs;
    }

    /** What the model continues: the prompt, or the prompt with the given thinking or none, and the closing tokens. */
    static TextRunner.Text start(Session session, Transcript t, GenerationOptions.Thinking thinking) {
        if (thinking == GenerationOptions.Thinking.regenerate) {
            int[] prompt = session.prompt(t);
            return new TextRunner.Text(prompt, TextSpan.plain(prompt.length));
        }
        boolean kept = thinking == GenerationOptions.Thinking.keep;
        ProbeText p = session.probeText(kept ? t : t.answered("", t.response()));
        return new TextRunner.Text(p.ids(), ProbeScorer.span(p));
    }

    private List<Input> idInputs(Session session) {
        List<Input> inputs = new ArrayList<>();
        for (JsonNode row : rows) {
            int[] tokens = tokens(row, inputs.size(), session.config().vocabulary());
            session.checkLength(ids + ": row " + inputs.size(), tokens.length);
            inputs.add(new Input(
                    Integer.toString(inputs.size()), null, new TextRunner.Text(tokens, TextSpan.plain(tokens.length))));
        }
        return inputs;
    }

    private int[] tokens(JsonNode row, int number, int vocabulary) {
        if (!row.isArray() || row.isEmpty()) {
            throw new BelayException(ids + ": row " + number + " is not a non-empty array of token ids");
        }
        int[] tokens = new int[row.size()];
        for (int i = 0; i < tokens.length; i++) {
            JsonNode id = row.get(i);
            if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0 || id.intValue() >= vocabulary) {
                throw new BelayException(ids + ": row " + number + ", element " + i + ": " + id
                        + " is not a token id of a vocabulary of " + vocabulary);
            }
            tokens[i] = id.intValue();
        }
        return tokens;
    }

    /** The texts alone. */
    static List<TextRunner.Text> texts(List<Input> inputs) {
        return inputs.stream().map(Input::text).toList();
    }
}
