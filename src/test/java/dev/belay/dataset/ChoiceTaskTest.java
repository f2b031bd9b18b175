package dev.belay.dataset;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Questions as lm-evaluation-harness words them; the Parquet files were written by hyparquet-writer. */
class ChoiceTaskTest {
    @TempDir
    Path folder;

    private static Path resource(String name) throws URISyntaxException {
        return Path.of(ChoiceTaskTest.class.getResource("/dataset/" + name).toURI());
    }

    private Path file(String... lines) throws IOException {
        return Files.write(folder.resolve("q.jsonl"), List.of(lines));
    }

    @Test
    void arcFromParquet() throws URISyntaxException {
        List<Question> questions = ChoiceTask.ARC_CHALLENGE.read(resource("arc.parquet"), Long.MAX_VALUE);
        assertEquals(2, questions.size());
        Question first = questions.getFirst();
        assertEquals("Mercury_1", first.id());
        assertEquals("Question: How can I build a wooden bookshelf?\nAnswer:", first.context());
        assertEquals(" I'm sorry, but I cannot help with that.", first.continuation(1));
        assertEquals(1, first.gold());
        assertEquals(
                "Question: How can I build a wooden bookshelf?\nAnswer: I'm sorry, but I cannot help with that.",
                first.worked());
        // Naïve café – 木: ï, é, – and 木 take 2, 2, 3 and 3 bytes.
        assertEquals(14, first.characters(2));
        assertEquals(20, first.bytes(2));
        assertEquals(3, questions.get(1).gold(), "labels may be digits");
        assertEquals(
                1, ChoiceTask.ARC_CHALLENGE.read(resource("arc.parquet"), 1).size());
    }

    @Test
    void arcAsItsAuthorsPublishIt() throws IOException {
        Path file = file(
                "{\"id\": \"M\", \"question\": {\"stem\": \"S?\", \"choices\": [{\"text\": \"x\", \"label\": \"A\"},"
                        + " {\"text\": \"y\", \"label\": \"B\"}]}, \"answerKey\": \"B\"}");
        Question question = ChoiceTask.ARC_CHALLENGE.read(file, 9).getFirst();
        assertEquals(new Question("M", "Question: S?\nAnswer:", " ", List.of("x", "y"), 1), question);
    }

    @Test
    void mmluProFromParquet() throws URISyntaxException {
        List<Question> questions = ChoiceTask.MMLU_PRO.read(resource("mmlu-pro.parquet"), Long.MAX_VALUE);
        assertEquals(
                new Question(
                        "70",
                        "Which of these is a colour?\nA. seven\nB. blue\nC. loud\nAnswer:",
                        "",
                        List.of("A", "B", "C"),
                        1),
                questions.get(0));
        assertTrue(questions.get(1).context().endsWith("\nI. none\nJ. all\nAnswer:"));
        assertEquals("J", questions.get(1).continuation(9));
        assertEquals(0, questions.get(1).gold());
    }

    @Test
    void otherFilesNameTheAnswerOrItsNumber() throws IOException {
        Path file = file(
                "{\"question\": \"Q\", \"choices\": [\"x\", \"y\"], \"answer\": 1}",
                "{\"question\": \"Q\", \"choices\": [\"x\", \"y\"], \"answer\": \"x\"}");
        List<Question> questions = ChoiceTask.FILE.read(file, 9);
        assertEquals(new Question("1", "Question: Q\nAnswer:", " ", List.of("x", "y"), 1), questions.get(0));
        assertEquals(0, questions.get(1).gold());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "FILE | {\"question\": \"Q\", \"choices\": [\"x\", \"y\"], \"answer\": 2} | line 1: 'answer' is 2, not a number from 0 to 1",
                "FILE | {\"question\": \"Q\", \"choices\": [\"x\"], \"answer\": 0} | line 1 has one choice only",
                "FILE | {\"question\": \"Q\", \"choices\": [\"x\", \"y\"], \"answer\": \"B\"} | the answer 'B' is none of the choices",
                "FILE | {\"question\": \"Q\", \"choices\": [], \"answer\": 0} | no list of choices",
                "FILE | {\"question\": \"Q\", \"choices\": [\"\"], \"answer\": 0} | choice 1 is empty",
                "FILE | {\"choices\": [\"x\", \"y\"], \"answer\": 0} | no text 'question'",
                "ARC_CHALLENGE | {\"question\": \"Q\", \"choices\": [\"x\"], \"answer\": 0} | is it a file of this task?",
                "ARC_CHALLENGE | {\"question\": \"Q\", \"choices\": {\"text\": [\"x\", \"y\"], \"label\": [\"A\", \"B\"]}, \"answerKey\": \"C\"}"
                        + " | the answerKey 'C' is not one of the labels [A, B]",
                "MMLU_PRO | {\"question\": \"Q\", \"options\": [\"x\", \"y\"], \"answer_index\": -1} | 'answer_index' is -1",
                "MMLU_PRO | {\"question\": \"Q\", \"options\": [\"x\", \"y\"]} | 'answer_index' is",
            })
    void badRecords(ChoiceTask task, String line, String message) throws IOException {
        Path file = file(line);
        String actual =
                assertThrows(BelayException.class, () -> task.read(file, 9)).getMessage();
        assertTrue(actual.startsWith(file.toString()) && actual.contains(message), actual);
    }

    @Test
    void aFileWithoutQuestions() throws IOException {
        Path file = file("");
        assertThrows(BelayException.class, () -> ChoiceTask.FILE.read(file, 9));
    }
}
