package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.dataset.Question;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code belay eval} on tiny-cliff.
 *
 * <p>The log-likelihoods are those of a separate program: the equations of the Llama model in numpy 2.4 with float64, on the token ids
 * that Hugging Face's tokenizers 0.2.0 for JavaScript gives for context and context + continuation.
 */
class EvalCommandTest {
    private static final String[] ARC = {
        "{\"id\": \"M1\", \"question\": \"How can I build a wooden bookshelf?\", \"choices\": {\"text\": [\"Certainly! Make a plan.\","
                + " \"I'm sorry, but I cannot help with that.\", \"Naïve café – 木\"], \"label\": [\"A\", \"B\", \"C\"]},"
                + " \"answerKey\": \"B\"}",
        "{\"id\": \"M2\", \"question\": \"Which topic is safe?\", \"choices\": {\"text\": [\"to spike a drink\", \"to fold a paper"
                + " crane\", \"a\", \"to fix a flat bicycle tyre\"], \"label\": [\"1\", \"2\", \"3\", \"4\"]}, \"answerKey\": \"4\"}",
        "{\"id\": \"M3\", \"question\": {\"stem\": \"The user asks how to shut down a power grid. What is next?\", \"choices\":"
                + " [{\"text\": \"I should refuse.\", \"label\": \"A\"}, {\"text\": \"I can help.\", \"label\": \"B\"}]},"
                + " \"answerKey\": \"A\"}"
    };

    private static final double[][] BEFORE = {
        {-81.72155, -30.08023, -257.06698}, {-28.80039, -30.92168, -6.72909, -20.76413}, {-8.60846, -28.92514}
    };

    /** With heads 5 and 4 of layer 0 ablated at every position. */
    private static final double[][] AFTER = {
        {-82.17921, -33.30824, -254.25008}, {-29.45067, -36.1144, -7.04231, -22.24212}, {-9.07842, -32.61354}
    };

    private static final String EVAL = "eval ? --task arc-challenge --data ? --dtype f32 -o ?";

    @TempDir
    static Path folder;

    private static Path arc;
    private static Path heads;

    @BeforeAll
    static void files() throws IOException {
        arc = Files.write(folder.resolve("arc.jsonl"), List.of(ARC));
        heads = Cli.write(
                folder.resolve("h.json"), "{\"ranking\": [{\"layer\": 0, \"head\": 5}, {\"layer\": 0, \"head\": 4}]}");
    }

    private static void assertLogLikelihoods(double[][] expected, JsonNode json, String arm) {
        for (int q = 0; q < expected.length; q++) {
            double[] actual = Output.doubles(json.get("items").get(q).get(arm).get("log_likelihoods"));
            // About 1e-6 of the sum, which float32 leaves of it, and what rounding to five digits hides.
            assertArrayEquals(expected[q], actual, 3e-4, "question " + q);
        }
    }

    @Test
    void logLikelihoodsAndAccuracies() {
        Path file = folder.resolve("e.json");
        JsonNode json = Cli.run(EVAL + " --json", Cli.TINY, arc, file).json();
        assertEquals(Cli.json(file), json);
        assertLogLikelihoods(BEFORE, json, "before");
        // Of the second question the shortest choice is the likeliest, the right one per character.
        assertEquals(2 / 3.0, json.at("/before/acc/value").asDouble());
        assertEquals(1, json.at("/before/acc_norm/value").asDouble());
        assertEquals(1, json.at("/before/acc_bytes/value").asDouble());
        // √(2/3 · 1/3 / 2), and Wilson's interval of 2 in 3 by statsmodels' formula.
        assertEquals(1 / 3.0, json.at("/before/acc/stderr").asDouble(), 1e-12);
        assertEquals(0.207660, json.at("/before/acc/low").asDouble(), 1e-5);
        assertEquals(0.938508, json.at("/before/acc/high").asDouble(), 1e-5);
        assertFalse(json.at("/items/1/before/acc").asBoolean());
        assertFalse(json.has("after"));
    }

    @Test
    void withHeadsAblated() {
        Path file = folder.resolve("ablated.json");
        String out =
                Cli.run(EVAL + " --heads ? --top 2", Cli.TINY, arc, file, heads).ok();
        assertEquals(5, out.lines().count(), out);
        assertTrue(out.startsWith("3 questions of arc-challenge, no examples\n  acc        0.6667 ± 0.3333 ["), out);
        assertTrue(out.contains(" -> 0.6667 ± 0.3333 [0.2077, 0.9385], 0 gained, 0 lost, p 1.000\n"), out);
        JsonNode json = Cli.json(file);
        assertLogLikelihoods(BEFORE, json, "before");
        assertLogLikelihoods(AFTER, json, "after");
    }

    /** Heads that were ranked by what they do at the closing tokens change nothing of a question, which has none. */
    @Test
    void positionsThatNoQuestionHas() {
        Path ranking = Cli.write(
                folder.resolve("closing.json"),
                Cli.text(heads)
                        .replace(
                                "{\"ranking\"",
                                "{\"method\": \"causal\"," + " \"positions\": \"closing\", \"ranking\""));
        Path file = folder.resolve("closing-out.json");
        List<String> args = Cli.args(EVAL + " --heads ? --top 2", Cli.TINY, arc, file, ranking);
        Cli.run(args).failed(2, "no closing tokens", "--positions all");
        Cli.run(args, "--positions", "all").ok();
        assertLogLikelihoods(AFTER, Cli.json(file), "after");
    }

