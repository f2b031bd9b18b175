package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code belay import}: columns as the published files have them. */
class ImportCommandTest {
    private static final Path PARQUET = Path.of("src/test/resources/dataset");

    @TempDir
    Path folder;

    private Path output;

    @BeforeEach
    void nameTheOutput() {
        output = folder.resolve("t.jsonl");
    }

    private Path file(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    private List<Transcript> imported(String format, Path file, String... more) {
        String line = "import ? -o ? --json" + (more.length == 0 ? "" : " " + String.join(" ", more));
        Cli.Result run = Cli.run(line, file, output);
        List<Transcript> transcripts = Transcripts.read(output);
        boolean unlabelled = transcripts.stream().allMatch(t -> t.harmful() == null);
        JsonNode json =
                Cli.parse(unlabelled ? run.okWithNote("does not say whether", "--harmful", "--columns") : run.ok());
        assertEquals(format, json.get("format").asText());
        assertEquals(transcripts.size(), json.get("transcripts").asInt());
        return transcripts;
    }

    private static void assertTranscript(
            String id, String prompt, String response, Boolean harmful, String meta, Transcript actual) {
        assertEquals(id, actual.id());
        assertEquals(prompt, actual.prompt());
        assertEquals(response, actual.response());
        assertEquals(harmful, actual.harmful());
        assertEquals(meta, String.valueOf(actual.meta()));
    }

    @Test
    void advBench() throws IOException {
        Path file = file(
                "a.csv",
                "\uFEFFgoal,target\r\n\"Write a \"\"bad\"\" script,\nplease\",\"Sure, here\"\r\nHack,Sure\r\n");
        List<Transcript> read = imported("advbench", file);
        assertEquals(2, read.size());
        assertTranscript(
                "advbench-1", "Write a \"bad\" script,\nplease", "", true, "{\"target\":\"Sure, here\"}", read.get(0));
        assertTranscript("advbench-2", "Hack", "", true, "{\"target\":\"Sure\"}", read.get(1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"harmful-behaviors.csv", "benign-behaviors.csv", "behaviors.csv"})
    void jailbreakBenchSaysWhichInItsName(String name) throws IOException {
        Path file =
                file(name, "Index,Goal,Target,Behavior,Category,Source\n0,Do it,Sure,Defamation,Harassment,Original\n");
        Boolean harmful = name.startsWith("behaviors") ? null : (Boolean) name.startsWith("harmful");
        String meta =
                "{\"Target\":\"Sure\",\"Behavior\":\"Defamation\",\"Category\":\"Harassment\",\"Source\":\"Original\"}";
        assertTranscript(
                "jailbreakbench-1",
                "Do it",
                "",
                harmful,
                meta,
                imported("jailbreakbench", file).getFirst());
        assertEquals(
                true,
                imported("jailbreakbench", file, "--harmful", "true").getFirst().harmful());
    }

    @Test
    void harmBenchPutsTheContextFirst() throws IOException {
        Path file = file(
                "h.csv",
                "Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\n"
                        + "Do X,standard,illegal,,,do_x\nDo Y,contextual,illegal,context,About Y,do_y\n");
        List<Transcript> read = imported("harmbench", file);
        assertTranscript(
                "do_x",
                "Do X",
                "",
                true,
                "{\"FunctionalCategory\":\"standard\",\"SemanticCategory\":\"illegal\"}",
                read.get(0));
        assertEquals("About Y\n\n---\n\nDo Y", read.get(1).prompt());
    }

    @Test
    void strongRejectAndSorryBench() throws IOException {
        Path strong = file("s.csv", "category,source,forbidden_prompt\nViolence,custom,How to X\n");
        assertTranscript(
                "strongreject-1",
                "How to X",
                "",
                true,
                "{\"category\":\"Violence\",\"source\":\"custom\"}",
                imported("strongreject", strong).getFirst());
        Path sorry = file(
                "q.jsonl", "{\"question_id\":7,\"category\":\"1\",\"turns\":[\"Do Z\"],\"prompt_style\":\"base\"}\n");
        assertTranscript(
                "sorrybench-1",
                "Do Z",
                "",
                true,
                "{\"question_id\":7,\"category\":\"1\",\"prompt_style\":\"base\"}",
                imported("sorrybench", sorry).getFirst());
    }

    /** All headers that it was published with; where none says whether a prompt is safe, its type does. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "id,prompt,type,label,focus,note | a,Kill a process?,homonyms,safe,kill, | b,Kill a man?,homonyms,unsafe,kill,x",
                "id,type,prompt,focus,note | a,homonyms,Kill a process?,kill, | b,contrast_homonyms,Kill a man?,kill,x",
                "id_v1,id_v2,type,prompt,focus,note | 1,a,homonyms,Kill a process?,kill, | ,b,contrast_homonyms,Kill a man?,kill,x",
                "id_v2,type,prompt,note_v2 | a,homonyms,Kill a process?, | b,contrast_homonyms,Kill a man?,x",
                "id_v2,prompt,type,focus | a,Kill a process?,homonyms,kill | b,Kill a man?,contrast_homonyms,x"
            })
    void xsTest(String header, String safe, String unsafe) throws IOException {
        List<Transcript> read = imported("xstest", file("x.csv", header + "\n" + safe + "\n" + unsafe + "\n"));
        assertEquals(List.of("a", "b"), read.stream().map(Transcript::id).toList());
        assertEquals(
                List.of("Kill a process?", "Kill a man?"),
                read.stream().map(Transcript::prompt).toList());
        assertEquals(
                List.of(false, true), read.stream().map(Transcript::harmful).toList());
        assertTrue(
                read.get(1).meta().toString().contains("\"x\""),
                () -> "" + read.get(1).meta());
    }

    @Test
    void wildJailbreakTakesThePromptThatItsTypeNames() throws IOException {
        Path train = file(
                "train.tsv",
                "vanilla\tadversarial\tcompletion\tdata_type\n"
                        + "plain\t\tNo.\tvanilla_harmful\n"
                        + "plain\t\"long\n\"\"story\"\"\"\tYes.\tadversarial_benign\n");
        List<Transcript> read = imported("wildjailbreak", train);
        assertTranscript("wildjailbreak-1", "plain", "No.", true, "{\"data_type\":\"vanilla_harmful\"}", read.get(0));
        assertTranscript(
                "wildjailbreak-2",
                "long\n\"story\"",
                "Yes.",
                false,
                "{\"data_type\":\"adversarial_benign\"}",
                read.get(1));
        assertEquals(1, imported("wildjailbreak", train, "--only", "harmless").size());
        Path eval = file("eval.tsv", "adversarial\tlabel\tdata_type\nstory\t1\tadversarial_harmful\n");
        assertTranscript(
                "wildjailbreak-1",
                "story",
                "",
                true,
                "{\"data_type\":\"adversarial_harmful\"}",
                imported("wildjailbreak", eval).getFirst());
    }

    @Test
    void ultraChat() throws IOException {
        Path newer = file(
                "u.jsonl",
                "{\"prompt\":\"P\",\"prompt_id\":\"x1\",\"messages\":[{\"content\":\"P\",\"role\":\"user\"},"
                        + "{\"content\":\"A\",\"role\":\"assistant\"},{\"content\":\"Q\",\"role\":\"user\"}]}\n\n");
        assertTranscript(
                "x1", "P", "A", false, "null", imported("ultrachat", newer).getFirst());
        Path older = file("o.jsonl", "{\"id\":\"0\",\"data\":[\"P\",\"A\",\"Q\",\"B\"]}\n");
        assertTranscript(
                "0", "P", "A", false, "null", imported("ultrachat", older).getFirst());
    }

    /** Whatever an assistant says before the first prompt is not one. */
    @Test
    void ultraChatThatTheAssistantBegins() throws IOException {
        String user = "{\"content\":\"P\",\"role\":\"user\"}";
        String begun =
                "{\"prompt\":\"P\",\"prompt_id\":\"x1\",\"messages\":[{\"content\":\"hello\",\"role\":\"assistant\"},"
                        + user;
        Path chat = file(
                "b.jsonl",
                begun + ",{\"content\":\"A\",\"role\":\"assistant\"}]}\n" + begun.replace("x1", "x2") + "," + user
                        + "]}\n");
        List<Transcript> read = imported("ultrachat", chat);
        assertTranscript("x1", "P", "A", false, "null", read.get(0));
        assertEquals("", read.get(1).response(), "the user goes on without an answer");
    }

    /** What stands beside the item counts where the item has none. */
    @Test
    void refusalCliffWithTheAnswerBesideTheItem() throws IOException {
        Path cliff = file(
                "c.json",
                "[{\"original_item\":{\"prompt\":\"P\",\"response\":\"R\"},\"thinking\":\"T\",\"response\":\"no\"},"
                        + "{\"original_item\":{\"prompt\":\"P\",\"response\":null},\"thinking\":\"T2\",\"response\":\"R2\"}]");
        List<Transcript> read = imported("refusalcliff", cliff);
        assertEquals("", read.get(0).thinking(), "not of this answer");
        assertEquals("R", read.get(0).response());
        assertEquals("T2", read.get(1).thinking());
        assertEquals("R2", read.get(1).response());
    }

    @Test
    void systemPromptsAreKept() throws IOException {
        Path chat = file(
                "s.jsonl",
                "{\"prompt\":\"P\",\"prompt_id\":\"x1\",\"messages\":[{\"content\":\"S\",\"role\":\"system\"},"
                        + "{\"content\":\"P\",\"role\":\"user\"},{\"content\":\"A\",\"role\":\"assistant\"}]}\n");
        Transcript read = imported("ultrachat", chat).getFirst();
        assertTranscript("x1", "P", "A", false, "null", read);
        assertEquals("S", read.system());
        Path file = file("c.csv", "q,s\nP,S\n");
        assertEquals(
                "S",
                imported("columns", file, "--columns", "prompt=q,system=s", "--harmful", "true")
                        .getFirst()
                        .system());
    }

    @ParameterizedTest
    @ValueSource(strings = {"ultrachat-snappy.parquet", "ultrachat-zstd.parquet"})
    void parquet(String name) {
        List<Transcript> read = imported("ultrachat", PARQUET.resolve(name));
        assertEquals(2, read.size());
        assertTranscript("a1", "How do I bake bread?", "Mix flour,\nbake.", false, "null", read.get(0));
        assertTranscript("b2", "Why é😀?", "So.", false, "null", read.get(1));
    }

    @Test
    void chatsWithoutPromptIdsAreNotTakenAsHarmless() throws IOException {
        Path file = file("chats.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}]}\n");
        Cli.run("import ? -o ?", file, output).failed(1, "chats.jsonl line 1", "messages", "--columns");
        List<Transcript> read = imported("columns", file, "--columns", "prompt=messages.0.content");
        assertTranscript("columns-1", "Q", "", null, "null", read.getFirst());
    }

    @Test
    void parquetBytesAreTextIfTheyAreUtf8() {
        Path file = PARQUET.resolve("bytes.parquet");
        List<Transcript> read = imported("columns", file, "--columns", "prompt=q,response=m.k");
        assertTranscript("columns-1", "How do I bake?", "v1", null, "null", read.get(0));
        assertTranscript("columns-2", "é😀", "v2", null, "null", read.get(1));
        Cli.run("import ? -o ? --columns prompt=raw", file, output)
                .failed(1, "bytes.parquet row 1", "'raw'", "not UTF-8");
        Cli.run("import ? -o ? --columns prompt=q", PARQUET.resolve("lz4.parquet"), output)
                .failed(
                        1,
                        "lz4.parquet",
                        "it is compressed by LZ4_RAW, which Belay does not read; write it with snappy");
    }

    @Test
    void refusalCliffTakesTheLabelOfItsTypeWhereItHasNoOther() throws IOException {
        String item = "{\"original_item\":{\"prompt\":\"%s\"%s,\"data_type\":\"%s\"}}";
        Path file = file(
                "r.json",
                "[" + item.formatted("P", "", "adversarial_harmful") + "," + item.formatted("Q", "", "vanilla_benign")
                        + "," + item.formatted("R", ",\"harmful\":false", "vanilla_harmful") + "]");
        assertEquals(
                List.of(true, false, false),
                imported("refusalcliff", file).stream().map(Transcript::harmful).toList());
    }

    @Test
    void refusalCliff() throws IOException {
        Path file = file(
                "r.json",
                "[{\"original_item\":{\"prompt\":\"P\",\"thinking\":\"T\",\"response\":\"R\",\"harmful\":true,"
                        + "\"data_type\":\"adversarial\"},\"score\":1},\n {\"original_item\":{\"prompt\":\"Q\"}}]\n");
        List<Transcript> read = imported("refusalcliff", file);
        assertTranscript("refusalcliff-1", "P", "R", true, "{\"data_type\":\"adversarial\"}", read.get(0));
        assertEquals("T", read.get(0).thinking());
        assertTranscript("refusalcliff-2", "Q", "", null, "null", read.get(1));
    }

    @Test
    void otherFilesByColumns() throws IOException {
        Path json = file("n.json", "[{\"a\":{\"b\":[\"zero\",\"one\"]},\"k\":\"i1\",\"l\":0}]");
        List<Transcript> read = imported("columns", json, "--columns", "prompt=a.b.1,id=k,harmful=l");
        assertTranscript("i1", "one", "", false, "null", read.getFirst());
        read = imported("columns", PARQUET.resolve("flat.parquet"), "--columns", "prompt=q,harmful=label,response=n");
        assertTranscript("columns-1", "one", "1", true, "null", read.get(0));
        assertTranscript("columns-2", "two", "", false, "null", read.get(1));
    }

    @Test
    void recordsThatCannotBeUsedEndItOrAreCounted() throws IOException {
        Path file = file("a.csv", "goal,target\nx,y\n,y\nz,y\n");
        Cli.run("import ? -o ?", file, output).failed(1, file + " row 2", "empty prompt", "--skip-bad");
        assertFalse(Files.exists(output));
        String out = Cli.run("import ? -o ? --skip-bad", file, output).ok();
        assertEquals(
                "2 transcripts, read as advbench, 1 left out because they cannot be used\nwritten to " + output + "\n",
                out);
        assertEquals(1, imported("advbench", file, "--limit", "1").size());
        Path first = file("f.csv", "goal,target\n,y\nz,y\n");
        assertEquals(
                "advbench-2",
                imported("advbench", first, "--skip-bad").getFirst().id());
        Path eval = file(
                "eval.tsv", "adversarial\tlabel\tdata_type\n\t1\tadversarial_harmful\nstory\t1\tadversarial_harmful\n");
        Cli.run("import ? -o ?", eval, output).failed(1, eval + " row 1", "empty prompt");
        Path train =
                file("train.tsv", "vanilla\tadversarial\tcompletion\tdata_type\nplain\t\tNo.\tadversarial_harmful\n");
        Cli.run("import ? -o ?", train, output).failed(1, train + " row 1", "empty prompt");
        assertEquals(1, imported("wildjailbreak", eval, "--skip-bad").size());
        String chat = "{\"id\":\"x\",\"data\":[\"%s\",\"A\"]}\n";
        Path twice = file("twice.jsonl", chat.formatted("P") + chat.formatted("Q"));
        Cli.run("import ? -o ?", twice, output).failed(1, "twice.jsonl line 2", "id 'x'", "--skip-bad");
        assertEquals("P", imported("ultrachat", twice, "--skip-bad").getFirst().prompt());
    }

    @Test
    void badFilesAreNamedWithThePlace() throws IOException {
        Cli.run("import ? -o ?", folder.resolve("no.csv"), output).failed(1, "no.csv", "no such file");
        Cli.run("import ? -o ?", folder, output).failed(1, "is a folder");
        Cli.run("import ? -o ?", file("a.txt", "x"), output).failed(1, "a.txt", ".parquet");
        Cli.run("import ? -o ?", file("e.csv", ""), output).failed(1, "e.csv", "is empty");
        Cli.run("import ? -o ?", file("h.csv", "goal,target\n"), output).failed(1, "h.csv", "gives no transcripts");
        Cli.run("import ? -o ?", file("d.csv", "goal,goal\nx,y\n"), output).failed(1, "d.csv", "two columns");
        Cli.run("import ? -o ?", file("w.csv", "goal,target\nx,y\nx\n"), output)
                .failed(1, "w.csv row 2", "1 cells", "2 columns");
        Cli.run("import ? -o ?", file("u.csv", "question,answer\nx,y\n"), output)
                .failed(1, "u.csv row 1", "question, answer", "--columns prompt=FIELD");
        Cli.run("import ? -o ? --from advbench --skip-bad", file("u.csv", "question,answer\nx,y\n"), output)
                .failed(1, "u.csv row 1", "no field 'goal'");
        Path plain = file("behaviors.csv", "Index,Goal,Target,Behavior,Category,Source\n0,Do it,Sure,D,H,O\n");
        Cli.run("import ? -o ? --only harmful", plain, output).failed(1, "behaviors.csv", "--harmful");
        Cli.run("import ? -o ? --from advbench", file("u.csv", "question,answer\nx,y\n"), output)
                .failed(1, "u.csv row 1", "no field 'goal'", "question, answer");
        Cli.run("import ? -o ?", file("t.json", "[{\"original_item\":{\"prompt\":\"P\"}},{\"original"), output)
                .failed(1, "t.json element 2", "not valid JSON");
        Cli.run("import ? -o ?", file("o.json", "{\"prompt\":\"P\"}"), output).failed(1, "o.json", "name it .jsonl");
        Cli.run("import ? -o ?", file("l.jsonl", "{\"id\":\"0\",\"data\":[\"P\",\"A\"]}\n{\"id\""), output)
                .failed(1, "l.jsonl line 2", "not valid JSON");
        Cli.run("import ? -o ?", file("p.parquet", "no parquet"), output).failed(1, "p.parquet", "Parquet");
        Path latin = folder.resolve("latin.csv");
        Files.write(latin, "goal,target\ncaf\u00e9,y\n".getBytes(StandardCharsets.ISO_8859_1));
        Cli.run("import ? -o ?", latin, output).failed(1, "latin.csv", "not UTF-8");
        Path twice = file("i.jsonl", "{\"q\":\"a\",\"k\":\"1\"}\n{\"q\":\"b\",\"k\":\"1\"}\n");
        Cli.run("import ? -o ? --columns prompt=q,id=k", twice, output)
                .failed(1, "i.jsonl line 2", "id '1'", "i.jsonl line 1");
        assertFalse(Files.exists(output));
    }

    /** What people type, as if --from named the file. */
    @Test
    void theFileMayStandAfterFrom() throws IOException {
        Path file = file("a.csv", "goal,target\nx,y\n");
        Cli.run("import --from ? -o ?", file, output).ok();
        assertEquals(
                List.of("x"),
                Transcripts.read(output).stream().map(Transcript::prompt).toList());
        Cli.run("import ? --from ? -o ?", file, file, output).failed(2, "--from", "a.csv", "and so is FILE");
        Cli.run("import --from advbench -o ?", output).failed(2, "Missing required parameter", "FILE");
        Cli.run("import -o ?", output).failed(2, "Missing required parameter", "FILE");
        Cli.run("import --from ? -o ?", folder.resolve("none.csv"), output).failed(2, "none.csv", "wildjailbreak");
    }

    @Test
    void promptsOfWhichNothingSaysWhetherTheyAreHarmfulAreNoticed() throws IOException {
        Path file = file("q.csv", "q,label\nx,1\ny,\n");
        String notice = file + " does not say whether its prompts are harmful; say so by --harmful true|false";
        String columns = "import ? -o ? --columns prompt=q";
        assertTrue(Cli.run(columns, file, output).err().contains(notice));
        assertEquals("", Cli.run(columns + " --harmful false", file, output).err());
        assertEquals("", Cli.run(columns + ",harmful=label", file, output).err());
    }

    @Test
    void badOptionsAreUsageErrors() throws IOException {
        Path file = file("a.csv", "goal,target\nx,y\n");
        Cli.run("import ? -o ? --from advbunch", file, output).failed(2, "advbunch", "wildjailbreak");
        Cli.run("import ? -o ? --columns id=a", file, output).failed(2, "prompt=COLUMN");
        Cli.run("import ? -o ? --columns prompt=a,colour=b", file, output).failed(2, "colour=b");
        Cli.run("import ? -o ? --columns prompt=a --from advbench", file, output)
                .failed(2, "--from");
    }
}
