package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.probe.LinearProbe;
import dev.belay.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Data, rankings, probes and golden files that are missing, damaged or do not fit: one clear line, and no output file. */
class BadInputTest {
    @TempDir
    Path folder;

    private Path out;
    private Path ids;

    @BeforeEach
    void names() {
        out = folder.resolve("out");
        ids = Cli.write(folder.resolve("ids.json"), "[[1, 2, 3], [4, 5]]");
    }

    @AfterEach
    void nothingIsWritten() {
        for (String name : Cli.names(folder)) {
            assertTrue(!name.startsWith("out"), name);
        }
    }

    @Test
    void malformedLines() {
        Path data = Cli.write(folder.resolve("d.jsonl"), "{\"prompt\": \"a\"}\n\n{\"prompt\": \n");
        generate(data).failed(1, data + " line 3 is not valid JSON at column 12");
        Cli.write(data, "{\"prompt\": \"a\"}\n[1]\n");
        generate(data).failed(1, data + " line 2 is not a JSON object");
        Cli.write(data, "{\"thinking\": \"a\"}\n");
        generate(data).failed(1, data + " line 1 has no prompt");
        Cli.write(data, "{\"prompt\": \"a\", \"id\": \"x\"}\n{\"prompt\": \"b\", \"id\": \"x\"}\n");
        generate(data).failed(1, data + " line 2 has the id \"x\" of line 1");
    }

    @Test
    void emptyMissingOrAFolder() {
        Path data = Cli.write(folder.resolve("d.jsonl"), "\n");
        generate(data).failed(1, "no transcripts in " + data);
        Path none = folder.resolve("none.jsonl");
        generate(none).failed(1, "cannot read transcripts from " + none, "no such file");
        generate(folder).failed(1, folder + ": it is a folder");
        Cli.run("judge ?", none).failed(1, none.toString(), "no such file");
        Cli.run("judge ? --phrases ?", Cli.one(folder), none).failed(1, none.toString(), "no such file");
    }