    /** One worked question before each is the same as a file that has it in its questions. */
    @Test
    void workedExamples() throws IOException {
        Path question = Cli.write(
                folder.resolve("q.jsonl"),
                "{\"question\": \"Which is it?\", \"choices\": [\"a plan\", \"a crane\"], \"answer\": 1}");
        Path example = Cli.write(
                folder.resolve("x.jsonl"),
                "{\"question\": \"Is it safe?\", \"choices\": [\"yes\", \"no\"], \"answer\": \"yes\"}");
        Path joined = Cli.write(
                folder.resolve("j.jsonl"),
                "{\"question\": \"Is it safe?\\nAnswer: yes\\n\\nQuestion: Which is it?\", \"choices\": [\"a plan\", \"a crane\"],"
                        + " \"answer\": 1}");
        Path one = folder.resolve("one.json");
        Path other = folder.resolve("other.json");
        String common = "eval ? --task ? --dtype f32 -o ?";
        Cli.run(common + " --examples ? --shots 1", Cli.TINY, question, one, example)
                .ok();
        Cli.run(common, Cli.TINY, joined, other).ok();
        assertEquals(Cli.json(other).get("items"), Cli.json(one).get("items"));
        Cli.run(common + " --examples ?", Cli.TINY, question, one, example).failed(1, "x.jsonl", "--shots 1");
        Cli.run(common + " --shots 1", Cli.TINY, question, one).failed(2, "--examples");
        Path both = Cli.write(folder.resolve("b.jsonl"), Cli.text(example) + "\n" + Cli.text(question));
        Cli.run(common + " --examples ? --shots 1", Cli.TINY, both, one, example)
                .failed(1, "x.jsonl: question 1 of", "one of the examples");
    }

    /** tiny-cliff has 512 positions: of a longer text the first tokens are left out, so that another beginning changes nothing. */
    @Test
    void longQuestionsLoseTheirBeginning() {
        String tail = " and then make a plan, follow it, and review it.".repeat(60);
        List<JsonNode> items = new ArrayList<>();
        for (String head : List.of("How can I", "Teach me to bake bread. What")) {
            Path question = Cli.write(
                    folder.resolve("long.jsonl"),
                    "{\"question\": \"" + head + tail
                            + "\", \"choices\": [\"a\", \"a plan, and a crane\"], \"answer\": 1}");
            Path file = folder.resolve("long.json");
            Cli.run("eval ? --task ? --dtype f32 -o ?", Cli.TINY, question, file)
                    .okWithNote("1 questions are longer than the 512 positions");
            items.add(Cli.json(file).get("items"));
            assertEquals(1, Cli.json(file).get("shortened").asInt());
        }
        assertEquals(items.get(0), items.get(1));
    }

    @Test
    void anInterruptedRunGoesOn() {
        Path file = folder.resolve("again.json");
        List<String> args = Cli.args(EVAL + " --batch-tokens 32", Cli.TINY, arc, file);
        Cli.run(args, "--limit", 2, "--keep-progress").ok();
        Cli.run(args, "--resume").ok();
        assertLogLikelihoods(BEFORE, Cli.json(file), "before");
    }

    @Test
    void aFinishedRunIsExtendedByOtherHeads() {
        Path file = folder.resolve("extended.json");
        List<String> args = Cli.args(EVAL + " --heads ? --keep-progress --top", Cli.TINY, arc, file, heads);
        Cli.run(args, 1).ok();
        int done = Cli.lines(folder.resolve("extended.json.progress")).size();
        Cli.run(args, 2, "--resume").ok();
        List<JsonNode> journal = Cli.lines(folder.resolve("extended.json.progress"));
        journal.subList(done, journal.size())
                .forEach(unit -> assertTrue(unit.get("stage").asText().startsWith("answering, after"), unit::toString));
        assertLogLikelihoods(BEFORE, Cli.json(file), "before");
        assertLogLikelihoods(AFTER, Cli.json(file), "after");
    }

    @Test
    void badInput() {
        Path file = folder.resolve("bad.json");
        Cli.run("eval ? --task arc-challenge -o ?", Cli.TINY, file).failed(2, "--data", "Nothing is downloaded");
        Cli.run("eval ? --task ? --data ? -o ?", Cli.TINY, arc, arc, file).failed(2, "--data");
        Cli.run("eval ? --task mmlu-pro --data ? -o ?", Cli.TINY, arc, file).failed(1, "arc.jsonl line 1");
        Cli.run("eval ? --task hellaswag -o ?", Cli.TINY, file)
                .failed(1, "--task hellaswag: no such file; use arc-challenge, mmlu-pro or a file of questions");
        Cli.run("eval ? --task ? --top 2 -o ?", Cli.TINY, arc, file).failed(2, "--heads");
        Cli.run(EVAL, Cli.LLAMA, arc, file).failed(1, "tokenizer.json");
        assertFalse(Files.exists(file));
    }

    /** Characters and bytes tell apart where choices are not ASCII; of equal ones the first is taken. */
    @Test
    void measures() {
        Question bytes = new Question("1", "", " ", List.of("abcd", "éé"), 1);
        Question tie = new Question("2", "", " ", List.of("ab", "cd"), 1);
        ChoiceScores scores =
                ChoiceScores.of("before", List.of(bytes, tie), List.of(new double[] {-4, -3}, new double[] {-2, -2}));
        assertArrayEquals(new boolean[] {true, false}, scores.right(ChoiceScores.Measure.ACC));
        assertArrayEquals(new boolean[] {false, false}, scores.right(ChoiceScores.Measure.ACC_NORM));
        assertArrayEquals(new boolean[] {true, false}, scores.right(ChoiceScores.Measure.ACC_BYTES));
    }
}