    @Test
    void textsLongerThanTheModelsPositions() {
        String words = "I think ".repeat(300);
        Path data = Cli.write(
                folder.resolve("d.jsonl"),
                "{\"prompt\": \"hello\"}\n{\"id\": \"long\", \"prompt\": \"hello\", \"thinking\": \"" + words
                        + "\"}\n");
        Path probe = Cli.probe(folder, 256, LinearProbe.LAST);
        String[] message = {"transcript long has ", " tokens, but the model has positions for only 512"};
        Cli.run("trace ? --probe ? --data ? -o ?", Cli.TINY, probe, data, out).failed(1, message);
        Cli.run("capture ? --data ? -o ?", Cli.TINY, data, out).failed(1, message);
        Cli.run("generate ? --thinking keep --data ? -o ?", Cli.TINY, data, out).failed(1, message);
        Cli.write(data, "{\"prompt\": \"" + words + "\"}\n");
        generate(data).failed(1, "the prompt of transcript 1 has ");
        Cli.write(ids, "[[1], [" + "2, ".repeat(256) + "3]]");
        Cli.run("capture ? --ids ? -o ?", Cli.LLAMA, ids, out)
                .failed(1, ids + ": row 1 has 257 tokens, but the model has positions for only 256");
        Cli.write(ids, "[[1], [" + "2, ".repeat(255) + "3]]");
        Cli.run("generate ? --ids ? -o ?", Cli.LLAMA, ids, out).failed(1, "text 1 has 256 tokens", "256");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[[1, 2], [3, 160]] | row 1, element 1: 160 is not a token id of a vocabulary of 160",
                "[[-1]] | row 0, element 0: -1 is not a token id",
                "[[1.5]] | row 0, element 0: 1.5 is not a token id",
                "[[\"1\"]] | row 0, element 0: \"1\" is not a token id",
                "[[99999999999]] | 99999999999 is not a token id",
                "[[1], []] | row 1 is not a non-empty array",
                "[1, 2] | row 0 is not a non-empty array",
                "[] | is not a JSON array of arrays",
                "{} | is not a JSON array of arrays",
                "[[1, 2] | not valid JSON",
            })
    void tokenIds(String text, String message) {
        Cli.write(ids, text);
        Cli.run("capture ? --ids ? -o ?", Cli.LLAMA, ids, out).failed(1, ids.toString(), message);
        Cli.run("generate ? --ids ? -o ?", Cli.LLAMA, ids, out).failed(1, ids.toString(), message);
    }

    private Cli.Result generate(Path data) {
        return Cli.run("generate ? --data ? -o ?", Cli.TINY, data, out);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"ranking\": [{\"layer\": 3, \"head\": 0}]} | there is no head 0 in layer 3: the model has layers 0 to 2",
                "{\"ranking\": [{\"layer\": 0, \"head\": 4}]} | there is no head 4 in layer 0",
                "{\"ranking\": [{\"layer\": -1, \"head\": 0}]} | entry 0 of 'ranking' needs integers 'layer' and 'head' from 0 on",
                "{\"ranking\": [{\"layer\": 0}]} | entry 0 of 'ranking' needs integers 'layer' and 'head'",
                "{\"ranking\": [{\"layer\": \"0\", \"head\": 0}]} | needs integers 'layer' and 'head'",
                "{\"ranking\": []} | has no 'ranking' array of heads",
                "{\"heads\": 4} | has no 'ranking' array of heads",
                "[1] | not a JSON object",
                "{\"ranking\": [ | not valid JSON: Unexpected end-of-input",
                "{\"ranking\": NaN} | has no 'ranking' array of heads",
                "{\"ranking\": [{\"layer\": 0, \"head\": 0, \"score\": NaN}]} | entry 0 of 'ranking' has a 'score' that is no number",
                "{\"ranking\": []} {} | not valid JSON: more follows the first value",
            })
    void rankingsOfHeads(String text, String message) {
        Path heads = Cli.write(folder.resolve("h.json"), text);
        Cli.run("generate ? --ids ? --heads ? --top 1 -o ?", Cli.LLAMA, ids, heads, out)
                .failed(1, heads.toString(), message);
        Cli.run("ablate ? --data ? --heads ? --top 1 -o ?", Cli.LLAMA, Cli.one(folder), heads, out)
                .failed(1, heads.toString(), message);
    }

    @Test
    void rankingsThatNameAHeadTwiceOrAreMissing() {
        Path heads = Cli.write(
                folder.resolve("h.json"), "{\"ranking\": [{\"layer\": 1, \"head\": 0}, {\"layer\": 1, \"head\": 0}]}");
        List<String> command = Cli.args("generate ? --ids ? -o ? --top 2 --heads", Cli.LLAMA, ids, out);
        Cli.run(command, heads).failed(1, heads + ": ranks head 0 of layer 1 twice");
        Cli.run(command, folder.resolve("none.json")).failed(1, "none.json", "no such file");
    }

    @Test
    void probesThatDoNotFit() {
        probes(Cli.probe(folder, 64, LinearProbe.LAST), "has width 64, but the model has hidden size 256");
        probes(Cli.probe(folder, 256, 7), "reads hidden state 7, but the model has 6 layers");
        probes(folder.resolve("none.safetensors"), "no such file");
        probes(Cli.data("attacks.jsonl"), "it is not a safetensors file");
        Path other = folder.resolve("other.safetensors");
        SafetensorsWriter.to(other).floats("w", new float[256], 256).save();
        probes(other, "is not a probe");
        Path zero = Cli.probe(folder, 256, 0);
        Cli.run("heads ? --probe ? --data ? --method causal -o ?", Cli.TINY, zero, Cli.one(folder), out)
                .failed(1, zero + " reads H[0], the embeddings: no head comes before it");
    }

    private void probes(Path probe, String message) {
        Path heads = Cli.write(folder.resolve("h.json"), "{\"ranking\": [{\"layer\": 1, \"head\": 0}]}");
        for (List<String> command : List.of(
                Cli.args("trace ? -o ?", Cli.TINY, out),
                Cli.args("heads ? --method direct -o ?", Cli.TINY, out),
                Cli.args("select ? --top 1 -o ?", Cli.TINY, out),
                Cli.args("ablate ? --heads ? --top 1 -o ?", Cli.TINY, heads, out),
                Cli.args("probe test ?", Cli.TINY))) {
            Cli.run(command, "--probe", probe, "--data", Cli.one(folder)).failed(1, probe.toString(), message);
        }
    }

    @Test
    void tooFewTranscriptsForAProbe() {
        Cli.run("probe train ? --refused ? --complied ? -o ?", Cli.TINY, Cli.one(folder), Cli.one(folder), out)
                .failed(1, "cannot cross-validate with 1 refusals and 1 answers; at least 2 of each are needed");
        Cli.run(
                        "probe train ? --refused ? --complied ? --layer 7 -o ?",
                        Cli.TINY,
                        Cli.one(folder),
                        Cli.one(folder),
                        out)
                .failed(2, "--layer '7' is not last or a number from 0 to 6");
    }

    @Test
    void goldenFilesThatDoNotFit() {
        Cli.run("verify ? --golden ? --dtype f32", Cli.LLAMA, Cli.probe(folder, 64, 0))
                .failed(1, "has no tensor 0.input_ids");
        Path golden = folder.resolve("g.safetensors");
        SafetensorsWriter.to(golden)
                .longs("0.input_ids", new long[] {1, 999}, 2)
                .save();
        Cli.run("verify ? --golden ? --dtype f32", Cli.LLAMA, golden)
                .failed(1, "0.input_ids has token 999, but the vocabulary is 160");
        SafetensorsWriter.to(golden).longs("0.input_ids", new long[] {1}, 1).save();
        Cli.run("verify ? --golden ? --dtype f32", Cli.LLAMA, golden).failed(1, "to compare with");
        Path none = folder.resolve("none.safetensors");
        Cli.run("verify ? --golden ? --dtype f32", Cli.LLAMA, none).failed(1, none.toString(), "no such file");
        Cli.run("verify ? --golden ? --dtype f32 --json", Cli.LLAMA31, Cli.LLAMA.resolve("golden.safetensors"))
                .failed(1, "does this file belong to the model?");
    }
}
